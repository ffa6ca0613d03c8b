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
# # First clusters
#
# You have data without labels and would like to know which groups are in them. This page takes
# scikit-learn's handwritten digits from pixels to clusters, looks at the clusters, draws new digits
# from each, finds odd ones, and then asks how far to trust all that.
#
# The model says of every datum: it is in a cluster `y`, it has a style `z` in that cluster, and
# from the style a neural network makes what you see, `x`. Nothing below needs you to know more.

# %%
# %config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
# %matplotlib inline
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars without widgets

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae import GMVAE
from pyro_gmvae.data import load_splits
from pyro_gmvae.evaluation import (
    cluster_means,
    cluster_usage,
    clustering_scores,
    log_likelihood,
    sample,
)
from pyro_gmvae.plots import plot_cluster_members, plot_grid, plot_history

# %% [markdown]
# ## The data
#
# `GMVAE` takes a table of numbers, rows by columns (an array, a tensor, a data frame), or images as
# whole numbers from 0 to 255 (`uint8`). The digits come as 8 by 8 images. A fifth is put aside, to
# meet the model later. There are labels too; they are not touched until the model is finished.

# %%
digits = load_splits("digits", seed=0, validation_fraction=0, test_fraction=0.2)
X, X_new = digits.train.x, digits.test.x
print(f"to learn from: {tuple(X.shape)} {X.dtype}, put aside: {tuple(X_new.shape)}")

# %% [markdown]
# ## Fit
#
# Ten clusters, because we happen to expect ten. With your own data you will try several numbers.
#
# For images training begins with the clusters alone. A *regulariser* asks for three things that
# need no label: a digit that is turned, shifted or scaled a little should stay in its cluster, no
# cluster should be empty, and each digit should be sure of its own. Then the likelihood comes in,
# and the regulariser keeps the clusters. By default so few rows get six such starts, and the best
# one, found without a label, goes on. One start, `n_init=1`, keeps this page quick.
#
# Training raises the ELBO, the *evidence lower bound*: a bound below the log-likelihood
# log p(x). Both are given per digit, in nats, the unit of natural logarithms.
#
# Thirty epochs, which are passes through the data, keep this page quick. They are few, and the
# estimator would say so in a `ConvergenceWarning`, which we know about and silence. In earnest,
# leave `max_iter` larger and let early stopping end the training.

# %%
warnings.simplefilter("ignore", ConvergenceWarning)

gm = GMVAE(n_components=10, n_init=1, max_iter=30, random_state=0)
gm.fit(X)
print(f"{gm.n_iter_} epochs, ELBO {gm.lower_bound_:.1f} nats per digit")

# %% [markdown]
# ## How the training went
#
# Look at three things. *Left*: the ELBO, which training raises, should be flattening, and the
# held-out curve should follow the training curve; if it turns down while the other climbs, the
# model is learning the training rows by heart. *Middle*: KL(y) is how much the model says about the
# cluster, KL(z) how much it says about the style. A KL(y) that falls to zero means that the
# clusters have been given up. *Right*: how many clusters are the likeliest one of some datum.

# %%
plot_history(gm.history_)

# %% [markdown]
# ## The clusters
#
# `predict` names a cluster for each row, `predict_proba` gives the probability of every cluster.
# Cluster 0 is the largest; the numbers mean nothing else, and cluster 3 has no reason to hold the
# threes.

# %%
probabilities = gm.predict_proba(X)
pd.DataFrame(probabilities[:5]).round(2).rename_axis("row").rename_axis("cluster", axis=1)

# %% [markdown]
# One row of the picture is one cluster: its share of the data, the image at its centre, the members
# of which the model is surest, and members drawn at random. The surest ones always look good. Judge
# a cluster by the random ones: do they show one digit, or two that look alike, or is one digit
# spread over two clusters because people write it in two ways?

# %%
seen = gm.encoding_.scaled(X)  # grey levels from 0 to 1
q = torch.from_numpy(probabilities)
plot_cluster_members(seen, q, cluster_means(gm.model_))

# %% [markdown]
# Which digits is it unsure about? Here are those whose likeliest cluster has the smallest
# probability, each with the centres of the two clusters it hesitates between. Often you would
# hesitate too.

# %%
unsure = q.max(-1).values.argsort()[:10]
first, second = q[unsure].topk(2).indices.T
centres = cluster_means(gm.model_)
plot_grid(
    torch.stack([seen[unsure], centres[first], centres[second]]),
    ["digit", "likeliest", "second"],
    heads=["the ten least certain digits"],
)

# %% [markdown]
# ## A map
#
# `transform` places each digit in the space of styles. Two principal components of it make a map,
# with the number of each cluster at its centre.
# Clusters that overlap here may still be apart in the other dimensions; clusters that are far apart
# here are so in truth.

