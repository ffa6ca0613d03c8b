"""Let a fitted model answer outside of a Python session: as a file for other programs."""
