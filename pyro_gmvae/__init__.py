"""Deep clustering with Gaussian mixture variational autoencoders in Pyro."""

__version__ = "0.1.0"
