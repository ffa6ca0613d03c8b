r"""Say which columns made a row a member of its cluster rather than of the next likely one.

The evidence of column j is :math:`\log p(x_j | y) - \log p(x_j | y')`, with the law of the column
in a cluster, :math:`p(x_j | y) = \int p(x_j | z) \, p(z | y) \, dz`, averaged over draws of z. It
depends on the generative model alone, so that it is the same for all methods of inference. The log
ratio of the responsibilities is the sum of the columns' evidence, of the clusters' sizes and of a
rest. Where columns are independent given the cluster and q(y|x) is the posterior, the rest is 0.
Else it is what the columns tell together, beyond each alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from pyro_gmvae.data import TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.modes import eval_mode
from pyro_gmvae.process.alone import alone

__all__ = ["Evidence", "row_evidence"]

DRAWS = 512  # of z in a cluster
CHUNK = 2**22  # numbers in the largest tensor


@dataclass(frozen=True)
class Evidence:
    """Hold why a row is in its cluster; all evidence is in nats, positive for its cluster.

    Attributes:
        cluster, probability: the likeliest cluster and its responsibility.
        next_cluster, next_probability: the second one.
        columns: the evidence of each column, by its name, the largest first.
        size: the log ratio of p(y): larger clusters are likelier. With covariates it is that of
            p(y|w).
        rest: what is left of the log ratio of the responsibilities.

    >>> evidence = Evidence(0, 0.9, 1, 0.1, (("age", 1.5), ("spend", 0.5)), size=0.2, rest=0.0)
    >>> evidence.columns[0], evidence.to_dict()["columns"]
    (('age', 1.5), [['age', 1.5], ['spend', 0.5]])
    """

    cluster: int
    probability: float
    next_cluster: int
    next_probability: float
    columns: tuple[tuple[str, float], ...]
    size: float
    rest: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"columns": [list(pair) for pair in self.columns]}


@alone
@torch.no_grad()
def row_evidence(
    fitted: FittedModel, x: Shaped[Tensor, "N *event"], w: Shaped[Tensor, "N Q"] | None = None
) -> list[Evidence]:
    """Return the evidence of each row of a table.

    Args:
        fitted: a model of a table, of two clusters or more.
        x: rows ``(N, D)`` in raw units that conform to the model.
        w: their covariates, of a model that has some.

    Raises:
        InputError: for images, or a model of one cluster.

    >>> from pyro_gmvae.data import Schema
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> found = row_evidence(FittedModel(gmvae.eval(), encoding), x)[0]
    >>> sorted(name for name, _ in found.columns)
    ['age', 'spend']
    """
    encoding, model = fitted.encoding, fitted.gmvae.model
    if not isinstance(encoding, TableEncoding):
        raise InputError("the columns of a table tell clusters apart, images have none")
    if fitted.gmvae.n_components < 2:
        raise InputError("with one cluster there is no next one: train with two clusters or more")
    q = fitted.responsibilities(x, w).double()
    top = q.topk(2, -1)
    like = model.component_loc
    encoded = encoding.encode_mean(x.to(like.device)).to(like.dtype)
    with eval_mode(fitted.gmvae):
        log_p = _by_column(_column_log_prob(fitted, encoded, top.indices), encoding)
    difference = (log_p[0] - log_p[1]).double()
    log_p_y = model.log_p_y(*fitted.given(w)).double().cpu().expand_as(q)
    of_top = log_p_y.gather(-1, top.indices)
    size = of_top[:, 0] - of_top[:, 1]
    ratio = (top.values[:, 0] / top.values[:, 1].clamp(min=1e-30)).log()
    rest = ratio - size - difference.sum(-1)
    names = encoding.schema.shown_names
    found = []
    for i in range(len(x)):
        pairs = zip(names, difference[i].tolist(), strict=True)
        ordered = tuple(sorted(pairs, key=lambda pair: -abs(pair[1])))
        (first, second), (p, p_next) = top.indices[i].tolist(), top.values[i].tolist()
        found.append(Evidence(first, p, second, p_next, ordered, size[i].item(), rest[i].item()))
    return found


def _column_log_prob(
    fitted: FittedModel, x: Float[Tensor, "N model"], clusters: Int[Tensor, "N 2"]
) -> Float[Tensor, "2 N model"]:
    """Compute log p(x_j | y) of each cell under the two clusters of its row, on the CPU."""
    model = fitted.gmvae.model
    normal = _normal_draws(fitted.gmvae.latent_dim).to(x)
    made = torch.zeros(2, *x.shape, dtype=torch.float64)
    for k in clusters.unique().tolist():
        z = model.component_loc[k] + model.component_scale[k] * normal
        cells = model.p_x(z.unsqueeze(1)).base_dist  # (S, 1, model)
        for side in (0, 1):
            rows = (clusters[:, side] == k).nonzero().flatten()
            for part in rows.split(max(1, CHUNK // (DRAWS * x.shape[1]))):
                log_p = cells.log_prob(x[part.to(x.device)]).double().logsumexp(0)
                made[side, part] = (log_p - torch.tensor(float(DRAWS)).log()).cpu()
    return made


def _normal_draws(latent_dim: int) -> Float[Tensor, "S Z"]:
    """Return quasi-random normal draws, whose means are nearer to integrals than random ones."""
    sobol = torch.quasirandom.SobolEngine(latent_dim, scramble=True, seed=0)
    return torch.special.ndtri(sobol.draw(DRAWS).double().clamp(1e-6, 1 - 1e-6))


def _by_column(each: Float[Tensor, "2 N model"], encoding: TableEncoding) -> Tensor:
    """Sum the columns on model scale that one column of the table has become."""
    if encoding.mixed is None:
        return each
    places = torch.tensor(encoding.mixed.places)
    made = each.new_zeros(*each.shape[:-1], len(encoding.schema))
    return made.index_add(-1, places, each)
