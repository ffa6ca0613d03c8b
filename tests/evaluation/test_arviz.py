from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import numpy as np
import pyro.distributions as dist
import pytest
import torch
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import (
    _arviz,
    compare,
    compare_likelihoods,
    log_likelihood,
    sample,
    to_inference_data,
)
from pyro_gmvae.evaluation._arviz import import_arviz, is_before_1
from pyro_gmvae.models import METHODS, ConcreteGMVAE, GenerativeModel
from tests.helpers.linear_gaussian import linear_gaussian

GROUPS = (
    *("posterior", "posterior_predictive", "prior", "prior_predictive"),
    *("sample_stats", "observed_data"),
)


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

    assert idata.prior["z"].dims == ("chain", "draw", "datum", "latent")
    assert idata.prior["cluster"].dims == ("chain", "draw", "datum")
    assert idata.prior_predictive["x"].dims == idata.posterior_predictive["x"].dims

    figures = log_likelihood(gmvae, x, num_samples=30)
    assert (idata.sample_stats["log_p"].values[0, 0] == figures.log_p.numpy()).all()
    assert "importance-sampled" in idata.sample_stats.attrs["note"]
    assert idata.sample_stats.attrs["num_samples"] == 30

    idata.to_netcdf(str(tmp_path / "a.nc"))
    loaded = import_arviz().from_netcdf(str(tmp_path / "a.nc"))
    for group in GROUPS:
        for name, values in idata[group].data_vars.items():
            np.testing.assert_array_equal(loaded[group][name].values, values.values)
            assert loaded[group][name].dims == values.dims
    assert loaded.sample_stats.attrs["note"] == idata.sample_stats.attrs["note"]


def test_draws_follow_the_posterior() -> None:
    gmvae = linear_gaussian("exact")
    x, _ = sample(gmvae, 3, mean=False)
    z = to_inference_data(gmvae, x, num_draws=4000, num_samples=1).posterior["z"].values[0]
    with torch.no_grad():
        expected = gmvae.posterior(x).mean.numpy()
    assert (np.abs(z.mean(0) - expected) < 4 * z.std(0) / 4000**0.5).all()


def test_prior_draws_follow_the_model() -> None:
    """The prior predictive of a linear model is a mixture of Gaussians with a known mean."""
    gmvae = linear_gaussian("sparse")
    idata = to_inference_data(gmvae, torch.zeros(5, 3), num_draws=3000, num_samples=1)
    drawn = idata.prior["cluster"].values.ravel()
    p_y = gmvae.model.log_p_y().exp().detach().numpy()
    share = np.bincount(drawn, minlength=3) / len(drawn)
    assert (np.abs(share - p_y) < 4 * np.sqrt(p_y * (1 - p_y) / len(drawn))).all()

    z = idata.prior["z"].values.reshape(-1, 2)
    with torch.no_grad():
        for k in range(3):
            own = z[drawn == k]
            error = own.std(0) / len(own) ** 0.5
            assert (np.abs(own.mean(0) - gmvae.model.component_loc[k].numpy()) < 4 * error).all()
        expected = gmvae.model.decoder(torch.as_tensor(p_y) @ gmvae.model.component_loc).numpy()
    x = idata.prior_predictive["x"].values.reshape(-1, 3)
    assert (np.abs(x.mean(0) - expected) < 4 * x.std(0) / len(x) ** 0.5).all()


def test_prior_draws_are_independent_and_can_be_left_out() -> None:
    gmvae = linear_gaussian("exact")
    x, _ = sample(gmvae, 40, mean=False)
    first, other = (
        to_inference_data(gmvae, x, num_draws=50, num_samples=1, batch_size=8, seed=seed)
        for seed in (0, 1)
    )
    pairs = [(first, "posterior_predictive"), (other, "prior_predictive")]
    drawn = first.prior_predictive["x"].values[..., 0].ravel()
    for idata, group in pairs:
        again = idata[group]["x"].values[..., 0].ravel()
        assert abs(np.corrcoef(drawn, again)[0, 1]) < 5 / len(drawn) ** 0.5
    bare = to_inference_data(gmvae, x, num_draws=2, num_samples=1, prior=False)
    assert not hasattr(bare, "prior") and not hasattr(bare, "prior_predictive")


def test_prior_draws_take_covariates() -> None:
    class Doubled(GenerativeModel):
        def p_x(self, z: Tensor, by: Tensor) -> dist.TorchDistribution:
            return dist.Normal(self.decoder(z) * 0 + by.unsqueeze(-1), 0.1).to_event(1)

    class DoubledGMVAE(ConcreteGMVAE):
        model_class = Doubled

    by = torch.arange(6.0)
    gmvae = DoubledGMVAE(2, 2, 2, hidden=(4,), likelihood="gaussian")
    idata = to_inference_data(gmvae, torch.zeros(6, 2), covariates=(by,), batch_size=4)
    means = idata.prior_predictive["x"].values.mean((0, 1))
    np.testing.assert_allclose(means, by.unsqueeze(-1).expand(6, 2), atol=0.05)


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


def test_likelihoods_of_one_table_are_compared() -> None:
    models = {"truth": linear_gaussian("exact"), "other": linear_gaussian("exact", seed=7)}
    x, _ = sample(models["truth"], 60, mean=False, seed=1)
    results = {n: log_likelihood(m, x, num_samples=50) for n, m in models.items()}
    assert compare_likelihoods(results).equals(compare(models, x, num_samples=50))
    with pytest.raises(InputError, match="different numbers of rows"):
        compare_likelihoods(results | {"few": log_likelihood(models["truth"], x[:9])})
    unchecked = log_likelihood(models["truth"], x, diagnostics=False)
    with pytest.raises(InputError, match="needs Pareto k-hat"):
        compare_likelihoods(results | {"unchecked": unchecked})
    with pytest.raises(ValueError, match="two models"):
        compare_likelihoods({"truth": results["truth"]})


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


def test_loo_is_refused() -> None:
    """The parameters are one point: nothing can be reweighted, and training rows would pass."""
    az = import_arviz()
    gmvae = linear_gaussian("exact")
    x, _ = sample(gmvae, 20, mean=False)
    idata = to_inference_data(gmvae, x, num_draws=30, num_samples=5)
    for refused in (lambda: az.loo(idata), lambda: az.compare({"a": idata, "b": idata})):
        with pytest.raises(Exception, match="log[_ ]likelihood|ELPD"):
            refused()
    assert "az.loo refuses" in idata.sample_stats.attrs["note"]


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


def test_many_models_are_compared_and_drawn() -> None:
    """From twelve models on, ArviZ 1.x tests whether the best one was best by chance."""
    models = {f"seed {i}": linear_gaussian("exact", seed=i) for i in range(12)}
    x, _ = sample(models["seed 3"], 150, mean=False, seed=1)
    table = compare(models, x, num_samples=50)
    assert table.index[0] == "seed 3" and len(table) == 12
    assert table["weight"].sum() == pytest.approx(1, abs=1e-2)
    if is_before_1(az := import_arviz()):
        axes = az.plot_compare(table)
        assert [label.get_text() for label in axes.get_yticklabels()] == list(table.index)
        plt.close("all")
