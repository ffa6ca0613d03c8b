"""Measure trainings on tables that are larger than memory."""
