"""Say segments by a few rules of the columns."""
