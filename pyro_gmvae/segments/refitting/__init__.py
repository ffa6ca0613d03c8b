"""Fit the segments again, to find out how far they are an accident of the rows."""
