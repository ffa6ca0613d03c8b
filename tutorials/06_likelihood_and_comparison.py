# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Likelihood, and comparing models
#
# You have several models of the same rows: other numbers of clusters, other methods. Which one
# describes the data best, is the difference real, and does the best one describe each cluster well?
# The log-likelihood of rows that no model has seen answers the first two questions. Rows drawn from
# the model answer the third.
#
# You will have learned to
#
# * estimate log p(x), and see how it differs from the ELBO;
# * read Pareto k-hat, which says of each row whether its estimate can be trusted;
# * compare models by paired differences with an error, with ArviZ;
# * check each cluster against rows that the model draws in its place;
# * say why ArviZ' `loo` is refused here.

# %%
# %config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
# %matplotlib inline
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars without widgets
warnings.filterwarnings("ignore", message=r"\s*ArviZ")  # 0.23 announces 1.0

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae import GMVAE
from pyro_gmvae.evaluation import compare_likelihoods, predictive_checks

# %% [markdown]
# ## Rows whose density is known
#
# There are four groups. In each one a *lead* runs along the first column, and the other four
# columns follow it on a curve of their own. So a group is no ellipse. We can write down log p(x) of
# any row, and therefore know the best figure that a model can reach.

# %%
share = np.array([0.35, 0.3, 0.2, 0.15])
centre = np.random.default_rng(3).normal(0, 2, (4, 5))
bend = np.random.default_rng(2).normal(0, 1, (4, 5))


def curve(lead, group):
    return centre[group] + bend[group] * np.sin(1.7 * lead[:, None])


def draw(n, seed):
    rng = np.random.default_rng(seed)
    group = rng.choice(4, n, p=share)
    lead = rng.normal(size=n)
    rows = curve(lead, group) + 0.4 * rng.normal(size=(n, 5))
    rows[:, 0] = centre[group, 0] + lead
    return rows, group


def true_log_p(rows):
    log_joint = []
    for k in range(4):
        lead = rows[:, 0] - centre[k, 0]
        given_lead = norm.logpdf(rows[:, 1:], curve(lead, k)[:, 1:], 0.4).sum(1)
        log_joint.append(np.log(share[k]) + norm.logpdf(lead) + given_lead)
    return logsumexp(log_joint, axis=0)


X, _ = draw(1_000, seed=0)
X_new, group = draw(1_000, seed=1)

figure, axes = plt.subplots(figsize=(5, 3.4))
axes.scatter(X_new[:, 0], X_new[:, 1], c=group, cmap="tab10", vmax=9, s=5)
axes.set(xlabel="column 0", ylabel="column 1")
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## Four models
#
# Three numbers of clusters, and one number twice with another seed. The second seed will tell how
# large a difference is that means nothing.

# %%
warnings.simplefilter("ignore", ConvergenceWarning)

fitted = {f"{k} clusters": GMVAE(k, max_iter=30, random_state=0).fit(X) for k in (2, 4, 8)} | {
    "4 clusters, seed 1": GMVAE(4, max_iter=30, random_state=1).fit(X)
}

# %% [markdown]
# ## log p(x)
#
# The ELBO, which training raises, is a lower bound of log p(x). `log_likelihood` comes closer: it
# draws styles z for each row and averages p(x, z) / q(z given x), *importance sampling*. The more
# draws, the smaller the gap. `score_samples` is the same figure without the diagnostics below.

# %%
four = fitted["4 clusters"]
new = torch.as_tensor(X_new)
rows = []
for n in (1, 10, 100, 1_000):
    figures = four.fitted_.log_likelihood(new, num_samples=n)
    rows.append(
        {
            "draws": n,
            "mean": figures.mean,
            "standard error": figures.standard_error,
            "median": figures.log_p.median().item(),
        }
    )
truth = true_log_p(X_new)
print(f"the truth: mean {truth.mean():.2f}, median {np.median(truth):.2f}")
pd.DataFrame(rows).set_index("draws").round(3)

