"""The objective: a sync-free ELBO and the schedules that anneal it."""

from pyro_gmvae.inference.elbo import ELBOTerms, TraceEnumMeanField_ELBO
from pyro_gmvae.inference.schedules import KLAnnealing, Schedule

__all__ = ["ELBOTerms", "KLAnnealing", "Schedule", "TraceEnumMeanField_ELBO"]
