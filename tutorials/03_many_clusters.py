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
# # Many clusters, and their price
#
# You have many groups: 200 kinds of customers, say. The exact GMVAE sums over all clusters in every
# step, so a step takes longer the more clusters there are. The Concrete GMVAE was invented to avoid
# this. This page measures the price of a step for each of the four methods, and for a plain mixture
# what quality comes with it, from 2 to 200 clusters.
#
# You will have learned which method to take for how many clusters, how long it takes, and how to
# see whether groups were lost.

# %%
# %config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
# %matplotlib inline
import time
import warnings

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars without widgets

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from pyro_gmvae import GMVAE
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import METHODS

# %% [markdown]
# ## The price of a step
#
# A step takes a batch of rows, computes the ELBO, and its gradient. Here are 256 rows of 100
# columns, with networks of two hidden layers. We count the seconds of a step, the median of five.


# %%
def seconds_of_step(method, n_clusters, n_rows=256, n_columns=100):
    gmvae = METHODS[method](n_columns, n_clusters, latent_dim=10, hidden=(256, 256))
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    x = torch.rand(n_rows, n_columns).round()
    times = []
    for _ in range(6):
        begun = time.perf_counter()
        elbo(gmvae.model, gmvae.guide)(x).backward()
        times.append(time.perf_counter() - begun)
    return np.median(times[1:])  # the first step also sets up


torch.manual_seed(0)
clusters = [2, 20, 200]
price = pd.DataFrame({m: [seconds_of_step(m, k) for k in clusters] for m in METHODS}, clusters)
price.index.name = "clusters"
(price / price["concrete"].iloc[0]).round(1)  # a Concrete step with two clusters is 1

# %%
ax = price.plot(marker="o", logx=True, logy=True, figsize=(6, 3.5))
ax.set(ylabel="seconds of a step", xticks=clusters, xticklabels=clusters)
ax.grid(alpha=0.3)

# %% [markdown]
# The exact method decodes every row once for each cluster. The Concrete method decodes one relaxed
# draw of the cluster. The sparse method sums the likeliest cluster and draws one of the others. The
# marginal method infers z without a cluster, and sums the clusters given z, where nothing has to be
# decoded.
#
# ## Quality
#
# Cheap steps are worth nothing if they lose the groups. So we generate groups of unequal sizes and
# widths. Some of them touch. We compare the methods with a plain mixture of Gaussians and with
# k-means, which both know the number of groups too.


# %%
def groups(n_groups, n_rows=6_000, n_columns=8, seed=0):
    rng = np.random.default_rng(seed)
    share = rng.lognormal(0, 0.7, n_groups)
    y = rng.choice(n_groups, n_rows, p=share / share.sum())
    centre = rng.normal(size=(n_groups, n_columns))
    width = 0.27 * rng.lognormal(0, 0.35, (n_groups, n_columns))
    return centre[y] + width[y] * rng.normal(size=(n_rows, n_columns)), y


def lost(y, found):
    """Count the groups of which no cluster holds half."""
    table = pd.crosstab(y, found)
    owner = table.idxmax()  # the group that each cluster has most of
    held = [table.loc[g, owner == g].sum() / table.loc[g].sum() for g in table.index]
    return sum(share < 0.5 for share in held)


def compared(n_clusters):
    x, y = groups(n_clusters)
    options = {"n_components": n_clusters, "random_state": 0}
    models = {
        "concrete": GMVAE(method="concrete", **options),
        "sparse": GMVAE(method="sparse", **options),
        "marginal": GMVAE(method="marginal", **options),
        "mixture": GaussianMixture(n_init=3, **options),
        "k-means": KMeans(n_clusters, n_init=3, random_state=0),
    }
    if n_clusters <= 20:  # the price of more is on the picture above
        models = {"exact": GMVAE(method="exact", **options)} | models
    rows = []
    for name, model in models.items():
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit_predict(x)
        seconds = time.perf_counter() - begun
        rows.append([n_clusters, name, adjusted_rand_score(y, found), lost(y, found), seconds])
    return rows


names = ["clusters", "method", "adjusted Rand", "groups lost", "seconds"]
quality = pd.DataFrame([row for k in clusters for row in compared(k)], columns=names)
quality.set_index(["clusters", "method"]).round({"adjusted Rand": 3, "seconds": 1})

# %% [markdown]
# A table of numbers begins at the best of several mixtures, found by cross-validation. With many
# groups most of the time goes there. The clusters of that start are held, so the methods find
# nearly the same clusters. They differ in what they say of the rows within a cluster. The plain
# mixture loses groups where it must fit a full covariance to a few rows: more starts and other
# shapes of covariances avoid that.
#
# ## Which method
#
# | clusters | take |
# |---|---|
# | up to 10 | any; `exact` has the least noise in its gradient |
# | 10 to 200 | `sparse`, the default: the exact objective at the Concrete's price |
# | more | `sparse` or `concrete`; `marginal` where z alone should tell the cluster |
#
# On images the differences are larger, for decoders are larger: see
# [docs/paper.md](../docs/paper.md) for the paper's experiment, and
# [docs/clusters.md](../docs/clusters.md) for the quality on public data.
#
# ## Exercise
#
# From how many clusters on does an exact step take more than three times as long as a sparse one,
# on your machine? Call `seconds_of_step` with other numbers of clusters.
