"""Let the probability of each cluster depend on covariates, by a multinomial logit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["MembershipLogit"]


class MembershipLogit(nn.Module):
    r"""Say who is likely to be in which cluster: tilt p(y) by covariates w.

    .. math:: p(y | w) \propto p(y) \exp(\alpha_y + \beta_y^\top w)

    The posterior of a mixture is tilted by the same factor,
    :math:`p(y | x, w) \propto p(y | x) \exp(\alpha_y + \beta_y^\top w)`, for w acts on x by the
    cluster alone. So the guide adds the tilt to its logits, and no network sees w.

    One tilt for all clusters changes nothing. It begins at 0, where no cluster depends on w.

    Args:
        n_covariates: P, numbers that are known of each datum, standardised.
        n_components: K.

    Source: Dayton and Macready 1988, "Concomitant-variable latent-class models", Journal of the
    American Statistical Association 83.

    >>> logit = MembershipLogit(1, 2)
    >>> _ = logit.slope.data.copy_(torch.tensor([[0.0], [1.0]]))
    >>> logit(torch.tensor([[0.0], [3.0]])).tolist()
    [[0.0, 0.0], [0.0, 3.0]]
    """

    component_dims: ClassVar[Mapping[str, int]] = {"constant": 0, "slope": 0}

    def __init__(self, n_covariates: int, n_components: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(n_components))
        self.slope = nn.Parameter(torch.zeros(n_components, n_covariates))

    def forward(self, w: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch K"]:
        """Compute the tilt of each cluster, in nats."""
        return self.constant + w @ self.slope.T
