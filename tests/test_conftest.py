"""The guards of conftest.py guard."""

import jaxtyping
import pytest
import torch

from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import ExactGMVAE

pytest_plugins: list[str] = []

LEAVES_TRACES = """
import pyro, torch

def test_dtype():
    torch.set_default_dtype(torch.float64)

def test_setting():
    pyro.settings.set(module_local_params=True)

def test_param_store():
    pyro.param("p", torch.zeros(()))

def test_declared(param_store):
    assert torch.get_default_dtype() is torch.float32
    assert not pyro.settings.get("module_local_params")
    pyro.param("p", torch.zeros(()))
"""


def test_wrong_shapes_are_caught() -> None:
    gmvae = ExactGMVAE(4, 3, 2, hidden=(5,))
    with pytest.raises(jaxtyping.TypeCheckError):
        gmvae.model.p_y_given_z("not a tensor")
    with pytest.raises(jaxtyping.TypeCheckError):
        gmvae.model.log_p_z(torch.zeros((), dtype=torch.long))


def test_wrong_words_are_left_to_the_library() -> None:
    assert Schedule(duration=3).duration == 3
    with pytest.raises(ValueError, match="unknown schedule"):
        Schedule("sudden")