# %% [markdown]
# A hundred draws are enough here; the rest of the way to the truth is the model's fault, for four
# ellipses are no curves. The standard error is that of a mean over rows: other rows would give
# another mean. It says nothing of the draws.
#
# ## When the estimate is bad
#
# Importance sampling fails where q(z given x) misses the styles that explain a row. Then a few
# draws carry all the weight. *Pareto k-hat* measures how heavy the tail of the weights is. Below
# 0.7 the estimate settles as draws are added; above it does not, in practice.
#
# Guides are good at rows like those they were trained on. So we move one column of 300 new rows by
# four units, which makes most of them unlike any row of training. Ten estimates of each row with
# other draws show what k-hat warns of.

# %%
moved = new[:300].clone()
moved[:, 4] += 4
estimates = [four.fitted_.log_likelihood(moved, num_samples=100, seed=s) for s in range(10)]
spread = np.std([figures.log_p.numpy() for figures in estimates], axis=0)
k_hat = estimates[0].pareto_k.numpy()
print("rows as in training, k-hat above 0.7:", f"{figures.pareto_k_bad_fraction:.1%}")
print("rows that were moved:                ", f"{estimates[0].pareto_k_bad_fraction:.1%}")
print(estimates[0].warning)
many = four.fitted_.log_likelihood(moved, num_samples=1_000)
print(
    f"\nmean log p(x) of moved rows: {estimates[0].mean:.0f} by 100 draws, {many.mean:.0f} by 1,000"
)
print(f"the truth: {true_log_p(moved.numpy()).mean():.0f}")

figure, axes = plt.subplots(figsize=(5, 3))
axes.scatter(k_hat, spread, s=6)
axes.axvline(0.7, color="0.6", linestyle="--")
axes.set(xlabel="k-hat (rows above 5 left out)", ylabel="spread of log p(x), nats")
axes.set(xlim=(-0.5, 5), yscale="log")
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Left of the line most estimates differ by little from one set of draws to another. Right of it
# many differ by nats, and the mean climbs as draws are added: it is too low by an unknown amount. A
# few bad rows in a thousand do no harm, and `warning` is None up to 5 %. Beyond that take more
# draws. If k-hat stays bad, the rows are unlike those of training, or the guide is too simple: more
# epochs, a larger `hidden`, or `"sparse"` in place of `"marginal"`, whose q(z given x) has one peak
# only.
#
# ## Is the difference real?
#
# A row that is hard for one model is hard for the other. So compare row by row: the error of the
# mean *difference* is much smaller than the errors of the two means.

# %%
log_p = {name: model.score_samples(X_new) for name, model in fitted.items()}


def difference(better, worse, n=1_000):
    """Return the mean gain of a row, its paired error, and the error of unpaired means."""
    a, b = log_p[better][:n], log_p[worse][:n]
    return (a - b).mean(), (a - b).std() / n**0.5, (a.var() / n + b.var() / n) ** 0.5


for better, worse in (
    ("4 clusters", "2 clusters"),
    ("8 clusters", "4 clusters"),
    ("4 clusters, seed 1", "4 clusters"),
):
    gain, paired, unpaired = difference(better, worse)
    print(f"{better} over {worse}: {gain:.3f} +- {paired:.3f} (unpaired +- {unpaired:.3f})")

# %% [markdown]
# Read the last line first. It compares a model with itself, trained with another seed; a gain that
# is no larger belongs to chance, however small its error is over the rows.
#
# `compare_likelihoods` hands all models to ArviZ, which ranks them. `dse` is the paired error of
# the difference in all nats, and `weight` the share of each model in the best mixture of them
# (stacking). For models in Pyro alone there is `compare(models, x)`.

# %%
results = {name: model.fitted_.log_likelihood(new) for name, model in fitted.items()}
table = compare_likelihoods(results)
table[["rank", "elpd_diff", "dse", "weight"]].astype(float).round(2)

# %% [markdown]
# Eight clusters describe these rows better than the four groups that we made, because two ellipses
# follow a curve better than one. The likelihood chooses a *density*. It does not know what you
# would call a group:

