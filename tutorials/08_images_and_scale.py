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
# # Images, embeddings, and many rows
#
# The first page clustered small images. This page asks what to do when there are more and larger
# ones: whether to cluster pixels or the embeddings of a network, how to train faster and on several
# processes, and how to place millions of new rows with a model that is finished.
#
# You will have learned to
#
# * cluster images, and see when the default is right for them;
# * cluster embeddings as a table of numbers, in a fraction of the time;
# * compile a training, and spread it over processes;
# * place many rows by a `Predictor`, in threads and in other programs.

# %%
# %config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
# %matplotlib inline
import pickle
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars without widgets

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae import GMVAE
from pyro_gmvae.evaluation import cluster_means
from pyro_gmvae.plots import plot_cluster_members
from pyro_gmvae.serving import Predictor

# %% [markdown]
# ## Images
#
# Images are whole numbers from 0 to 255, `(N, H, W)` in grey and `(N, H, W, C)` in colour. scikit-
# learn's digits have grey levels from 0 to 16. The labels serve the comparison at the end of each
# section alone.

# %%
digits = load_digits()
images = (digits.images * 15).astype("uint8")
order = np.random.default_rng(0).permutation(len(images))
images, digit = images[order], digits.target[order]
X, X_new, digit_new = images[:1_000], images[1_000:], digit[1_000:]
print("to learn from", X.shape, X.dtype, "put aside", X_new.shape)

# %% [markdown]
# For images the estimator trains the clusters first: an image that is turned, shifted or scaled a
# little shall stay in its cluster. That is right where such a change leaves the thing what it is.
# Where it does not, as for letters that differ by a turn, name other moves by `regularize=`.

# %%
warnings.simplefilter("ignore", ConvergenceWarning)


def seconds(function):
    """Return the result of a function, and the seconds of the processor that it took."""
    begun = time.process_time()
    result = function()
    return result, time.process_time() - begun


gm, image_seconds = seconds(lambda: GMVAE(10, n_init=1, max_iter=30, random_state=0).fit(X))
q = torch.from_numpy(gm.predict_proba(X))
seen = torch.from_numpy(X).unsqueeze(1)  # one channel
plot_cluster_members(gm.encoding_.scaled(seen), q, cluster_means(gm.model_))

# %% [markdown]
# ## Embeddings
#
# Photographs do not fall into clusters by their pixels. Take a network that was trained on many
# photographs, such as one of torchvision, and cluster what its last layer says of each image. This
# is a table of numbers, one row for each image. Reduce it to 10 to 50 columns first: a few hundred
# columns that tell the same cost time, and distances among them say little.
#
# This page needs no download, so principal components of the pixels stand for the network.

# %%
pca = PCA(16, random_state=0).fit(X.reshape(len(X), -1))
E, E_new = (pca.transform(part.reshape(len(part), -1)) for part in (X, X_new))
table, table_seconds = seconds(lambda: GMVAE(10, max_iter=30, random_state=0).fit(E))
kmeans = KMeans(10, n_init=10, random_state=0).fit(E)

found = {
    "images": (gm.predict(X_new), image_seconds),
    "embeddings": (table.predict(E_new), table_seconds),
    "embeddings, k-means": (kmeans.predict(E_new), None),
}
pd.DataFrame(
    [
        {"model": name, "adjusted Rand": adjusted_rand_score(digit_new, c), "processor, s": s}
        for name, (c, s) in found.items()
    ]
).set_index("model").round(2)

# %% [markdown]
# The moves teach the first model what a digit is. Principal components know nothing of turns and
# shifts. A network that was trained on many images does, and its embeddings cost no more.
#
# ## Faster
#
# Three things make a training faster, and none needs another program.
#
# *Fewer steps.* `max_iter` and `patience` end it. From a million rows on, the defaults count steps.
#
# *Compilation.* A step of a small network spends its time between operations. `--compile on` traces
# the ELBO and its gradient into one graph and compiles it, which takes some ten seconds once and
# pays in long trainings. The default compiles where a training is long enough. On a GPU steps are
# recorded too.
#
#     pyro-gmvae train photographs/ --clusters 20 --compile on --out runs/photographs
#
# *Processes.* `torchrun` starts several, on one machine or many. Each takes its share of every
# batch; the result is one run. A folder of Parquet files is read in pieces, each process its own.
#
#     torchrun --nproc-per-node 4 --no-python pyro-gmvae train photographs/ --out runs/photographs
#     torchrun --nproc-per-node 4 --no-python pyro-gmvae train customers/ --out runs/customers
#
# [docs/scale.md](../docs/scale.md) has the options, what happens when a worker is lost, and what
# was measured.
#
# ## Many new rows
#
# A finished model is a folder. A `Predictor` reads it, takes arrays, and returns arrays. It runs no
# handler of Pyro, and a row's answer depends on the row alone, so that rows may be placed in pieces
# of any size, in any order, by any number of threads, processes or machines.

# %%
folder = tempfile.TemporaryDirectory()
table.save(Path(folder.name) / "digits")
predictor = Predictor(Path(folder.name) / "digits")
placed = predictor({"x": E_new})
{name: (values.shape, str(values.dtype)) for name, values in placed.items()}

# %% [markdown]
# Many rows are made here by blurring the embeddings. They are placed in pieces, in two threads.

# %%
n_many = 200_000
rng = np.random.default_rng(1)
many = E[rng.integers(len(E), size=n_many)] + rng.normal(0, 5, (n_many, 16))
pieces = np.array_split(many, 20)


def in_threads():
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda piece: predictor({"x": piece}), pieces))


answers, spent = seconds(in_threads)
cluster = np.concatenate([answer["cluster"] for answer in answers])
print(f"{len(cluster):,} rows in {spent:.1f} s of the processor")
print("the same as the estimator:", np.array_equal(cluster[:500], table.predict(many[:500])))
pd.Series(cluster, name="rows").value_counts().sort_index().to_frame().T

# %% [markdown]
# Another process gets the path, not the weights, and reads the run when it is called. So Spark's
# `mapInPandas` and Ray's `map_batches` take a `Predictor` as it is; docs/scale.md has both.

# %%
print(len(pickle.dumps(predictor)), "bytes travel to another process")

# %% [markdown]
# On the command line `predict` reads files and folders of any size in pieces:
#
#     pyro-gmvae predict runs/customers warehouse/customers -o placed/
#
# ## Which of the new rows are odd?
#
# `density=True` adds log p(x) and `typicality`, the share of held-out rows that are less likely,
# and `reject=` puts rows that fit nowhere into cluster -1. Both decode each row a hundred times, so
# ask for them where they are needed. Here are digits and images of noise, as embeddings.

# %%
noise = rng.integers(0, 256, (200, 64))
careful = Predictor(Path(folder.name) / "digits", density=True)
typical = {
    "digits": careful({"x": E_new})["typicality"],
    "noise": careful({"x": pca.transform(noise)})["typicality"],
}
pd.DataFrame(
    {name: {"below 0.01": (t < 0.01).mean(), "median": np.median(t)} for name, t in typical.items()}
).round(2)

# %% [markdown]
# ## Exercise
#
# A colleague has the run, and new rows as a data frame whose columns come in another order. Train a
# model on a data frame of `E` with names of your choice, save it, and give its `Predictor` such a
# frame. Does the order matter? Then leave one column out. What does the predictor say?

# %%
folder.cleanup()
