"""Check what is said of segments on tables whose segments are known."""