# %%
pd.Series(
    {name: adjusted_rand_score(group, model.predict(X_new)) for name, model in fitted.items()},
    name="agreement with the groups (adjusted Rand index)",
).round(2).to_frame()

# %% [markdown]
# If clusters are to be groups, ask also whether they come out again: `pyro-gmvae select` weighs
# both.
#
# ## What the model believes
#
# `to_inference_data` hands the model to ArviZ. The *prior predictive* are rows that the model makes
# from nothing: a cluster, a style, a row. They should look like the data. The *posterior
# predictive* are rows that it makes in place of each given row, from that row's style.

# %%
idata = {name: fitted[name].to_inference_data(X_new, num_draws=2) for name in list(fitted)[:3]}
four_data = idata["4 clusters"]
for part in ("posterior", "posterior_predictive", "prior", "prior_predictive", "sample_stats"):
    print(f"{part:21}", {name: dict(v.sizes) for name, v in four_data[part].data_vars.items()})

# %%
figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), sharex=True, sharey=True, layout="constrained")
seen = four_data["observed_data"]["x"].to_numpy()
axes[0].scatter(seen[:, 0], seen[:, 1], c=group, cmap="tab10", vmax=9, s=4)
axes[0].set(title="rows, by group", xlabel="column 0", ylabel="column 1")
for panel, (name, data) in zip(axes[1:], idata.items(), strict=True):
    drawn = data["prior_predictive"]["x"].to_numpy()[0, 0]
    cluster = data["prior"]["cluster"].to_numpy()[0, 0]
    panel.scatter(drawn[:, 0], drawn[:, 1], c=cluster, cmap="tab10", vmax=9, s=4)
    panel.set(title=f"drawn, {name}", xlabel="column 0")

# %% [markdown]
# A netCDF file keeps it all for other programs, and for next year. ArviZ writes it by the packages
# h5netcdf and h5py.

# %%
with tempfile.TemporaryDirectory() as folder:
    four_data.to_netcdf(str(Path(folder) / "four.nc"))
    loaded = az.from_netcdf(str(Path(folder) / "four.nc"))
    same = np.array_equal(loaded["posterior"]["z"], four_data["posterior"]["z"])
print("the same draws:", same)

# %% [markdown]
# ## Is each cluster as the model says?
#
# The picture shows that something is missing; `predictive_checks` says in which cluster and which
# column. Each new row gets a cluster, and the model draws another row of that cluster in its place.
# For each cluster a statistic of the rows is then compared with that of the drawn rows. A p-value
# near 0 or 1 says that the cluster's rows are not as its law has it.

# %%
counts = {}
for name in list(fitted)[:3]:
    model = fitted[name]
    x = model.encoding_.encode_mean(new)
    checks = predictive_checks(model.model_, x, num_draws=100)
    counts[name] = {"figures": len(checks), "surprising": sum(c.surprising for c in checks)}
    if name == "2 clusters":
        worst = [c.to_dict() for c in checks if c.surprising]
print(pd.DataFrame(counts).T.to_string())
pd.DataFrame(worst).set_index(["cluster", "statistic", "place"]).round(2).head(8)

# %% [markdown]
# By chance about one figure in fifty would be surprising. These four statistics look at each column
# by itself. Give `statistics=` of your own for what you care about, such as a correlation.
#
# ## Why not leave-one-out
#
# ArviZ' `loo` estimates how well a model predicts rows that it was trained on, each as if it had
# been left out. It does so by reweighting draws of the *parameters*. A GMVAE has one value of each
# parameter, so that there is nothing to reweight, and the result would be the log-likelihood of the
# training rows, which is too high. Therefore the export has no log-likelihood for `loo` to take:

# %%
try:
    az.loo(four_data)
except Exception as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# Rows put aside cost little and answer the question itself. log p(x) of each row is in
# `sample_stats`, with its k-hat.
#
# ## Exercise
#
# How many new rows would have been enough to tell eight clusters from four? Call `difference` with
# the first 20, 40, 60, ... rows, and find from which number on the gain is more than twice its
# error, first by the paired error, then by the unpaired one.
