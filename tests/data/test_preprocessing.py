import json

import pytest
import torch
from torch.distributions import Normal

from pyro_gmvae.data import Preprocessor
from pyro_gmvae.errors import InputError

IMAGES = torch.randint(
    0, 256, (6, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
TABLE = (
    torch.randn(200, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([0.1, 1.0, 50.0])
    + 7.0
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_grey_images_are_in_0_to_1() -> None:
    x = Preprocessor.for_images((1, 4, 4))(IMAGES)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, IMAGES.float() / 255)


def test_dynamic_binarisation_is_a_fresh_bernoulli_draw() -> None:
    pre = Preprocessor.for_images((1, 4, 4), "dynamic")
    generator = seeded(0)
    n = 4000
    draws = torch.stack([pre(IMAGES, generator) for _ in range(n)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    p = IMAGES.float() / 255
    z = (draws.mean(0) - p) / (p * (1 - p) / n).sqrt().clamp(min=1e-6)
    assert z.abs().max() < 4.5
    assert z.square().mean() < 1.6


def test_black_stays_0_and_white_stays_1() -> None:
    pre = Preprocessor.for_images((2,), "dynamic")
    raw = torch.tensor([0, 255], dtype=torch.uint8).expand(10_000, 2)
    assert torch.equal(pre(raw, seeded(0)), raw.float() / 255)


def test_generator_decides_the_draw() -> None:
    pre = Preprocessor.for_images((1, 4, 4), "dynamic")
    before = torch.get_rng_state()
    assert torch.equal(pre(IMAGES, seeded(3)), pre(IMAGES, seeded(3)))
    assert not torch.equal(pre(IMAGES, seeded(3)), pre(IMAGES, seeded(4)))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    first = pre(IMAGES)
    torch.manual_seed(5)
    assert torch.equal(first, pre(IMAGES))


def test_static_binarisation_is_the_same_every_time() -> None:
    pre = Preprocessor.for_images((1, 4, 4), "static")
    assert torch.equal(pre(IMAGES), (IMAGES >= 128).float())
    torch.testing.assert_close(pre.mean_input(IMAGES), IMAGES.float() / 255)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sound"},
        {"binarize": "often"},
        {"event_shape": 3},
        {"event_shape": [0]},
        {"event_shape": ["3"]},
        {"event_shape": [True]},
    ],
)
def test_refuses_a_tampered_config(change: dict) -> None:
    config = Preprocessor.identity((3,)).to_config()
    assert Preprocessor.from_config(config).event_shape == (3,)
    with pytest.raises(InputError, match="not one that this version writes: train again"):
        Preprocessor.from_config(config | change)
    with pytest.raises(InputError, match="train again"):
        Preprocessor.from_config({k: v for k, v in config.items() if k not in change})


def test_standardised_columns() -> None:
    x = Preprocessor.standardize(TABLE)(TABLE)
    torch.testing.assert_close(x.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(0, correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_constant_column_is_only_shifted() -> None:
    raw = torch.tensor([[0.1, 1.0]] * 7 + [[0.1, 3.0]])
    pre = Preprocessor.standardize(raw)
    assert pre.scale[0] == 1.0
    torch.testing.assert_close(pre(raw)[:, 0], torch.zeros(8))


@pytest.mark.parametrize(
    ("pre", "raw"),
    [
        (Preprocessor.for_images((1, 4, 4)), IMAGES),
        (Preprocessor.standardize(TABLE), TABLE),
        (Preprocessor.identity((3,)), TABLE),
    ],
)
def test_inverse(pre: Preprocessor, raw: torch.Tensor) -> None:
    torch.testing.assert_close(pre.inverse(pre(raw)).float(), raw.float())
    enumerated = pre(raw).expand(5, 2, *raw.shape)
    torch.testing.assert_close(pre.inverse(enumerated)[4, 1].float(), raw.float())


def test_a_column_far_from_zero_keeps_what_varies() -> None:
    far = TABLE.double() + 1.7e9
    pre = Preprocessor.standardize(far)
    torch.testing.assert_close(pre(far), Preprocessor.standardize(TABLE)(TABLE))
    torch.testing.assert_close(pre.inverse(pre(far)), far, rtol=0, atol=1e-4)
    assert pre(far).dtype == torch.float32


def test_log_abs_det_turns_a_density_to_raw_units() -> None:
    pre = Preprocessor.standardize(TABLE)
    on_model_scale = Normal(0.0, 1.0).log_prob(pre(TABLE)).sum(-1)
    in_raw_units = Normal(pre.shift.float(), pre.scale).log_prob(TABLE).sum(-1)
    torch.testing.assert_close(on_model_scale + pre.log_abs_det(), in_raw_units)
    jacobian = torch.autograd.functional.jacobian(pre, TABLE[0])
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, pre.log_abs_det())


def test_image_densities_are_on_0_to_1() -> None:
    assert Preprocessor.for_images((1, 4, 4)).log_abs_det() == 0.0


def test_follows_the_dtype_of_the_module() -> None:
    pre = Preprocessor.for_images((1, 4, 4), "dynamic").double()
    assert pre(IMAGES).dtype == torch.float64
    assert pre.mean_input(IMAGES).dtype == torch.float64
    assert Preprocessor.standardize(TABLE).double()(TABLE).dtype == torch.float64


@pytest.mark.parametrize(
    "pre",
    [
        Preprocessor.for_images((1, 4, 4), "static"),
        Preprocessor.standardize(TABLE),
        Preprocessor.identity((1, 4, 4)),
    ],
)
def test_survives_json_and_state_dict(pre: Preprocessor) -> None:
    again = Preprocessor.from_config(json.loads(json.dumps(pre.to_config())))
    again.load_state_dict(pre.state_dict())
    raw = IMAGES if len(pre.event_shape) == 3 else TABLE
    assert torch.equal(again(raw), pre(raw))
    assert again.to_config() == pre.to_config()
    assert torch.equal(again.log_abs_det(), pre.log_abs_det())
    assert not list(pre.parameters())


def test_forward_reads_nothing_back() -> None:
    # A meta tensor has no values: whatever looked at one would raise.
    for binarize in ("dynamic", "static", "none"):
        pre = Preprocessor.for_images((1, 4, 4), binarize).to("meta")
        assert pre(IMAGES.to("meta")).shape == IMAGES.shape
