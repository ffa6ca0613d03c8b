from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import _arviz, compare, log_likelihood, sample, to_inference_data
from pyro_gmvae.evaluation._arviz import import_arviz
from pyro_gmvae.models import METHODS, ConcreteGMVAE
from tests.helpers.linear_gaussian import linear_gaussian


@pytest.mark.parametrize("method", METHODS)
def test_groups_and_round_trip(method: str, tmp_path: Path) -> None:
    gmvae = linear_gaussian(method)
    x, _ = sample(gmvae, 9, mean=False)
    idata = to_inference_data(gmvae, x, num_draws=12, num_samples=30, feature_names=list("abc"))
    assert idata.posterior["z"].dims == ("chain", "draw", "datum", "latent")
    assert idata.posterior["responsibilities"].shape == (1, 12, 9, 3)
    assert idata.posterior_predictive["x"].dims == ("chain", "draw", "datum", "feature")
    assert list(idata.observed_data["x"].coords["feature"].values) == list("abc")
    assert idata.sample_stats["pareto_k"].shape == (1, 1, 9)
    np.testing.assert_array_equal(idata.observed_data["x"].values, x.numpy())

    figures = log_likelihood(gmvae, x, num_samples=30)
    assert idata.log_likelihood["x"].shape == (1, 12, 9)
    assert (idata.log_likelihood["x"].values[0] == figures.log_p.numpy()).all()
    assert "importance-sampled" in idata.log_likelihood.attrs["note"]
    assert idata.log_likelihood.attrs["num_samples"] == 30

    idata.to_netcdf(str(tmp_path / "a.nc"))
    loaded = import_arviz().from_netcdf(str(tmp_path / "a.nc"))
    np.testing.assert_array_equal(loaded.posterior["z"].values, idata.posterior["z"].values)


def test_draws_follow_the_posterior() -> None:
    gmvae = linear_gaussian("exact")
    x, _ = sample(gmvae, 3, mean=False)
    z = to_inference_data(gmvae, x, num_draws=4000, num_samples=1).posterior["z"].values[0]
    with torch.no_grad():
        expected = gmvae.posterior(x).mean.numpy()
    assert (np.abs(z.mean(0) - expected) < 4 * z.std(0) / 4000**0.5).all()


