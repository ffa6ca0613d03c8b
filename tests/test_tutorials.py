"""The tutorials run, and what is kept of them is what their source says.

Each is a pair: edit the ``.py``, then make the ``.ipynb`` anew, with its outputs::

    jupytext --to ipynb tutorials/*.py
    pytest --nbmake --overwrite --nbmake-timeout 600 tutorials

Where only text has changed, `jupytext --to ipynb --update` of that file keeps its outputs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

TUTORIALS = Path(__file__).parents[1] / "tutorials"
NAMES = [
    "01_first_clusters",
    "02_the_model_in_pyro",
    "03_many_clusters",
    "04_mixed_tables",
    "05_customer_segments",
    "06_likelihood_and_comparison",
    "07_extend_it",
    "08_images_and_scale",
]
# What a reader may write below a page to solve its exercise.
SOLUTIONS = {
    "01_first_clusters": """
shown = pd.crosstab(gm.predict(X), digits.train.class_labels.numpy())
digit_of = shown.idxmax(axis=1)
p_new = gm.predict_proba(X_new)
right = digit_of.reindex(p_new.argmax(1)).to_numpy() == digits.test.class_labels.numpy()
doubtful = p_new.max(1) <= np.quantile(p_new.max(1), 0.1)
assert 0.05 < doubtful.mean() < 0.2
assert right[doubtful].mean() < right[~doubtful].mean()
""",
    "02_the_model_in_pyro": """
class Known(Poisson):
    def log_p(self, output, counts):
        return self(output, mask=counts >= 0).log_prob(counts.clamp(min=0))

output, counts = kinds.log(), kinds.round()
hidden = counts.clone()
hidden[:, 5:] = -1
assert torch.equal(Known((7,)).log_p(output, counts), Poisson((7,))(output).log_prob(counts))
five_days = dist.Poisson(kinds[:, :5]).log_prob(counts[:, :5]).sum(-1)
assert torch.allclose(Known((7,)).log_p(output, hidden), five_days, atol=1e-4)
""",
    "04_mixed_tables": """
_, X_new, segment_new = customers(500, seed=3)
blanked = X_new.mask(np.random.default_rng(0).random(X_new.shape) < 0.5)
before, after = free.predict_proba(X_new), free.predict_proba(blanked)
assert after.max(1).mean() < before.max(1).mean()
agreement = [adjusted_rand_score(segment_new, p.argmax(1)) for p in (before, after)]
assert 0 < agreement[1] < agreement[0]
""",
    "03_many_clusters": """
ratio = {k: seconds_of_step("exact", k) / seconds_of_step("sparse", k) for k in (2, 10, 40)}
assert ratio[2] < 3 < ratio[40]
assert min(k for k in ratio if ratio[k] > 3) > 2
""",
    "05_customer_segments": """
swapped = usual.assign(wine=usual["fish"], fish=usual["wine"])
decided = gm.assign(swapped, reject=0.05)
rejected = decided["cluster"] == -1
assert rejected.mean() > 0.3
assert (gm.assign(usual, reject=0.05)["cluster"] == -1).mean() < 0.1
segment = decided["likeliest_cluster"].map(name_of)
assert rejected.groupby(segment).mean().idxmax() == "families"
""",
    "06_likelihood_and_comparison": """
found = {n: difference("8 clusters", "4 clusters", n) for n in range(20, 1001, 20)}
paired = [n for n, (gain, error, _) in found.items() if gain > 2 * error]
unpaired = [n for n, (gain, _, error) in found.items() if gain > 2 * error]
assert paired and (not unpaired or paired[0] < unpaired[0])
assert all(error < wider for _, error, wider in found.values())
""",
    "07_extend_it": """
class Forgetful(ClaimsModel):
    def p_x(self, z, years):
        return self.likelihood(self.decoder(z))

class ForgetfulGMVAE(ExactGMVAE):
    model_class = Forgetful

forgetful = trained(ForgetfulGMVAE)
worse = log_likelihood(forgetful, claims, covariates=(years,), num_samples=100).mean
better = log_likelihood(models["uniform"], claims, covariates=(years,), num_samples=100).mean
assert worse < better
""",
    "08_images_and_scale": """
