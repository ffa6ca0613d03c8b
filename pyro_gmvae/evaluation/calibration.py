r"""Place new rows among held-out rows, by p-values that hold for any distribution.

A model's own probabilities may be wrong. Ranks among rows that it was not trained on are right
whatever the model is: a new row of the same source is as likely to be at one rank as at another.

Reference: Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World (conformal
prediction); Laxhammar & Falkman 2010, on conformal outlier detection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.ranges import real

__all__ = ["CERTAIN", "Calibration", "Rejection"]

CERTAIN = 0.9  # a row whose likeliest cluster has this probability is not torn


@dataclass(frozen=True, eq=False)
class Rejection:
    """Hold which rows are rejected, and why.

    Attributes:
        rejected: shape ``(N,)``.
        unlike: whether a row's log p(x) is the more unusual of its two figures, and not its
            uncertainty, shape ``(N,)``; of rows that are not rejected too.

    >>> Rejection(torch.tensor([True, True, False]), torch.tensor([True, False, True])).because
    ['unlike', 'torn', '']
    """

    rejected: Bool[Tensor, " N"]
    unlike: Bool[Tensor, " N"]

    @property
    def because(self) -> list[str]:
        """Return ``"unlike"``, ``"torn"``, or ``""`` for each row."""
        words = ["unlike" if unlike else "torn" for unlike in self.unlike.tolist()]
        return [w if r else "" for w, r in zip(words, self.rejected.tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Calibration:
    r"""Hold figures of n rows that a model was not trained on, to compare new rows with.

    Attributes:
        log_p: log p(x) of each, in nats; with gaps less the sum of ``cell_log_p`` over the cells
            that are known, shape ``(n,)``.
        certainty: the probability of the likeliest cluster of each, shape ``(n,)``.
        cell_log_p: the mean log p(x_j given z) of each column, in nats, in raw units, shape
            ``(D,)``; shape ``(0,)`` for data without gaps.
        num_samples: importance samples behind each log p(x). New rows need as many.

    >>> log_p = torch.arange(9.0, dtype=torch.float64)
    >>> calibration = Calibration(log_p, torch.full((9,), 0.95), log_p[:0], num_samples=100)
    >>> calibration.typicality(torch.tensor([-5.0, 3.5, 9.0])).tolist()
    [0.1, 0.5, 1.0]
    >>> new, certainty = torch.tensor([-5.0, 3.5, 9.0]), torch.tensor([0.99, 0.99, 0.4])
    >>> calibration.reject(new, certainty, 0.1).because
    ['unlike', '', '']
    >>> calibration.reject(new, certainty, 0.3).because
    ['unlike', '', 'torn']
    """

    log_p: Float64[Tensor, " n"]
    certainty: Float[Tensor, " n"]
    cell_log_p: Float64[Tensor, " D"]
    num_samples: int

    def __len__(self) -> int:
        return len(self.log_p)

    def comparable(
        self, log_p: Float[Tensor, " N"], known: Bool[Tensor, "N D"]
    ) -> Float64[Tensor, " N"]:
        """Make log p(x) of rows with different gaps comparable.

        A density has units: without the cell of an income, log p(x) rises by ten nats. So each
        known cell's mean log p(x_j given z) is taken off.

        Args:
            log_p: log p of the known cells of each row, in nats, in raw units.
            known: which cells are known; any if the data have no gaps.
        """
        # NaN is no number to sort by; such a row is unlike all others.
        log_p = log_p.double().nan_to_num(nan=-torch.inf)
        if not len(self.cell_log_p):
            return log_p
        return log_p - known.double() @ self.cell_log_p

    def typicality(self, log_p: Float[Tensor, " N"]) -> Float64[Tensor, " N"]:
        r"""Return the share of held-out rows that are less likely, as a conformal p-value.

        .. math:: t(x) = \frac{1 + \#\{i: \log p(x_i) \le \log p(x)\}}{n + 1}

        A new row of the same source has t at most a with probability at most a, for every a.

        Args:
            log_p: as `comparable` gives it.
        """
        return _rank(self.log_p, log_p).double() / (len(self) + 1)

    def reject(
        self, log_p: Float[Tensor, " N"], certainty: Float[Tensor, " N"], rate: float
    ) -> Rejection:
        r"""Reject the rows that are among the ``rate`` most unlike or torn ones.

        Among the n held-out rows and the new one let a be the rank of its log p(x), and b that of
        its certainty; from 0.9 up all certainties are alike. It is as unusual as the smaller one
        says: u = min(2a - 1, 2b), so that at equal ranks low likelihood goes first. A row is
        rejected if the rank of its u is at most rate (n + 1). Ranks of one row among n + 1
        exchangeable ones are uniform. So a new row of the same source is rejected with probability
        floor(rate (n + 1)) / (n + 1), or less if figures are tied, whatever the model is.

        Args:
            log_p: as `comparable` gives it.
            certainty: the probability of the likeliest cluster of each row.
            rate: the share of rows to reject, between 0 and 1.

        Raises:
            InputError: for another rate, or one below 1 / (n + 1), which n rows cannot tell.
        """
        self.check_rate(rate)
        a, b = _rank(self.log_p, log_p), _rank(self._held_certainty, _capped(certainty))
        unusual = torch.minimum(2 * a - 1, 2 * b)
        unlike = unusual == 2 * a - 1
        by_likelihood, by_certainty = self._unusual
        rank = torch.where(unlike, _rank(by_likelihood, unusual), _rank(by_certainty, unusual))
        return Rejection(rank.double() / (len(self) + 1) <= rate, unlike)

    def check_rate(self, rate: float) -> None:
        """Refuse a rate that is none, or too small for so few held-out rows.

        Raises:
            InputError: naming the rows that are needed.
        """
        real("reject", rate, above=0, below=1)
        if rate * (len(self) + 1) < 1:
            raise InputError(
                f"to reject {rate:g} of the rows takes {ceil(1 / rate) - 1} rows that were held "
                f"out of training, and this model has {len(self)}: reject a larger share, or train "
                "on more rows"
            )

    @cached_property
    def _held_certainty(self) -> Tensor:
        return _capped(self.certainty)

    @cached_property
    def _unusual(self) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
        """Return u of the held-out rows, as a new row makes it that is unlike, or that is torn.

        The new row moves all ranks above its own up by one. Up to its u only those matter that
        may equal its own rank: a of an unlike row, b of a torn one.
        """
        a = _rank(self.log_p, self.log_p) - 1
        b = _rank(self._held_certainty, self._held_certainty) - 1
        return torch.minimum(2 * a + 1, 2 * b), torch.minimum(2 * a - 1, 2 * b + 2)


def _rank(held: Tensor, new: Tensor) -> Int64[Tensor, " N"]:
    """Return 1 plus the number of held-out figures that are at most each new one."""
    return 1 + torch.searchsorted(held.sort().values, new.to(held.dtype), right=True)


def _capped(certainty: Tensor) -> Float64[Tensor, " N"]:
    return torch.where(certainty >= CERTAIN, 1.0, certainty.double())
