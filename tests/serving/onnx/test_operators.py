"""What the room computes by operations of ONNX is what torch computes by its own functions."""

import pytest
import torch

from pyro_gmvae.serving.onnx import operators

DOUBLE = {"dtype": torch.float64}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["log1p", "expm1"])
def test_small_numbers_lose_no_digits(name, dtype):
    x = torch.logspace(-30, 1, 500, dtype=dtype)
    x = torch.cat([-x[x < 0.9], torch.zeros(1, dtype=dtype), x])
    eps = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(
        getattr(operators, name)(x), getattr(torch, name)(x), rtol=eps, atol=0
    )


def test_the_ends_of_the_functions():
    inf = torch.inf
    assert operators.log1p(torch.tensor([inf, -1.0])).tolist() == [inf, -inf]
    assert operators.expm1(torch.tensor([inf, -inf])).tolist() == [inf, -1.0]
    far = torch.tensor([-1e4, 1e4])
    torch.testing.assert_close(operators.log_sigmoid(far), torch.nn.functional.logsigmoid(far))


@pytest.mark.parametrize("right", [False, True])
def test_places_are_those_of_a_search(right):
    ordered = torch.tensor([[0.0, 1.0, 2.0, torch.inf], [-1.0, 0.5, 0.75, 4.0]], **DOUBLE)
    values = torch.tensor([[-1.0, 0.0, 1.5, 2.0, 9.0], [torch.nan, 0.5, 4.0, 5.0, -9.0]], **DOUBLE)
    expected = torch.searchsorted(ordered, values, right=right)
    assert operators.places(ordered, values, right=right).tolist() == expected.tolist()
