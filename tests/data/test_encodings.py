import json
from dataclasses import replace

import pytest
import torch
from torch.distributions import Normal

from pyro_gmvae.data import (
    Dataset,
    Encoding,
    ImageEncoding,
    Schema,
    TableEncoding,
    encoding_from_config,
)
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
    x = ImageEncoding((1, 4, 4))(IMAGES)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, IMAGES.float() / 255)


def test_dynamic_binarisation_is_a_fresh_bernoulli_draw() -> None:
    encoding = ImageEncoding((1, 4, 4), "dynamic")
    generator = seeded(0)
    n = 4000
    draws = torch.stack([encoding(IMAGES, generator) for _ in range(n)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    p = IMAGES.float() / 255
    z = (draws.mean(0) - p) / (p * (1 - p) / n).sqrt().clamp(min=1e-6)
    assert z.abs().max() < 4.5
    assert z.square().mean() < 1.6


def test_black_stays_0_and_white_stays_1() -> None:
    encoding = ImageEncoding((2,), "dynamic")
    raw = torch.tensor([0, 255], dtype=torch.uint8).expand(10_000, 2)
    assert torch.equal(encoding(raw, seeded(0)), raw.float() / 255)


def test_generator_decides_the_draw() -> None:
    encoding = ImageEncoding((1, 4, 4), "dynamic")
    before = torch.get_rng_state()
    assert torch.equal(encoding(IMAGES, seeded(3)), encoding(IMAGES, seeded(3)))
    assert not torch.equal(encoding(IMAGES, seeded(3)), encoding(IMAGES, seeded(4)))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    first = encoding(IMAGES)
    torch.manual_seed(5)
    assert torch.equal(first, encoding(IMAGES))


def test_static_binarisation_is_the_same_every_time() -> None:
    encoding = ImageEncoding((1, 4, 4), "static")
    assert torch.equal(encoding(IMAGES), (IMAGES >= 128).float())
    assert torch.equal(encoding.encode_mean(IMAGES), encoding(IMAGES))
    assert torch.equal(encoding.encode_scored(IMAGES), encoding(IMAGES))
    torch.testing.assert_close(encoding.scaled(IMAGES), IMAGES.float() / 255)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sound"},
        {"binarize": "often"},
        {"event_shape": 3},
        {"event_shape": [0]},
        {"event_shape": ["3"]},
        {"event_shape": [True]},
        {"columns": [{"name": "a", "kind": "real"}]},
        {"columns": [{"name": None, "kind": "text"}] * 3},
        {"columns": [{"name": 3, "kind": "real"}] * 3},
        {"columns": [{"nom": None}] * 3},
        {"columns": None},
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_refuses_a_tampered_config(change: dict) -> None:
    config = TableEncoding((3,)).to_config()
    assert encoding_from_config(config).event_shape == (3,)
    words = "not one that this version writes|columns? .*(damaged|not known|not those)"
    with pytest.raises(InputError, match=f"({words}).*: train again"):
        encoding_from_config(config | change)
    with pytest.raises(InputError, match="train again"):
        encoding_from_config({k: v for k, v in config.items() if k not in change})


def test_standardised_columns() -> None:
    x = TableEncoding.standardize(TABLE)(TABLE)
    torch.testing.assert_close(x.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(0, correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_constant_column_is_only_shifted() -> None:
    raw = torch.tensor([[0.1, 1.0]] * 7 + [[0.1, 3.0]])
    encoding = TableEncoding.standardize(raw)
    assert encoding.scale[0] == 1.0
    torch.testing.assert_close(encoding(raw)[:, 0], torch.zeros(8))


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        (ImageEncoding((1, 4, 4)), IMAGES),
        (TableEncoding.standardize(TABLE), TABLE),
        (TableEncoding((3,)), TABLE),
    ],
)
def test_decode(encoding: Encoding, raw: torch.Tensor) -> None:
    torch.testing.assert_close(encoding.decode(encoding(raw)).float(), raw.float())
    enumerated = encoding(raw).expand(5, 2, *raw.shape)
    torch.testing.assert_close(encoding.decode(enumerated)[4, 1].float(), raw.float())


def test_a_column_far_from_zero_keeps_what_varies() -> None:
    far = TABLE.double() + 1.7e9
    encoding = TableEncoding.standardize(far)
    torch.testing.assert_close(encoding(far), TableEncoding.standardize(TABLE)(TABLE))
    torch.testing.assert_close(encoding.decode(encoding(far)), far, rtol=0, atol=1e-4)
    assert encoding(far).dtype == torch.float32


def test_log_abs_det_turns_a_density_to_raw_units() -> None:
    encoding = TableEncoding.standardize(TABLE)
    on_model_scale = Normal(0.0, 1.0).log_prob(encoding(TABLE)).sum(-1)
    in_raw_units = Normal(encoding.shift.float(), encoding.scale).log_prob(TABLE).sum(-1)
    volume = encoding.log_abs_det(TABLE)
    torch.testing.assert_close(on_model_scale + volume.float(), in_raw_units)
    jacobian = torch.autograd.functional.jacobian(encoding, TABLE[0])
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, volume[0].float())


def test_image_densities_are_on_0_to_1() -> None:
    assert ImageEncoding((1, 4, 4)).log_abs_det(IMAGES).tolist() == [0.0] * len(IMAGES)


def test_follows_the_dtype_of_the_module() -> None:
    encoding = ImageEncoding((1, 4, 4), "dynamic").double()
    assert encoding(IMAGES).dtype == torch.float64
    assert encoding.encode_mean(IMAGES).dtype == torch.float64
    assert TableEncoding.standardize(TABLE).double()(TABLE).dtype == torch.float64


@pytest.mark.parametrize(
    "encoding",
    [
        ImageEncoding((1, 4, 4), "static"),
        TableEncoding.standardize(TABLE),
        ImageEncoding((1, 4, 4)),
    ],
)
def test_survives_json_and_state_dict(encoding: Encoding) -> None:
    again = encoding_from_config(json.loads(json.dumps(encoding.to_config())))
    again.load_state_dict(encoding.state_dict())
    raw = IMAGES if len(encoding.event_shape) == 3 else TABLE
    assert torch.equal(again(raw), encoding(raw))
    assert again.to_config() == encoding.to_config()
    assert torch.equal(again.log_abs_det(raw), encoding.log_abs_det(raw))
    assert not list(encoding.parameters())


def test_forward_reads_nothing_back() -> None:
    # A meta tensor has no values: whatever looked at one would raise.
    for binarize in ("dynamic", "static", "none"):
        encoding = ImageEncoding((1, 4, 4), binarize).to("meta")
        assert encoding(IMAGES.to("meta")).shape == IMAGES.shape


def test_the_config_of_nothing_known() -> None:
    with pytest.raises(InputError, match="train again"):
        encoding_from_config(None)


# Scored rows.


def test_scored_rows_are_bernoulli_draws() -> None:
    encoding = ImageEncoding((1, 4, 4), "dynamic")
    n = 2000
    draws = torch.stack([encoding.encode_scored(IMAGES, seed=seed) for seed in range(n)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    p = IMAGES.float() / 255
    z = (draws.mean(0) - p) / (p * (1 - p) / n).sqrt().clamp(min=1e-6)
    assert z.abs().max() < 4.5
    assert z.square().mean() < 1.6


def test_scored_rows_depend_on_the_seed_and_the_row_alone() -> None:
    encoding = ImageEncoding((1, 4, 4), "dynamic")
    before = torch.get_rng_state()
    scored = encoding.encode_scored(IMAGES, seed=3)
    for some in ([4, 2], [5, 4, 3, 2, 1, 0], [1], [0, 0, 3]):
        assert torch.equal(encoding.encode_scored(IMAGES[some], seed=3), scored[some])
    assert torch.equal(encoding.encode_scored(IMAGES.clone(), seed=3), scored)
    assert not torch.equal(encoding.encode_scored(IMAGES, seed=4), scored)
    assert encoding.encode_scored(IMAGES[:0]).shape == (0, 1, 4, 4)
    assert torch.equal(before, torch.get_rng_state())
    changed = IMAGES.clone()
    changed[0, 0, 0, 0] ^= 1
    assert not torch.equal(encoding.encode_scored(changed, seed=3)[0], scored[0])


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [(ImageEncoding((1, 4, 4)), IMAGES), (TableEncoding.standardize(TABLE), TABLE)],
)
def test_what_is_not_binarised_is_scored_as_it_is(encoding: Encoding, raw: torch.Tensor) -> None:
    assert torch.equal(encoding.encode_scored(raw), encoding(raw))
    assert torch.equal(encoding.encode_mean(raw), encoding(raw))


def test_a_dynamic_binarisation_has_its_probabilities_for_a_mean() -> None:
    encoding = ImageEncoding((1, 4, 4), "dynamic")
    torch.testing.assert_close(encoding.encode_mean(IMAGES), IMAGES.float() / 255)


# Gaps.


def with_gaps() -> torch.Tensor:
    raw = TABLE.clone()
    raw[torch.rand(TABLE.shape, generator=seeded(2)) < 0.2] = torch.nan
    return raw


def test_gaps_are_left_out_of_shift_and_scale() -> None:
    raw = with_gaps()
    encoding = TableEncoding.standardize(raw)
    for column in range(3):
        known = raw[:, column][~raw[:, column].isnan()].double()
        torch.testing.assert_close(encoding.shift[column], known.mean())
        torch.testing.assert_close(encoding.scale[column], known.std(correction=0).float())


def test_gaps_stay_gaps() -> None:
    raw = with_gaps()
    encoding = TableEncoding.standardize(raw)
    for encode in (encoding, encoding.encode_mean, encoding.encode_scored):
        assert torch.equal(encode(raw).isnan(), raw.isnan())
    x = encoding.encode_mean(raw)
    assert torch.equal(encoding.decode(x).isnan(), raw.isnan())
    torch.testing.assert_close(x.nanmean(0), torch.zeros(3), atol=1e-5, rtol=0)


def test_a_constant_column_with_gaps_is_only_shifted() -> None:
    encoding = TableEncoding.standardize(torch.tensor([[0.1], [torch.nan], [0.1]]))
    assert encoding.scale[0] == 1.0


def test_a_gap_is_no_value_to_refuse() -> None:
    raw = torch.tensor([[0.5], [torch.nan]])
    TableEncoding((1,)).check(raw, "unit_interval", "continuous_bernoulli")
    with pytest.raises(InputError, match=r"continuous_bernoulli .* in \[0, 1\], one here is 1.5"):
        TableEncoding((1,)).check(raw + 1, "unit_interval", "continuous_bernoulli")


# What a likelihood wants.


def images(channels: int) -> Dataset:
    levels = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1)
    return Dataset("pictures", levels.expand(256, channels, 2, 2), None, ImageEncoding)


def table(*rows: list[float]) -> Dataset:
    return Dataset("numbers", torch.tensor(rows), None, TableEncoding)


def test_levels_go_to_k_over_255() -> None:
    encoding = ImageEncoding.fit(images(1), "levels")
    assert encoding.binarize == "none"
    x = encoding(images(1).x)
    assert torch.equal(x[:, 0, 0, 0], torch.arange(256) / 255)
    assert (encoding.log_abs_det(images(1).x) == 0).all()  # a probability has no units


@pytest.mark.parametrize("likelihood", ["discretized_logistic", "discretized_logistic_mixture"])
def test_8_bit_likelihoods_are_for_grey_levels_of_images(likelihood: str) -> None:
    words = f"the {likelihood} likelihood is for 8-bit images and numbers is a table: use a"
    with pytest.raises(InputError, match=words):
        TableEncoding.fit(table([0.0, 255.0], [1.0, 2.0]), "levels", likelihood=likelihood)
    with pytest.raises(InputError, match="is for grey levels: use binarize none"):
        ImageEncoding.fit(images(3), "levels", likelihood=likelihood, binarize="dynamic")


def test_images_refuse_what_does_not_suit_the_likelihood() -> None:
    with pytest.raises(InputError, match="bernoulli .* black and white pixels: use binarize dyn"):
        ImageEncoding.fit(images(1), "binary", likelihood="bernoulli", binarize="none")
    with pytest.raises(
        InputError, match="poisson likelihood is for counts and pictures has images"
    ):
        ImageEncoding.fit(images(1), "count", likelihood="poisson")


@pytest.mark.parametrize(
    ("support", "binarize", "binarized"),
    [
        ("binary", None, "dynamic"),
        ("binary", "static", "static"),
        ("unit_interval", None, "none"),
        ("unit_interval", "none", "none"),
        ("real", None, "none"),
    ],
)
def test_images_are_binarised_for_zeros_and_ones(support, binarize, binarized: str) -> None:
    assert ImageEncoding.fit(images(1), support, binarize=binarize).binarize == binarized


@pytest.mark.parametrize(
    ("support", "rows", "words"),
    [
        ("binary", [[0.0], [2.0]], r"values in \[0, 1\], one here is 2"),
        ("unit_interval", [[0.5], [-0.1]], r"values in \[0, 1\], one here is -0.1"),
        ("count", [[0.0], [1.5]], "whole numbers from 0 on, one here is 1.5"),
        ("count", [[0.0], [-1.0]], "whole numbers from 0 on, one here is -1"),
    ],
)
def test_tables_refuse_values_that_the_likelihood_does_not_take(
    support, rows: list[list[float]], words: str
) -> None:
    with pytest.raises(InputError, match=f"The given likelihood wants {words}: scale"):
        TableEncoding.fit(table(*rows), support, likelihood="given")


@pytest.mark.parametrize("support", ["binary", "unit_interval", "count"])
def test_numbers_that_a_likelihood_takes_are_left_alone(support) -> None:
    data = table([0.0, 1.0], [1.0, 1.0])
    encoding = TableEncoding.fit(data, support)
    assert torch.equal(encoding.encode_mean(data.x), data.x)
    assert encoding.binarize == ("dynamic" if support == "binary" else "none")


def test_real_numbers_are_standardised() -> None:
    data = Dataset("numbers", TABLE, None, TableEncoding, ("a", "b", "c"))
    encoding = TableEncoding.fit(data, "real")
    assert torch.equal(encoding(TABLE), TableEncoding.standardize(TABLE)(TABLE))
    assert encoding.feature_names == ("a", "b", "c")
    assert ImageEncoding((1, 4, 4)).feature_names is None


@pytest.mark.parametrize("binarize", ["dynamic", "static"])
def test_tables_are_not_binarised(binarize) -> None:
    with pytest.raises(InputError, match="numbers is a table: only images are binarised"):
        TableEncoding.fit(table([0.0], [1.0]), "binary", binarize=binarize)


# New rows.


def test_columns_are_brought_into_the_order_of_training() -> None:
    encoding = TableEncoding.standardize(TABLE, Schema.of_numbers(3, ("a", "b", "c")))
    data = Dataset("new", TABLE[:, [2, 0, 1]], None, TableEncoding, ("c", "a", "b"))
    conformed = encoding.conform(data)
    assert torch.equal(conformed.x, TABLE)
    assert conformed.feature_names == ("a", "b", "c")
    assert encoding.conform(conformed) is conformed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Dataset("new", TABLE[:, :2], None, TableEncoding), "new has 2 columns, the model was"),
        (images(1), r"pictures has images of shape \(1, 2, 2\), the model was trained on 3 col"),
        (
            Dataset("new", TABLE, None, TableEncoding, ("a", "b", "d")),
            "new has a column 'd' that the model does not know and lacks the column 'c'",
        ),
    ],
)
def test_other_rows_do_not_conform(data: Dataset, words: str) -> None:
    encoding = TableEncoding.standardize(TABLE, Schema.of_numbers(3, ("a", "b", "c")))
    with pytest.raises(InputError, match=words):
        encoding.conform(data)


def test_images_conform_by_their_size() -> None:
    assert ImageEncoding((1, 2, 2)).conform(images(1)).event_shape == (1, 2, 2)
    grey = ImageEncoding((3, 2, 2)).conform(images(1))
    assert grey.event_shape == (3, 2, 2) and torch.equal(grey.x, images(3).x)
    with pytest.raises(InputError, match=r"shape \(3, 2, 2\), .* trained on images of shape \(1,"):
        ImageEncoding((1, 2, 2)).conform(images(3))
    with pytest.raises(InputError, match="like those it was trained on$"):
        ImageEncoding((1, 4, 4)).conform(images(1))
    named = replace(images(1), row_names=("a.png",) * 256)  # from a folder
    with pytest.raises(InputError, match="like those it was trained on, or --image-size 4$"):
        ImageEncoding((1, 4, 4)).conform(named)
