"""The ranks of new rows among held-out rows are right for every distribution."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.evaluation.calibration import CERTAIN

NO_GAPS = torch.zeros(0, dtype=torch.float64)


def calibration(log_p: Tensor, certainty: Tensor) -> Calibration:
    return Calibration(log_p.double(), certainty.double(), NO_GAPS, num_samples=10)


def unusual(log_p: Tensor, certainty: Tensor) -> Tensor:
    """u of each row among all of them, by the definition of `Calibration.reject`."""
    capped = certainty.where(certainty < CERTAIN, 1.0)
    a = (log_p.unsqueeze(0) <= log_p.unsqueeze(1)).sum(1)
    b = (capped.unsqueeze(0) <= capped.unsqueeze(1)).sum(1)
    return torch.minimum(2 * a - 1, 2 * b)


@pytest.mark.parametrize("n", [1, 7, 40])
def test_a_rank_is_that_among_the_held_out_rows_and_the_new_one(n: int) -> None:
    generator = torch.Generator().manual_seed(n)
    log_p = torch.randn(n + 30, generator=generator, dtype=torch.float64)
    certainty = torch.rand(n + 30, generator=generator, dtype=torch.float64)
    held = calibration(log_p[:n], certainty[:n])
    for new in range(n, n + 30):
        rows = [*range(n), new]
        u = unusual(log_p[rows], certainty[rows])
        p = float((u <= u[-1]).sum()) / (n + 1)
        # The row is rejected from its own p-value on.
        for rate in (p - 1e-9, p + 1e-9):
            if 1 / (n + 1) <= rate < 1:
                found = held.reject(log_p[[new]], certainty[[new]], rate)
                assert bool(found.rejected) == (p <= rate)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2, 0.37])
@pytest.mark.parametrize("torn", [0.0, 0.03, 1.0])
def test_the_rate_on_new_rows_is_exact_whatever_the_share_of_uncertain_rows(
    rate: float, torn: float
) -> None:
    """By exchangeability, up to the error of 400 calibrations of 199 rows."""
    generator = torch.Generator().manual_seed(1)
    rejected = []
    for _ in range(400):
        log_p = torch.randn(499, generator=generator).exp()
        u = torch.rand(499, generator=generator)
        # Uncertain rows are less likely too.
        certainty = torch.where(u < torn, 0.3 + 0.5 * u + 0.01 * log_p, 0.97)
        held = calibration(log_p[:199], certainty[:199])
        rejected.append(held.reject(log_p[199:], certainty[199:], rate).rejected.double().mean())
    each = torch.stack(rejected)
    error = each.std() / 400**0.5
    assert abs(each.mean() - rate) < 4 * error  # 200 rate is a whole number
    assert each.std() < 4 * (rate * (1 - rate) / 199) ** 0.5


def test_ties_never_reject_more_than_asked() -> None:
    generator = torch.Generator().manual_seed(2)
    rejected = []
    for _ in range(300):
        log_p = torch.randint(4, (399,), generator=generator).double()
        certainty = 0.5 + 0.1 * torch.randint(4, (399,), generator=generator)
        held = calibration(log_p[:99], certainty[:99])
        rejected.append(held.reject(log_p[99:], certainty[99:], 0.3).rejected.double().mean())
    assert torch.stack(rejected).mean() < 0.3


def test_typicality_is_uniform_on_new_rows() -> None:
    generator = torch.Generator().manual_seed(3)
    log_p = torch.randn(4000, generator=generator)
    held = calibration(log_p[:1000], torch.ones(1000))
    t = held.typicality(log_p[1000:])
    assert t.min() >= 1 / 1001 and t.max() <= 1
    for share in (0.05, 0.3, 0.7):
        assert abs((t <= share).double().mean() - share) < 4 * (share * (1 - share) / 800) ** 0.5


def test_certain_rows_are_never_torn_and_likely_uncertain_ones_are() -> None:
    log_p = torch.arange(99.0)
    held = calibration(log_p, torch.linspace(0.91, 1.0, 99))
    new = torch.tensor([98.5, 98.5, -1.0, -1.0])
    found = held.reject(new, torch.tensor([0.901, 0.6, 0.999, 0.3]), 0.05)
    assert found.because == ["", "torn", "unlike", "unlike"]


def test_a_row_without_a_density_is_unlike() -> None:
    held = calibration(torch.arange(99.0), torch.ones(99))
    new = held.comparable(torch.tensor([torch.nan, -torch.inf]), torch.ones(2, 0).bool())
    assert held.typicality(new).tolist() == [0.01, 0.01]
    assert held.reject(new, torch.ones(2), 0.05).because == ["unlike", "unlike"]


def test_known_cells_lose_their_mean() -> None:
    held = Calibration(
        torch.zeros(9).double(), torch.ones(9), torch.tensor([-11.0, 2.0]).double(), 10
    )
    known = torch.tensor([[True, True], [False, True], [False, False]])
    found = held.comparable(torch.tensor([-9.0, 2.0, 0.0]), known)
    assert found.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_no_share(rate: float) -> None:
    held = calibration(torch.zeros(99), torch.ones(99))
    with pytest.raises(InputError, match="reject must be"):
        held.check_rate(rate)


def test_a_share_too_small_for_the_rows() -> None:
    held = calibration(torch.zeros(49), torch.ones(49))
    held.check_rate(0.02)
    with pytest.raises(InputError, match="reject 0.01 of the rows takes 99 rows .* has 49"):
        held.check_rate(0.01)
