"""Uniform numbers that depend on the seed and the row alone."""

import numpy as np
import pytest
import torch

from pyro_gmvae.noise import RowNoise, row_keys

K_SE = 4.0
LIKE = torch.zeros(())


def test_uniform_and_independent_of_the_chunks() -> None:
    for dtype in (torch.float32, torch.float64):
        like = torch.zeros((), dtype=dtype)
        whole = RowNoise(0, range(3), 4).draw(1000, like)
        assert whole.dtype is dtype
        parts = RowNoise(0, range(3), 4)
        assert torch.equal(whole, torch.cat([parts.draw(n, like) for n in (1, 333, 666)]))
        assert torch.equal(whole[:, 2:], RowNoise(0, [2], 4).draw(1000, like))
        assert whole.min() > 0
        assert whole.max() < 1
        assert (whole.mean() - 0.5).abs() < K_SE * (1 / 12 / whole.numel()) ** 0.5
        assert (whole.var() - 1 / 12).abs() < K_SE * (1 / 180 / whole.numel()) ** 0.5


def test_the_same_in_float32_and_float64_up_to_rounding() -> None:
    single = RowNoise(0, range(3), 4).draw(1000, LIKE)
    double = RowNoise(0, range(3), 4).draw(1000, LIKE.double())
    assert not torch.equal(single.double(), double)
    torch.testing.assert_close(single.double(), double, atol=2**-24, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1 - 2**-53])
def test_never_0_or_1(dtype: torch.dtype, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least and the largest number that NumPy draws; float32 would round the latter to 1."""

    class Extreme:
        def random(self, shape: tuple[int, ...]) -> np.ndarray:
            return np.full(shape, value)

    noise = RowNoise(0, [0], 2)
    monkeypatch.setattr(noise, "streams", [Extreme()])
    drawn = noise.draw(3, torch.zeros((), dtype=dtype))
    assert drawn.dtype is dtype and drawn.shape == (3, 1, 2)
    assert (drawn > 0).all() and (drawn < 1).all()
    assert torch.special.ndtri(drawn.double()).isfinite().all()


def test_seed_key_and_stream_are_independent() -> None:
    def draws(seed: int, key: int, stream: int = 0) -> torch.Tensor:
        return RowNoise(seed, [key], 1, stream=stream).draw(2000, LIKE.double()).flatten()

    different = [draws(0, 0), draws(1, 0), draws(0, 1), draws(0, 0, 1)]
    # Keys of rows are digests: large ones that differ in the last digit have streams of their own.
    different += [draws(0, 2**64 - 1), draws(0, 2**64 - 2), draws(0, 2**63)]
    correlations = torch.corrcoef(torch.stack(different)).triu(1)
    assert correlations.abs().max() < K_SE / 2000**0.5
    assert torch.equal(draws(-1, 3), draws(2**64 - 1, 3))  # any integer is a seed


def test_no_global_generator_is_touched() -> None:
    before, ours = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    RowNoise(0, [1], 2).draw(3, LIKE)
    assert torch.equal(before, torch.get_rng_state())
    assert (ours == np.random.get_state()[1]).all()  # noqa: NPY002


def test_no_rows_have_no_noise() -> None:
    assert RowNoise(0, [], 2).draw(3, LIKE).shape == (3, 0, 2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_keys_go_by_the_values_of_a_row(dtype: torch.dtype) -> None:
    x = torch.randint(0, 256, (50, 3, 2), generator=torch.Generator().manual_seed(0)).to(dtype)
    keys = row_keys(x)
    assert len(set(keys)) == 50
    assert all(0 <= key < 2**64 for key in keys)
    assert row_keys(x[[7, 3, 7]]) == [keys[7], keys[3], keys[7]]
    assert row_keys(x.transpose(1, 2).contiguous().transpose(1, 2)) == keys  # of any strides
    assert row_keys(x[:0]) == []


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_rows_beyond_float32_have_keys_of_their_own(unit: float) -> None:
    x = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    a, b, c, _ = row_keys(x * unit)
    assert a == c != b
    # A key depends on the row alone, not on what the others need.
    mixed = torch.cat([x * unit, x])
    assert row_keys(mixed) == row_keys(x * unit) + row_keys(x.float())