named = pd.DataFrame(E, columns=[f"e{i}" for i in range(16)])
rows = pd.DataFrame(E_new, columns=named.columns)
with tempfile.TemporaryDirectory() as place:
    GMVAE(10, max_iter=1, random_state=0).fit(named).save(Path(place) / "named")
    by_name = Predictor(Path(place) / "named")
    backwards = by_name(dict(rows[rows.columns[::-1]].items()))
    assert np.array_equal(backwards["cluster"], by_name(dict(rows.items()))["cluster"])
    try:
        by_name(dict(rows.drop(columns="e3").items()))
    except ValueError as error:
        assert "e3" in str(error)
    else:
        raise AssertionError("a model of numbers takes no gaps")
""",
}
# What makes a page shorter for the test, beside fewer steps.
SHORTER = {
    "03_many_clusters": {
        "n_rows=6_000": "n_rows=600",
        "[2, 20, 200]": "[2, 20]",
        "in compared(k)": "in compared(2)",
    },
    "08_images_and_scale": {"n_many = 200_000": "n_many = 4_000"},
    "07_extend_it": {"epochs=30": "epochs=5", "range(300)": "range(60)"},
}
# A path of the machine that made the outputs, which is no web address and no fraction, or the place
# of an object in its memory.
LOCAL = re.compile(
    r"(?<![\w/.:])/(?:home|root|work|tmp|private|usr|opt|Users)/\S+|[A-Z]:\\| at 0x[0-9a-f]+>"
)
MAX_BYTES = 600_000


def notebook(name: str) -> nbformat.NotebookNode:
    return nbformat.read(TUTORIALS / f"{name}.ipynb", as_version=4)


def outputs(name: str) -> list[nbformat.NotebookNode]:
    return [out for cell in notebook(name).cells for out in cell.get("outputs", [])]


def texts(output: nbformat.NotebookNode) -> list[str]:
    if output.output_type == "stream":
        return [output.text]
    return [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]


def test_all_tutorials_are_tested() -> None:
    assert sorted(p.stem for p in TUTORIALS.glob("*.py")) == NAMES
    assert sorted(p.stem for p in TUTORIALS.glob("*.ipynb")) == NAMES


def shortened(name: str) -> nbformat.NotebookNode:
    """The page with shorter trainings: every line runs, which is what the test asks."""
    page = notebook(name)
    for cell in page.cells:
        cell.source = cell.source.replace("max_iter=30", "max_iter=3")
        for longer, shorter in SHORTER.get(name, {}).items():
            cell.source = cell.source.replace(longer, shorter)
    brief = (
        "from pyro_gmvae.fitting import defaults\n"
        "from pyro_gmvae.fitting.starts import information\n"
        "information.MIN_STEPS = 50\n"
        "defaults.FEWEST_EPOCHS = defaults.MOST_EPOCHS = 3"
    )
    page.cells.insert(0, nbformat.v4.new_code_cell(brief))
    page.cells.append(nbformat.v4.new_code_cell(SOLUTIONS.get(name, "")))
    return page


@pytest.mark.parametrize("name", NAMES)
def test_runs(name: str, tmp_path: Path) -> None:
    # Its own folder, so that it can lean on no file and leave none here.
    client = NotebookClient(
        shortened(name), timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    # One thread, as in every test.
    client.execute(env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_source_and_notebook_are_in_step(name: str) -> None:
    source = jupytext.read(TUTORIALS / f"{name}.py").cells
    kept = notebook(name).cells
    assert [(c.cell_type, c.source) for c in kept] == [(c.cell_type, c.source) for c in source]
    assert all(c.source.strip() for c in kept)


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_was_run_in_order(name: str) -> None:
    code = [cell for cell in notebook(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_outputs_hold_pictures_and_no_trouble(name: str) -> None:
    kinds = [out.output_type for out in outputs(name)]
    assert "error" not in kinds
    assert not [out.text for out in outputs(name) if out.get("name") == "stderr"]
    assert any("image/png" in out.get("data", {}) for out in outputs(name))


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_not_of_one_machine(name: str) -> None:
    assert notebook(name).metadata.kernelspec.name == "python3"
    cells = [cell.source for cell in notebook(name).cells]
    written = cells + [text for out in outputs(name) for text in texts(out)]
    assert not [match for text in written for match in LOCAL.findall(text)]
    assert (TUTORIALS / f"{name}.ipynb").stat().st_size < MAX_BYTES
