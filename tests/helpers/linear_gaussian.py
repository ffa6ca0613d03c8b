"""GMVAEs whose p(x) is known: a linear decoder and a Gaussian likelihood of fixed scale."""

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pyro_gmvae.likelihoods import Gaussian
from pyro_gmvae.models import GMVAE, METHODS

SCALE = 0.5  # of p(x|z)


def linear_gaussian(
    method: str,
    n_components: int = 3,
    latent_dim: int = 2,
    input_dim: int = 3,
    dtype: torch.dtype = torch.float64,
    width: float = 1.4,
    seed: int = 0,
) -> GMVAE:
    """A model with well parted clusters, and a guide that covers its posterior.

    The guide's q(z|x,y) ignores x: it is centred on the cluster (the marginal one on 0) and
    ``width`` wide (the marginal one half as much again), so that importance weights are bounded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gmvae = METHODS[method](
            input_dim,
            n_components,
            latent_dim,
            hidden=(max(4, n_components),),
            likelihood=Gaussian((input_dim,), scale=SCALE),
            decoder=nn.Linear(latent_dim, input_dim),
            learn_mixture=True,
        ).to(dtype)
        with torch.no_grad():
            gmvae.model.mixture_logits.normal_()
            gmvae.model.component_loc.normal_()
            gmvae.model.component_raw_scale.normal_(mean=-0.5, std=0.5)
    _widen_guide(gmvae, width if method != "marginal" else 1.5 * width)
    return gmvae


@torch.no_grad()
def _widen_guide(gmvae: GMVAE, width: float) -> None:
    head = gmvae.guide.z_head
    for parameter in head.parameters():
        parameter.zero_()
    if head.from_cluster is not None:
        gmvae.guide.y_head.weight *= 0.2  # no cluster is so unlikely that its share is never drawn
        for k in range(gmvae.n_components):
            head.from_cluster.weight[k, k] = 1.0
            head.output.weight[: gmvae.latent_dim, k] = gmvae.model.component_loc[k]
    head.output.bias[gmvae.latent_dim :] = torch.tensor(width).expm1().log()


def true_log_p(gmvae: GMVAE, x: Tensor) -> Tensor:
    """log p(x), a mixture of N(W mu_y + b, W diag(sigma_y^2) W' + s^2 I)."""
    model = gmvae.model
    weight, bias = model.decoder.weight.detach(), model.decoder.bias.detach()
    loc = model.component_loc.detach() @ weight.T + bias
    scaled = weight * model.component_scale.detach().unsqueeze(-2)
    noise = SCALE**2 * torch.eye(len(bias), dtype=x.dtype)
    components = MultivariateNormal(loc, scaled @ scaled.mT + noise)
    log_p_x_given_y = components.log_prob(x.unsqueeze(-2))
    return (model.mixture_logits.detach().log_softmax(-1) + log_p_x_given_y).logsumexp(-1)
