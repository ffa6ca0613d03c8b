"""Turn clusters into segments: say how large and certain they are, and what sets them apart."""
