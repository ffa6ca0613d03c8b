"""Predict the segment of a row by columns that were not clustered on."""
