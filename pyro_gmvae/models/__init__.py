"""Define GMVAEs as Pyro programs: one generative model and four guides."""

from pyro_gmvae.models.adversarial import AdversarialPerturbation
from pyro_gmvae.models.components import keep_components, reorder_components
from pyro_gmvae.models.config import from_config, to_config
from pyro_gmvae.models.generative import GenerativeModel
from pyro_gmvae.models.gmvae import GMVAE, METHODS
from pyro_gmvae.models.guides import Guide, MarginalGuide
from pyro_gmvae.models.membership import MembershipLogit
from pyro_gmvae.models.methods import ConcreteGMVAE, ExactGMVAE, MarginalGMVAE, SparseGMVAE
from pyro_gmvae.models.must_link import MUST_LINK, MustLink
from pyro_gmvae.models.objective import ObjectiveWeights
from pyro_gmvae.models.regularization import PENALTIES, Regularizer

__all__ = [
    "GMVAE",
    "METHODS",
    "MUST_LINK",
    "PENALTIES",
    "AdversarialPerturbation",
    "ConcreteGMVAE",
    "ExactGMVAE",
    "GenerativeModel",
    "Guide",
    "MarginalGMVAE",
    "MarginalGuide",
    "MembershipLogit",
    "MustLink",
    "ObjectiveWeights",
    "Regularizer",
    "SparseGMVAE",
    "from_config",
    "keep_components",
    "reorder_components",
    "to_config",
]
