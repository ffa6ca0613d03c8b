from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from pyro_gmvae.inference import KLAnnealing, Schedule


def test_constant() -> None:
    schedule = Schedule("constant", start=0.1, end=0.7, duration=10)
    assert [schedule.at(step, 5) for step in (0, 3, 500)] == [0.7] * 3
    assert schedule.end_step(5) == 0


@pytest.mark.parametrize(("unit", "end"), [("steps", 20), ("epochs", 100)])
@pytest.mark.parametrize("shape", ["linear", "cosine", "cyclical"])
def test_starts_and_ends_where_it_says(shape: Any, unit: Any, end: int) -> None:
    schedule = Schedule(shape, start=0.2, end=1.2, duration=20, unit=unit)
    assert schedule.end_step(5) == end
    assert schedule.at(0, 5) == pytest.approx(0.2)
    assert schedule.at(end, 5) == schedule.at(10 * end, 5) == 1.2
    assert all(0.2 <= schedule.at(step, 5) <= 1.2 for step in range(end))


def test_linear_and_cosine_by_hand() -> None:
    linear = Schedule("linear", start=2.0, end=1.0, duration=4, unit="steps")
    assert [linear.at(s, 1) for s in range(6)] == [2.0, 1.75, 1.5, 1.25, 1.0, 1.0]
    cosine = Schedule("cosine", start=1.0, end=3.0, duration=4, unit="steps")
    expected = [1, 1 + (1 - 0.5**0.5), 2, 2 + 0.5**0.5, 3]
    assert [cosine.at(s, 1) for s in range(5)] == pytest.approx(expected)
    assert all(a < b for a, b in pairwise(cosine.at(s, 1) for s in range(5)))


def test_cycles_rise_over_their_first_half() -> None:
    schedule = Schedule("cyclical", start=1.0, end=2.0, duration=16, unit="steps", cycles=2)
    cycle = [1.0, 1.25, 1.5, 1.75, 2.0, 2.0, 2.0, 2.0]
    assert [schedule.at(s, 1) for s in range(16)] == pytest.approx(2 * cycle)


def test_part_of_an_epoch() -> None:
    assert Schedule("linear", duration=0.5).end_step(7) == 4
    assert Schedule("linear", start=0.5, duration=0).at(0, 7) == 1.0


def test_kl_annealing_rises_from_almost_nothing_to_one() -> None:
    schedule = KLAnnealing()
    assert isinstance(schedule, Schedule)
    assert schedule.at(0, 10) == pytest.approx(1e-3)
    assert schedule.at(schedule.end_step(10), 10) == 1.0
    assert schedule.end_step(10) == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": "sudden"}, "unknown schedule 'sudden'"),
        ({"unit": "hours"}, 'unit must be "epochs" or "steps"'),
        ({"start": 0.0}, "values must be positive, got 0.0 to 1.0; start at a small number"),
        ({"end": -1.0}, "values must be positive"),
        ({"start": float("nan")}, "start must be a number, got nan"),
        ({"duration": -1.0}, "duration must be at least 0, got -1.0"),
        ({"cycles": 0}, "cycles must be at least 1, got 0"),
    ],
)
@pytest.mark.parametrize("kind", [Schedule, KLAnnealing])
def test_refuses(kind: type[Schedule], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**options)
