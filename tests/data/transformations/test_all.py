"""What every transformation promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.data.transformations import (
    ColourJitter,
    Compose,
    RandomAffine,
    RandomCrop,
    RandomFlip,
)

EXACT = [RandomFlip(), RandomCrop(2, "zeros"), RandomCrop(2, "edge"), RandomCrop(2)]
STEPS = [
    *EXACT,
    RandomAffine(degrees=20, translate=0.1, scale=(0.8, 1.2), shear=10),
    ColourJitter(0.4, 0.4, 0.4),
]
ALL = [*STEPS, Compose((STEPS[-2], RandomCrop(2), RandomFlip(), STEPS[-1]))]

every = pytest.mark.parametrize("t", ALL, ids=str)
Transformation = Callable[[Tensor], Tensor]


def same_images(n: int = 16, channels: int = 3) -> Tensor:
    return torch.rand(1, channels, 8, 8).expand(n, -1, -1, -1)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_keeps_shape_type_and_the_input(
    t: Transformation, dtype: torch.dtype, channels: int
) -> None:
    x = same_images(channels=channels).to(dtype)
    before = x.clone()
    out = t(x)
    assert out.shape == x.shape and out.dtype == dtype
    assert torch.equal(x, before)


@pytest.mark.parametrize("t", EXACT, ids=str)
def test_raw_images_stay_raw(t: Transformation) -> None:
    x = torch.randint(0, 256, (16, 3, 8, 8), dtype=torch.uint8)
    torch.manual_seed(1)
    raw = t(x)
    torch.manual_seed(1)
    assert raw.dtype == torch.uint8
    assert torch.equal(raw.double(), t(x.double()))


@every
def test_the_seed_decides(t: Transformation) -> None:
    x, outs = same_images(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        outs.append(t(x))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


@every
def test_images_of_a_batch_differ(t: Transformation) -> None:
    out = t(same_images(64))
    kinds = len(out.unique(dim=0))
    assert kinds == 2 if isinstance(t, RandomFlip) else kinds > 20


@every
def test_is_traced_to_one_graph_that_draws_anew(t: Transformation) -> None:
    x = torch.rand(16, 3, 8, 8)
    graph = make_fx(t, tracing_mode="fake", pre_dispatch=True)(x)
    outs = []
    for f in (t, graph):
        torch.manual_seed(3)
        outs.append((f(x), f(x)))
    torch.testing.assert_close(outs[1], outs[0])
    assert not torch.equal(*outs[1])


@every
def test_reads_nothing_back(t: Transformation) -> None:
    # A meta tensor has no values: whatever looked at one would raise.
    assert t(same_images().to("meta")).shape == (16, 3, 8, 8)


@every
def test_has_a_gradient(t: Transformation) -> None:
    x = torch.rand(4, 3, 8, 8, requires_grad=True)
    t(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and x.grad.abs().sum() > 0


@pytest.mark.gpu
@every
def test_on_a_gpu_without_a_sync(t: Transformation) -> None:
    x = torch.rand(16, 3, 8, 8, device="cuda")
    t(x)
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert t(x).is_cuda
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_one_after_the_other() -> None:
    x = same_images()
    torch.manual_seed(0)
    together = Compose((RandomFlip(), RandomCrop(2)))(x)
    torch.manual_seed(0)
    assert torch.equal(together, RandomCrop(2)(RandomFlip()(x)))
    assert torch.equal(Compose(())(x), x)


def test_equal_settings_are_equal() -> None:
    assert Compose((RandomFlip(0.3),)) == Compose((RandomFlip(0.3),)) != Compose((RandomFlip(),))
    assert str(RandomCrop(2)) == "RandomCrop(padding=2, mode='reflect')"
