"""Measure tables of mixed columns with gaps: clusters, density, imputation, speed."""
