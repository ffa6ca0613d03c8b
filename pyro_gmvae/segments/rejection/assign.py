"""Assign rows to segments, say how typical they are, and reject those that fit nowhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, Shaped
from torch import Tensor

from pyro_gmvae.data import Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.fitted import NUM_SAMPLES, FittedModel
from pyro_gmvae.process.alone import alone
from pyro_gmvae.segments.rejection.scores import MOST_HELD_OUT, known_cells, score_held_out

if TYPE_CHECKING:
    import pandas

__all__ = ["ClusterAssignment", "assign", "calibrate"]


@dataclass(frozen=True, eq=False)
class ClusterAssignment:
    """Hold the clusters of some rows.

    Attributes:
        cluster: the likeliest cluster of each row, -1 for a rejected one, shape ``(N,)``.
        likeliest: the likeliest cluster, of rejected rows too, shape ``(N,)``.
        probability: q(y|x) of the likeliest cluster, shape ``(N,)``.
        second: the second likeliest cluster, shape ``(N,)``; -1 if the model has one cluster.
        second_probability: q(y|x) of the second cluster, shape ``(N,)``; 0 if there is none.
        log_p: log p(x) of the known cells, in nats, in raw units, shape ``(N,)``; None if not
            asked for.
        typicality: the share of held-out rows that are less likely, in (0, 1], shape ``(N,)``; None
            if log p(x) was not asked for, or the model has no calibration.
        because: ``"unlike"`` if no cluster explains a row, ``"torn"`` if it lies between clusters,
            ``""`` if it is not rejected; None if no rows were to be rejected.

    >>> half = torch.tensor([0.5])
    >>> one = torch.tensor([1])
    >>> list(ClusterAssignment(one, one, half, 0 * one, half).to_frame())
    ['cluster', 'probability', 'second_cluster', 'second_probability']
    """

    cluster: Int64[Tensor, " N"]
    likeliest: Int64[Tensor, " N"]
    probability: Float[Tensor, " N"]
    second: Int64[Tensor, " N"]
    second_probability: Float[Tensor, " N"]
    log_p: Float64[Tensor, " N"] | None = None
    typicality: Float64[Tensor, " N"] | None = None
    because: tuple[str, ...] | None = None

    def to_frame(self) -> pandas.DataFrame:
        """Return a data frame of the columns of `to_arrays`."""
        import pandas

        columns = self.to_arrays().items()
        return pandas.DataFrame({n: list(v) if v.dtype == object else v for n, v in columns})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return an array of N for each figure that was asked for, by its name.

        A typicality that is unknown, for lack of a calibration, is NaN. The likeliest cluster has
        an array of its own only if rows were rejected.
        """
        columns = {"cluster": self.cluster.numpy()}
        if self.because is not None:
            columns["rejected_because"] = np.array(self.because, dtype=object)
            columns["likeliest_cluster"] = self.likeliest.numpy()
        columns |= {
            "probability": self.probability.numpy(),
            "second_cluster": self.second.numpy(),
            "second_probability": self.second_probability.numpy(),
        }
        if self.log_p is not None:
            unknown = torch.full_like(self.log_p, torch.nan)
            columns["log_p"] = self.log_p.numpy()
            typicality = unknown if self.typicality is None else self.typicality
            columns["typicality"] = typicality.numpy()
        return columns


@alone
def calibrate(
    fitted: FittedModel, splits: Splits, *, num_samples: int = NUM_SAMPLES
) -> Calibration | None:
    """Score the rows that a training held out, at most 2,000 of them, to compare new rows with.

    Rows for early stopping and for the test serve alike. The model knows the former only by the
    epoch at which it stopped.

    Args:
        fitted: the trained model.
        splits: the rows in their parts.
        num_samples: importance samples for each row, and later for each new row.

    Returns:
        The calibration; None if no row with a weight above zero was held out.

    >>> from pyro_gmvae.data import Dataset, TableEncoding, hold_out
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = Dataset("points", torch.randn(60, 2, dtype=torch.float64), None, TableEncoding)
    >>> train, test = hold_out(data, 0.5, "test", seed=0)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(train.x))
    >>> calibration = calibrate(fitted, Splits(train, data.subset(torch.arange(0)), test))
    >>> len(calibration)
    30
    """
    parts = (splits.validation, splits.test)
    x = torch.cat([part.x for part in parts])
    known = [part.w for part in parts if part.w is not None]
    weighted = [part.weights for part in parts if part.weights is not None]
    weights = torch.cat(weighted) if weighted else torch.ones(len(x), dtype=torch.float64)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    chosen = order[weights[order] > 0][:MOST_HELD_OUT]
    if not len(chosen):
        return None
    w = torch.cat(known)[chosen] if known else None
    scores = score_held_out(fitted, x[chosen], num_samples, w)
    return scores.calibration(num_samples, weights[chosen] if weighted else None)


@alone
def assign(
    fitted: FittedModel,
    x: Shaped[Tensor, "N *event"],
    w: Shaped[Tensor, "N Q"] | None = None,
    *,
    density: bool = False,
    reject: float | None = None,
    responsibilities: Float[Tensor, "N K"] | None = None,
) -> ClusterAssignment:
    """Assign each row to its likeliest cluster, or to none.

    A row's figures depend on the row alone, whatever rows are beside it.

    Args:
        fitted: the model.
        x: raw rows.
        w: their covariates, of a model that has some.
        density: whether to give log p(x) and typicality, which take 100 passes of the decoder.
        reject: the share of rows of the training's own source to reject, whose cluster is -1 (see
            `pyro_gmvae.evaluation.Calibration.reject`); None rejects none.
        responsibilities: q(y|x) of the rows, if it is known already.

    Raises:
        InputError: for a share out of range or too small for the held-out rows, or if rows are to
            be rejected and the model has no calibration.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]])
    >>> found = assign(FittedModel(gmvae.eval(), TableEncoding.standardize(x)), x, density=True)
    >>> found.cluster.shape, found.typicality is None
    (torch.Size([2]), True)
    """
    calibration = fitted.calibration
    if reject is not None:
        if calibration is None:
            raise InputError(
                "this model knows no rows that were held out of its training, so that it cannot "
                "tell which rows to reject: train it again, and hold rows out"
            )
        calibration.check_rate(reject)
    if responsibilities is None:
        responsibilities = fitted.responsibilities(x, w)
    probability, likeliest = responsibilities.max(-1)
    others = responsibilities.scatter(1, likeliest.unsqueeze(1), -1.0)
    second_probability, second = others.max(-1)
    if responsibilities.shape[1] == 1:
        second_probability, second = torch.zeros_like(probability), likeliest - 1
    found = ClusterAssignment(likeliest, likeliest, probability, second, second_probability)
    if not density and reject is None:
        return found
    return _with_density(found, fitted, x, w, reject)


def _with_density(
    found: ClusterAssignment,
    fitted: FittedModel,
    x: Tensor,
    w: Tensor | None,
    reject: float | None,
) -> ClusterAssignment:
    calibration = fitted.calibration
    num_samples = NUM_SAMPLES if calibration is None else calibration.num_samples
    log_p = fitted.log_likelihood(x, w, num_samples=num_samples, diagnostics=False).log_p
    found = replace(found, log_p=log_p)
    if calibration is None:
        return found
    comparable = calibration.comparable(log_p, known_cells(fitted, x))
    found = replace(found, typicality=calibration.typicality(comparable))
    if reject is None:
        return found
    rejection = calibration.reject(comparable, found.probability, reject)
    cluster = torch.where(rejection.rejected, -1, found.likeliest)
    return replace(found, cluster=cluster, because=tuple(rejection.because))
