"""Place new rows, and reject those that fit no segment."""
