"""Measure time and memory of training steps, epochs and imports."""