# %%
flat = PCA(2, random_state=0)
position = flat.fit_transform(gm.transform(X))
centre = flat.transform(gm.means_)

figure, axes = plt.subplots(figsize=(6, 4.6))
axes.scatter(*position.T, c=gm.labels_, cmap="tab10", s=7, alpha=0.6, linewidths=0)
for k, (a, b) in enumerate(centre):
    axes.annotate(
        k, (a, b), weight="bold", ha="center", va="center", bbox={"fc": "white", "ec": "0.7"}
    )
axes.set(xlabel="component 1", ylabel="component 2", title="Styles, coloured by cluster")
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## New digits
#
# `gm.sample` draws whole data, the way `GaussianMixture.sample` does, with the noise that the model
# gives to each pixel.

# %%
x_drawn, y_drawn = gm.sample(5)
print("drawn:", x_drawn.shape, "from clusters", y_drawn)

# %% [markdown]
# For the eye it is better to draw the style and to show the grey levels that the network makes of
# it. `pyro_gmvae.evaluation.sample` does so, and lets us choose the cluster: eight from each. Rows
# should hold variations of one digit. A row of blurs belongs to a cluster that does not know what
# it is about. After thirty epochs there are many blurs, and rows that mix digits, for the centres
# still lie nearer to the middle than their digits, as on the map. With `max_iter=150` nearly every
# row shows one digit.

# %%
K, n_each = gm.n_components, 8
clusters = torch.arange(K).repeat_interleave(n_each)
drawn, _ = sample(gm.model_, K * n_each, y=clusters, seed=0)
plot_grid(drawn.unflatten(0, (K, n_each)), [f"{k}" for k in range(K)], heads=["drawn"])

# %% [markdown]
# ## Odd digits
#
# `score_samples` gives log p(x), how well the model can explain a datum. Low means odd. Among the
# digits put aside, the first row shows the oddest, the second those most to the model's taste.
# (Plain shapes score high because there is less to explain, a one more than an eight. A score
# compares data; it does not grade handwriting.)

# %%
scores = gm.score_samples(X_new)
order = np.argsort(scores)
seen_new = gm.encoding_.scaled(X_new)
plot_grid(
    torch.stack([seen_new[order[:10].copy()], seen_new[order[-10:].copy()]]),
    ["odd", "plain"],
    heads=["digits put aside"],
    notes=[f"{scores[order[:10]].mean():.0f} nats", f"{scores[order[-10:]].mean():.0f} nats"],
)

# %% [markdown]
# Can it tell digits from things that are none? We shuffle the pixels of each digit, which keeps its
# ink and destroys its shape. These should score far below the digits, with hardly any overlap.
# Turning digits upside down is harder to notice, for many of them still look like digits.

# %%
shuffled = X_new.flatten(1)[:, torch.randperm(64, generator=torch.Generator().manual_seed(0))]
others = {
    "digits": X_new,
    "upside down": X_new.flip(-2),
    "pixels shuffled": shuffled.view_as(X_new),
}
scored = {name: gm.score_samples(images) for name, images in others.items()}
bins = np.histogram_bin_edges(np.concatenate(list(scored.values())), 70)
figure, axes = plt.subplots(figsize=(6.5, 2.6))
for name, values in scored.items():
    axes.hist(values, bins, alpha=0.6, label=name)
axes.set(xlabel="log p(x), nats", ylabel="images")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## How far to trust it
#
# **Is it sure?** Four numbers that need no labels. *Clusters in use* and H(y), the evenness of the
# clusters, fall when clusters die. H(y|x) is the doubt left once a digit has been seen. Their
# difference I(x;y) is what the cluster tells about the digit: zero if clusters are meaningless,
# log K if all are equally used and there is never a doubt.

# %%
usage = cluster_usage(q)
print(f"clusters in use  {usage.clusters_in_use} of {K}")
print(f"H(y)             {usage.entropy_y:.2f} nats (at most log K = {np.log(K):.2f})")
print(f"H(y|x)           {usage.entropy_y_given_x:.2f} nats")
print(f"I(x;y)           {usage.mutual_information:.2f} nats")

# %% [markdown]
# **Is the log-likelihood itself sound?** It is estimated by drawing styles and weighting them, and
# Pareto k-hat says for each datum whether that worked. `warning` says in words what is wrong, and
# `None` means that nothing was found.

# %%
figures = log_likelihood(gm.model_, seen_new, num_samples=200)
print(f"log p(x) of new digits  {figures.mean:.2f} +- {figures.standard_error:.2f} nats")
print(f"their ELBO              {figures.elbo:.2f} nats, a lower bound")
print(f"k-hat above 0.7         {figures.pareto_k_bad_fraction:.1%} of the digits")
print(f"warning                 {figures.warning}")