def test_images_seeds_and_global_state() -> None:
    gmvae = ConcreteGMVAE((1, 2, 3), 2, 2, hidden=(8,))
    x = torch.rand(5, 1, 2, 3)
    state = torch.get_rng_state()
    first, again = (
        to_inference_data(
            gmvae,
            x,
            num_draws=3,
            num_samples=2,
            transform=torch.bernoulli,
            encode_mean=lambda raw: raw,
        )
        for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    new_x = first.posterior_predictive["x"]
    assert new_x.dims[2:] == ("datum", "channel", "height", "width")
    np.testing.assert_array_equal(new_x.values, again.posterior_predictive["x"].values)
    assert set(np.unique(first.observed_data["x"].values)) <= {0.0, 1.0}


def test_bad_arguments() -> None:
    gmvae, x = linear_gaussian("exact"), torch.zeros(2, 3)
    with pytest.raises(InputError, match="2 feature names for 3 features"):
        to_inference_data(gmvae, x, feature_names=["a", "b"])
    with pytest.raises(ValueError, match="num_draws"):
        to_inference_data(gmvae, x, num_draws=0)
    with pytest.raises(ValueError, match="two models"):
        compare({"one": gmvae}, x)


def test_compare_ranks_the_truth_first() -> None:
    truth, other = linear_gaussian("exact"), linear_gaussian("concrete", seed=7)
    x, _ = sample(truth, 200, mean=False, seed=1)
    table = compare({"other": other, "truth": truth}, x, num_samples=200)
    assert list(table.index) == ["truth", "other"]
    expected = {
        n: log_likelihood(m, x, num_samples=200)
        for n, m in {"truth": truth, "other": other}.items()
    }
    elpd = table.get("elpd_loo", table.get("elpd"))
    for name, figures in expected.items():
        assert elpd[name] == pytest.approx(figures.log_p.sum().item())
        assert table["se"][name] == pytest.approx(200 * figures.standard_error)
    assert table["weight"]["truth"] > 0.9
    difference = expected["truth"].log_p - expected["other"].log_p
    assert abs(table["elpd_diff"]["other"]) == pytest.approx(difference.sum().item())
    assert table["dse"]["other"] == pytest.approx(difference.std().item() * 200**0.5, rel=0.01)


def test_compare_does_not_underflow() -> None:
    """exp(log p) of an image is 0 in any precision; the weights must not notice."""
    models = {name: ConcreteGMVAE(2000, 2, 2, hidden=(8,)) for name in ("a", "b")}
    with torch.no_grad():
        models["b"].model.decoder.output.bias.fill_(3.0)
    x = torch.ones(5, 2000)
    table = compare(models, x, num_samples=5)
    assert list(table.index) == ["b", "a"]
    assert table["weight"]["b"] == pytest.approx(1.0, abs=1e-3)
    assert np.isfinite(table["elpd_diff"]).all()


@pytest.mark.parametrize("num_draws", [1, 2, 30])
def test_loo_and_compare_of_the_export_give_the_held_out_elpd(num_draws: int) -> None:
    """The parameters are one point, so leaving a datum out changes nothing, and ArviZ warns."""
    az = import_arviz()
    models = {"truth": linear_gaussian("exact"), "other": linear_gaussian("concrete", seed=7)}
    x, _ = sample(models["truth"], 100, mean=False, seed=1)
    elpds = {n: log_likelihood(m, x, num_samples=50) for n, m in models.items()}
    exports = {
        n: to_inference_data(m, x, num_draws=num_draws, num_samples=50) for n, m in models.items()
    }
    with pytest.warns(UserWarning, match="Pareto"):
        loo = az.loo(exports["truth"], pointwise=True)
        table = az.compare(exports)
    found = loo.elpd_loo if hasattr(loo, "elpd_loo") else loo.elpd
    assert float(found) == pytest.approx(elpds["truth"].log_p.sum().item())
    assert float(loo.se) == pytest.approx(100 * elpds["truth"].standard_error, rel=0.02)
    assert list(table.index) == ["truth", "other"]
    ranked = compare(models, x, num_samples=50)
    for name in models:
        assert table["weight"][name] == pytest.approx(ranked["weight"][name], abs=0.02)


def test_an_arviz_without_psis_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arviz, "import_arviz", lambda: ModuleType("arviz"))
    monkeypatch.setattr(_arviz, "import_module", lambda name: ModuleType(name))
    with pytest.raises(ImportError, match="Pareto k-hat needs"):
        _arviz.pareto_k(np.random.default_rng(0).normal(size=(2, 50)))


def test_arviz_1_weights_change_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its psislw takes log-likelihoods and negates them."""
    log_weights = np.random.default_rng(0).normal(size=(2, 50))
    expected = _arviz.pareto_k(log_weights)
    psislw = getattr(import_arviz(), "psislw", None)
    if psislw is None:
        pytest.skip("this is ArviZ 1.x: the other tests go that way")
    new = ModuleType("arviz_stats.base")
    new.array_stats = ModuleType("array_stats")
    new.array_stats.psislw = lambda log_likelihood: psislw(-log_likelihood)
    monkeypatch.setattr(_arviz, "import_arviz", lambda: ModuleType("arviz"))
    monkeypatch.setattr(_arviz, "import_module", lambda name: new)
    np.testing.assert_allclose(_arviz.pareto_k(log_weights), expected)


def test_neighbouring_seeds_share_no_noise() -> None:
    gmvae = linear_gaussian("exact")
    x, _ = sample(gmvae, 16, mean=False)

    def noise(seed: int) -> np.ndarray:
        idata = to_inference_data(gmvae, x, num_draws=200, num_samples=1, batch_size=8, seed=seed)
        z = torch.from_numpy(idata.posterior["z"].values[0])
        with torch.no_grad():
            mean = gmvae.model.p_x(z.to(gmvae.model.component_loc)).mean.numpy()
        return idata.posterior_predictive["x"].values[0] - mean

    # Seed 8's first batch and the second one of seed 0, which begins at row 8.
    a, b = noise(8)[:, :8].ravel(), noise(0)[:, 8:].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / len(a) ** 0.5
