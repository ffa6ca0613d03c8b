"""Offer training and fitted models as one scikit-learn estimator."""

from pyro_gmvae.estimator.gmvae import GMVAE

__all__ = ["GMVAE"]