# %% [markdown]
# **Would it come out the same again?** Only `random_state` differs in the second model. The last
# line compares the two clusterings with each other: 1 is the same grouping, 0 no more agreement
# than chance. If it is well below 1, then some of the borders that you saw above are the seed's
# choice and not the data's. `pyro-gmvae stability` says of several runs which clusters are.

# %%
again = GMVAE(n_components=10, n_init=1, max_iter=30, random_state=1).fit(X)
agreement = adjusted_rand_score(gm.labels_, again.labels_)
print(f"agreement of the two seeds (adjusted Rand index): {agreement:.2f}")

# %% [markdown]
# **Are these the clusters that people have in mind?** Now, for the first time, the labels. NMI
# (normalised mutual information) and ARI (the adjusted Rand index) measure agreement; accuracy
# matches each cluster with one digit as well as possible. The third row is trained by the
# likelihood alone (`regularize="none"`): it may explain the pixels as well and still not find our
# ten digits, for nothing in a likelihood asks for them.

# %%
alone = GMVAE(n_components=10, regularize="none", max_iter=30, random_state=0).fit(X)

# %%
rows = []
for name, model in (("seed 0", gm), ("seed 1", again), ("likelihood alone", alone)):
    found = torch.from_numpy(model.predict_proba(X_new))
    against = clustering_scores(digits.test.class_labels, found.argmax(-1))
    in_use = cluster_usage(found)
    rows.append(
        {
            "model": name,
            "ELBO, training": model.lower_bound_,
            "clusters in use": in_use.clusters_in_use,
            "I(x;y)": in_use.mutual_information,
            "NMI": against.nmi,
            "ARI": against.ari,
            "accuracy": against.accuracy,
        }
    )
pd.DataFrame(rows).set_index("model").round(2)

# %% [markdown]
# Which digit went where? One bright cell in a row means that a digit has a cluster to itself; two
# bright cells in a column mean that a cluster holds two digits.

# %%
table = pd.crosstab(digits.test.class_labels.numpy(), gm.predict(X_new))
table = table.reindex(columns=range(K), fill_value=0)
figure, axes = plt.subplots(figsize=(4.6, 4))
axes.set(xlabel="cluster", ylabel="digit", xticks=range(K), yticks=range(K))
axes.imshow(table, cmap="Blues")
for (i, j), count in np.ndenumerate(table.to_numpy()):
    if count:
        color = "white" if count > table.to_numpy().max() / 2 else "black"
        axes.text(j, i, count, ha="center", va="center", size=8, color=color)

# %% [markdown]
# ## Keep it
#
# A saved model is a folder of JSON and safetensors. Loading it runs no code, so you may open one
# from a stranger, and `pyro-gmvae predict` and its sisters read it too.

# %%
with tempfile.TemporaryDirectory() as folder:
    gm.save(Path(folder) / "digits")
    print("saved:", sorted(file.name for file in (Path(folder) / "digits").iterdir()))
    loaded = GMVAE.load(Path(folder) / "digits")
print("same probabilities:", np.array_equal(loaded.predict_proba(X_new), gm.predict_proba(X_new)))

# %% [markdown]
# ## On to ArviZ
#
# `to_inference_data` hands draws of the style, of new data at each, and log p(x) to
# [ArviZ](https://python.arviz.org), with named dimensions.

# %%
idata = gm.to_inference_data(X_new[:50], num_draws=40)
for group in ("posterior", "posterior_predictive", "prior_predictive", "sample_stats"):
    for name, values in idata[group].data_vars.items():
        print(f"{group:21} {name:17} {dict(values.sizes)}")

# %% [markdown]
# For example: the mean of what the model imagines in place of each digit, below the digit.

# %%
imagined = idata["posterior_predictive"]["x"].mean(("chain", "draw")).to_numpy()
plot_grid(
    torch.stack([seen_new[:10], torch.from_numpy(imagined[:10]).float()]),
    ["digit", "imagined"],
    heads=["the first ten put aside"],
)

# %% [markdown]
# ## Your own data
#
# Replace `X` by your table, as a data frame or an array. Columns are standardised for you, the
# likelihood becomes Gaussian, and `plot_cluster_profiles` draws a heat map in place of the images.
# Then ask the same questions: clusters in use, I(x;y), another seed.
#
# ## Exercise
#
# Which of the new digits does the model doubt, and is it right to? Take the tenth of `X_new` whose
# likeliest cluster has the smallest probability, and the rest. Match each cluster with the digit
# that most of its training images show, `digits.train.class_labels`, and compare how often that
# digit is the right one in the two parts.
#
# Next: [the model in Pyro](02_the_model_in_pyro.ipynb), for those who would like to change it.
