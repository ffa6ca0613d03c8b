"""Compute the objective: an ELBO without host synchronisation, compiled and annealed."""

from pyro_gmvae.inference.capture import CapturedELBO, CaptureError
from pyro_gmvae.inference.elbo import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.precision import autocast_networks
from pyro_gmvae.inference.recording import Recording, own_stream
from pyro_gmvae.inference.schedules import KLAnnealing, Schedule
from pyro_gmvae.inference.terms import ELBOTerms

__all__ = [
    "CaptureError",
    "CapturedELBO",
    "ELBOTerms",
    "KLAnnealing",
    "Recording",
    "Schedule",
    "TraceEnumMeanField_ELBO",
    "autocast_networks",
    "own_stream",
]
