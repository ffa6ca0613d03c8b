"""Compare training with that of other packages."""
