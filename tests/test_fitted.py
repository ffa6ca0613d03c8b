"""A fitted model answers in the units of the data, whatever rows are beside a row."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pyro_gmvae import evaluation
from pyro_gmvae.about import About
from pyro_gmvae.data import Dataset, ImageEncoding, Schema, TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from tests.helpers.small import small_gmvae
from tests.helpers.tiny import blobs, tiny

SCALE, SHIFT = torch.tensor([0.1, 1.0, 20.0, 3.0]), torch.tensor([5.0, -1.0, 1000.0, 0.0])
RAW = blobs(40)[0].double() * SCALE + SHIFT
NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def table() -> FittedModel:
    encoding = TableEncoding.standardize(RAW, Schema.of_numbers(4, NAMES))
    return FittedModel(tiny("exact").eval(), encoding)


@pytest.fixture(scope="module")
def binarised() -> tuple[FittedModel, Tensor]:
    torch.manual_seed(0)
    gmvae = small_gmvae("sparse", input_dim=(1, 3, 3), likelihood="bernoulli").eval()
    x = torch.randint(0, 256, (30, 1, 3, 3), dtype=torch.uint8)
    return FittedModel(gmvae, ImageEncoding((1, 3, 3), "dynamic")), x


def test_a_density_in_raw_units(table: FittedModel) -> None:
    """log p(raw) = log p(x) - sum of log scale, by the same draws."""
    ours = table.log_likelihood(RAW, num_samples=200, diagnostics=False)
    x = table.encoding.encode_mean(RAW)
    theirs = FittedModel(table.gmvae, TableEncoding((4,)))
    volume = table.encoding.scale.log().sum().item()
    found = theirs.log_likelihood(x, num_samples=4000, diagnostics=False)
    error = (ours.log_p - found.log_p + volume).mean()
    assert error.abs() < 0.1  # the bound of fewer samples is a little lower
    assert ours.elbo == pytest.approx(found.elbo - volume, abs=0.3)


def test_a_row_has_one_figure_whatever_is_beside_it(
    table: FittedModel, binarised: tuple[FittedModel, Tensor]
) -> None:
    for fitted, x in ((table, RAW), binarised):
        whole = fitted.log_likelihood(x, num_samples=20, diagnostics=False).log_p
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))[:7]
        part = fitted.log_likelihood(x[order], num_samples=20, diagnostics=False).log_p
        torch.testing.assert_close(part, whole[order], atol=1e-5, rtol=1e-5)
        other = fitted.log_likelihood(x, num_samples=20, seed=1, diagnostics=False).log_p
        assert not torch.allclose(other, whole)


def test_scored_as_trained(binarised: tuple[FittedModel, Tensor]) -> None:
    """Over many seeds the figure is the mean over binarisations, not that of the rounded image."""
    fitted, x = binarised
    one = x[:1]
    drawn = torch.cat(
        [fitted.log_likelihood(one, num_samples=50, seed=s, diagnostics=False).log_p
         for s in range(300)]
    )  # fmt: skip
    copies = fitted.encoding(one.expand(300, -1, -1, -1), torch.Generator().manual_seed(3))
    truth = evaluation.log_likelihood(fitted.gmvae, copies, num_samples=50, diagnostics=False).log_p
    z = (drawn.mean() - truth.mean()) / ((drawn.var() + truth.var()) / 300).sqrt()
    assert z.abs() < 4


def test_rows_come_back_in_raw_units(table: FittedModel) -> None:
    x, y = table.sample(50, seed=3)
    on_scale, same = evaluation.sample(table.gmvae, 50, mean=False, seed=3)
    torch.testing.assert_close(x, table.encoding.decode(on_scale))
    assert torch.equal(y, same)
    means = table.encoding.decode(evaluation.cluster_means(table.gmvae))
    torch.testing.assert_close(table.means(), means)
    made = evaluation.reconstruct(table.gmvae, table.encoding.encode_mean(RAW))
    torch.testing.assert_close(table.reconstruct(RAW), table.encoding.decode(made))


def test_clusters_and_latents(table: FittedModel) -> None:
    x = table.encoding.encode_mean(RAW)
    with torch.no_grad():
        torch.testing.assert_close(table.responsibilities(RAW), table.gmvae.responsibilities(x))
        torch.testing.assert_close(table.embed(RAW), table.gmvae.posterior(x).mean)


def test_new_rows_are_brought_to_the_trained_columns(table: FittedModel) -> None:
    order = [2, 0, 3, 1]
    names = tuple(NAMES[i] for i in order)
    new = Dataset("new", RAW[:, order], None, TableEncoding, names)
    conformed = table.conform(new)
    assert torch.equal(conformed.x, RAW) and conformed.feature_names == NAMES
    for wrong, words in (
        (replace(new, feature_names=("c", "a", "d", "e")), "'e'.* lacks the column 'b'"),
        (replace(new, x=RAW[:, :3], feature_names=NAMES[:3]), "lacks the column 'd'"),
        (Dataset("photos", torch.zeros(2, 1, 3, 3), None, ImageEncoding), "has images of shape"),
    ):
        with pytest.raises(InputError, match=words):
            table.conform(wrong)


def test_another_precision_is_a_copy(table: FittedModel) -> None:
    assert table.to("cpu") is table
    double = table.to("cpu", torch.float64)
    assert double.gmvae is not table.gmvae
    assert double.responsibilities(RAW).dtype == torch.float64
    assert table.responsibilities(RAW).dtype == torch.float32
    torch.testing.assert_close(
        double.responsibilities(RAW).float(), table.responsibilities(RAW), atol=1e-5, rtol=1e-4
    )


def test_about_survives_json() -> None:
    about = About(
        name="digits",
        settings={"epochs": 3},
        class_names=("0", "1"),
        known_rows=(1, 5),
        stopped="patience",
        best_epoch=2.0,
        n_steps=30,
    )
    assert About.from_dict(json.loads(json.dumps(about.to_dict()))) == about
    with pytest.raises(InputError, match="magic"):
        About.from_dict({"magic": 1})
