"""Describe columns that were not clustered on, by segment."""
