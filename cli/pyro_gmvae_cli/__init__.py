"""Provide the command line ``pyro-gmvae``, with one click command in each file."""
