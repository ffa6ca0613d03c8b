"""The guards of conftest.py guard."""

from collections.abc import Callable

import jaxtyping
import pyro
import pytest
import torch

from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import ExactGMVAE
from tests.helpers.global_state import unchanged_global_state


@pytest.mark.parametrize(
    "change",
    [
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_grad_enabled(False),
        lambda: pyro.settings.set(module_local_params=True),
        lambda: pyro.enable_validation(False),
    ],
)
def test_changed_global_state_fails_and_is_restored(change: Callable[[], None]) -> None:
    with pytest.raises(AssertionError, match="left changed"), unchanged_global_state():
        change()
    with unchanged_global_state():
        pass
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()
    assert not pyro.settings.get("module_local_params")


def test_wrong_shapes_are_caught() -> None:
    model = ExactGMVAE(4, 3, 2, hidden=(5,)).model
    with pytest.raises(jaxtyping.TypeCheckError):
        model.log_p_z(torch.zeros(2, dtype=torch.long))
    with pytest.raises(jaxtyping.TypeCheckError):
        model.log_p_z(torch.zeros(()))


def test_users_see_no_shape_checks(unchecked_shapes: None) -> None:
    with pytest.raises(Exception) as error:
        ExactGMVAE(4, 3, 2, hidden=(5,)).model.p_z("no tensor")
    assert not isinstance(error.value, jaxtyping.TypeCheckError)


def test_numbers_and_words_are_left_to_the_library() -> None:
    assert Schedule(duration=3).duration == 3
    with pytest.raises(ValueError, match="unknown schedule"):
        Schedule("sudden")
