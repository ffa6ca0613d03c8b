"""The command line: `pyro-gmvae`, one click command a file."""
