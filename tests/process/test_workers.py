"""Calls in other processes give what they give here: results, warnings, errors."""

import os
import warnings

import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.process.workers import in_processes, jobs_that_fit
from pyro_gmvae.training import NonFiniteLossError


def squared(number: int) -> tuple[int, int, int]:
    if number == 3:
        warnings.warn("three is odd", UserWarning, stacklevel=1)
    return number**2, os.getpid(), torch.get_num_threads()


def refused(error: Exception) -> None:
    raise error


def test_results_and_warnings() -> None:
    threads = torch.get_num_threads()
    with pytest.warns(UserWarning, match="three is odd"):
        found = dict(in_processes(squared, [(i,) for i in range(5)], jobs=2))
    assert {place: result[0] for place, result in found.items()} == {i: i**2 for i in range(5)}
    assert os.getpid() not in {result[1] for result in found.values()}
    assert {result[2] for result in found.values()} == {max(1, threads // 2)}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("give more rows"), "give more rows"),
        (NonFiniteLossError(7, "z"), "not finite at step 7: it comes from site 'z'"),
    ],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_errors(error: Exception, message: str, jobs: int) -> None:
    with pytest.raises(type(error), match=message):
        list(in_processes(refused, [(error,), (error,)], jobs))


def test_jobs_go_as_far_as_the_memory() -> None:
    assert jobs_that_fit(10**6, 0) >= 1
    assert jobs_that_fit(10**6, 2**50) == 1
