import json
import subprocess
import sys

import pyro
import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import embed, evaluate, responsibilities
from pyro_gmvae.models import METHODS, ExactGMVAE
from tests.helpers.linear_gaussian import linear_gaussian

ALWAYS = {
    "log_likelihood",
    "log_likelihood_se",
    "num_samples",
    "effective_sample_size",
    "pareto_k_bad_fraction",
    "elbo",
    "clusters_in_use",
    "entropy_y",
    "entropy_y_given_x",
    "mutual_information",
    "n",
}


@pytest.mark.parametrize("method", METHODS)
def test_figures_are_json(method: str) -> None:
    x = torch.randn(11, 3, dtype=torch.float64)
    figures = evaluate(linear_gaussian(method), x, num_samples=30).to_dict()
    assert set(figures) == ALWAYS
    assert figures["n"] == 11
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


@pytest.mark.parametrize("likelihood", ["discretized_logistic", "discretized_logistic_mixture"])
def test_probabilities_of_levels_are_given_in_bits(likelihood: str) -> None:
    gmvae = ExactGMVAE((3, 2, 2), 3, 2, hidden=(8,), likelihood=likelihood)
    x = torch.randint(256, (11, 3, 2, 2), dtype=torch.uint8)
    figures = evaluate(gmvae, x, num_samples=30, transform=lambda raw: raw / 255).to_dict()
    assert set(figures) == ALWAYS | {"bits_per_dim"}
    # 12 entries, each two to the power of minus this.
    assert 2 ** (-12 * figures["bits_per_dim"]) == pytest.approx(
        torch.tensor(figures["log_likelihood"]).double().exp().item(), rel=1e-4
    )
    # Untrained, it knows nothing: about the 8 bits that a level takes.
    assert 7 < figures["bits_per_dim"] < 10


def test_bits_that_are_not_finite_are_null() -> None:
    gmvae = ExactGMVAE(4, 3, 2, hidden=(8,), likelihood="discretized_logistic")
    with torch.no_grad():
        gmvae.model.decoder.output.bias.fill_(float("inf"))
    with pyro.validation_enabled(False):
        figures = evaluate(gmvae, torch.zeros(3, 4), num_samples=2).to_dict()
    assert figures["bits_per_dim"] is None


def test_labels_add_scores() -> None:
    gmvae, x = linear_gaussian("exact"), torch.randn(6, 3, dtype=torch.float64)
    labels = responsibilities(gmvae, x).argmax(-1)
    figures = evaluate(gmvae, x, labels=labels, num_samples=2).to_dict()
    found = [figures[name] for name in ("accuracy", "purity", "nmi", "ari")]
    assert found == pytest.approx([1, 1, 1, 1])
    assert (
        "accuracy" not in evaluate(gmvae, x, labels=-torch.ones(6).long(), num_samples=2).to_dict()
    )
    with pytest.raises(InputError, match="5 labels for 6 data"):
        evaluate(gmvae, x, labels=labels[:5], num_samples=2)


def test_one_datum_has_no_standard_error() -> None:
    figures = evaluate(linear_gaussian("exact"), torch.zeros(1, 3), num_samples=1).to_dict()
    assert figures["log_likelihood_se"] is None


def test_clusters_come_from_the_clean_input() -> None:
    gmvae, x = ExactGMVAE(4, 3, 2, hidden=(8,)), torch.rand(20, 4)
    result = evaluate(
        gmvae, x, num_samples=2, transform=torch.bernoulli, encode_mean=lambda raw: raw
    )
    clean = responsibilities(gmvae, x).double()
    assert result.usage.entropy_y == pytest.approx(torch.special.entr(clean.mean(0)).sum().item())


@pytest.mark.parametrize("method", METHODS)
def test_latents_in_batches(method: str) -> None:
    gmvae = METHODS[method](4, 3, 2, hidden=(8,))
    x = torch.randint(0, 255, (11, 4), dtype=torch.uint8)
    options = {"transform": lambda raw: raw / 255.0, "batch_size": 3}
    q_y, z = responsibilities(gmvae, x, **options), embed(gmvae, x, **options)
    assert q_y.shape == (11, 3)
    assert z.shape == (11, 2)
    with torch.no_grad():
        torch.testing.assert_close(q_y, gmvae.responsibilities(x / 255.0))
        torch.testing.assert_close(z, gmvae.posterior(x / 255.0).mean)


def test_import_is_light() -> None:
    code = (
        "import sys, pyro_gmvae.evaluation; "
        "print([m for m in ('arviz', 'sklearn', 'pandas', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
