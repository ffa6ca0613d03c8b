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
# # The model in Pyro
#
# This page is for people who want to change the model. A GMVAE here is two Pyro programs, `model`
# and `guide`, and everything that Pyro can do with programs it can do with these. We look at them,
# train them with Pyro's own `SVI`, ask them questions, see what the four methods do differently,
# and write a likelihood of our own. At the end we check the library against an exact answer.

# %%
# %config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
# %matplotlib inline
import shutil
import warnings

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars without widgets

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO
from pyro.optim import ClippedAdam
from sklearn.cluster import KMeans
from torch import nn

from pyro_gmvae.data import load
from pyro_gmvae.evaluation import cluster_usage, log_likelihood
from pyro_gmvae.inference import KLAnnealing, TraceEnumMeanField_ELBO
from pyro_gmvae.inference.enumeration import SomeRows
from pyro_gmvae.likelihoods import Gaussian, Likelihood
from pyro_gmvae.models import METHODS, ConcreteGMVAE, ExactGMVAE, GenerativeModel
from pyro_gmvae.plots import plot_grid
from pyro_gmvae.training import TrainConfig, fit

pyro.set_rng_seed(0)

# %% [markdown]
# ## A pair of programs
#
# The digits again, this time black and white, as the Bernoulli likelihood wants them. `gmvae.model`
# tells how data come about, `gmvae.guide` how to guess the hidden part from the data. Both are
# called as `(x, y=None)`.

# %%
x = (load("digits").x / 255 >= 0.5).float()
gmvae = ConcreteGMVAE((1, 8, 8), n_components=10, latent_dim=3, hidden=(64,))
print("data", tuple(x.shape))
gmvae.model

# %% [markdown]
# ## The plate and the sites
#
# Three sites in one plate: the cluster `y`, one-hot; the style `z`; the observation `x`. In the
# table, what stands left of the bar is the batch (the plate `data`), what stands right of it
# belongs to one datum.

# %%
print(poutine.trace(gmvae.model).get_trace(x[:5]).format_shapes())

# %% [markdown]
# The same as a graph: `y` points to `z`, and `z` to `x`, which is grey because it is observed.
# There is no arrow from `y` to `x`; the style carries all that the cluster has to say. Where
# Graphviz' program `dot` is installed you see the drawing, elsewhere the text that it would draw.

# %%
graph = pyro.render_model(gmvae.model, model_args=(x[:5],), render_distributions=True)
if shutil.which("dot"):
    display(graph)
else:
    print(graph.source)

# %% [markdown]
# ## Training with Pyro's own SVI, and annealing
#
# Nothing special is needed. Three quantities can be annealed: `kl_weight` (w, the price of
# KL(q(y|x) || p(y))), `z_kl_weight` and the Concrete `temperature`. They live in `gmvae.weights`,
# which model and guide share. `KLAnnealing` computes w at each step; you set it.
#
# One thing to know about `SVI`: it keeps parameters in Pyro's global store, by name, and the names
# of two GMVAEs are the same. Clear the store before you train another one.

# %%
pyro.clear_param_store()
svi = SVI(gmvae.model, gmvae.guide, ClippedAdam({"lr": 5e-3}), TraceMeanField_ELBO())
annealing = KLAnnealing(duration=300, unit="steps")
ours = TraceEnumMeanField_ELBO(max_plate_nesting=1)  # one plate: nothing to guess

record = []
for step in range(500):
    gmvae.weights.set(kl_weight=annealing.at(step, steps_per_epoch=1))
    batch = x[torch.randperm(len(x))[:256]]
    svi.step(batch)
    if step % 10 == 0:
        with torch.no_grad():
            parts = ours.terms(gmvae.model, gmvae.guide, x[:500]).sites
        record.append({"step": step, "w": gmvae.weights.kl_weight.item()})
        record[-1] |= {name: part.item() / 500 for name, part in parts.items()}
pyro.clear_param_store()  # the modules keep their trained weights
history = pd.DataFrame(record).set_index("step")
history.tail(3).round(2)

# %% [markdown]
# The ELBO in its parts, which `TraceEnumMeanField_ELBO().terms` gives by site at full weight.
# *Left*: the log-likelihood of the pixels rises. *Middle*: KL(y), grey being w. While w is small
# the cluster is cheap to use, and KL(y) goes up towards log K; as w grows, the model keeps only as
# much of it as pays. A KL(y) that ended near zero would mean that the clusters were given up.
# *Right*: KL(z).

# %%
figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.5), layout="constrained")
axes[0].plot(history.index, history["x"])
axes[0].set_title("E log p(x|z), nats")
axes[1].plot(history.index, -history["y"])
axes[1].set_title("KL(y), nats")
axes[1].set_ylim(bottom=0)
weight = axes[1].twinx()
weight.plot(history.index, history["w"], color="0.7")
weight.set(ylim=(0, 1.05), ylabel="w")
axes[2].plot(history.index, -history["z"])
axes[2].set_title("KL(z), nats")
axes[2].set_ylim(bottom=0)
for panel in axes:
    panel.set_xlabel("step")

# %% [markdown]
# Our own trainer does the same in one line, `fit(gmvae, x, TrainConfig())`, with early
# stopping, checkpoints and several devices. You will meet it below.
#
# From here on we look at several models. With this setting each keeps its parameters to itself
# rather than in Pyro's store. (Our trainer sets it too. `SVI` does not work under it, so set it
# back to `False` before you use `SVI` again.)

# %%
pyro.settings.set(module_local_params=True)

# %% [markdown]
# ## Prior samples
#
# `Predictive` runs the model forward: a cluster, a style, an image. Every pixel is drawn on its
# own, black or white, so the images are ragged. A few may pass for digits; the next picture is
# kinder.

# %%
prior = Predictive(gmvae.model, num_samples=20)()
for name in ("y", "z", "x"):
    print(name, tuple(prior[name].shape), "samples, batch of one, ...")
plot_grid(prior["x"].view(2, 10, 1, 8, 8), ["", ""], heads=["prior samples"])

# %% [markdown]
# ## Conditioning on a cluster
#
# `poutine.condition` fixes a site. We fix `y` to each cluster in turn and draw eight styles. To see
# grey levels rather than drawn pixels we ask the model's own conditional, `model.p_x(z).mean`;
# `p_y()`, `p_z(y)` and `p_x(z)` are the three laws that the program is made of. Look along the
# rows. A good cluster shows variations of one digit; a row with two digits in it, or two rows with
# the same one, are clusters that so short a training, from nothing, did not sort out.

# %%
rows = []
for k in range(10):
    y = nn.functional.one_hot(torch.tensor([k]), 10).float()  # a batch of one
    given_k = poutine.condition(gmvae.model, data={"y": y})
    z = Predictive(given_k, num_samples=8, return_sites=["z"])()["z"]
    with torch.no_grad():
        rows.append(gmvae.model.p_x(z).mean.squeeze(1))
plot_grid(torch.stack(rows), [f"{k}" for k in range(10)], heads=["from each cluster"])

# %% [markdown]
# ## Four guides
#
# The generative model is the same for all methods. They differ in what becomes of `y`, and the
# shapes in a trace show it. With K = 4 clusters, styles of size 2 and a batch of 3:

# %%
small = torch.bernoulli(torch.full((3, 6), 0.5))


def traces(pair, *args):
    """Guide and model as our ELBO runs them."""
    # `poutine.enum` for the guide, which enumerates the sparse method's part of a support too.
    guide = SomeRows(first_available_dim=-2, rows=None)(pair.guide)
    guide_trace = poutine.trace(guide).get_trace(*args)
    model = poutine.replay(poutine.enum(pair.model), trace=guide_trace)
    model_trace = poutine.trace(model).get_trace(*args)
    model_trace.compute_log_prob()
    return guide_trace, model_trace


rows = []
for method, pair_class in METHODS.items():
    pair = pair_class(6, n_components=4, latent_dim=2, hidden=(8,))
    guide_trace, model_trace = traces(pair, small)
    shapes = {site: tuple(model_trace.nodes[site]["value"].shape) for site in "yzx"}
    rows.append(
        {
            "method": method,
            "y comes from": "guide" if "y" in guide_trace.nodes else "model",
            **shapes,
            "log p(x|z)": tuple(model_trace.nodes["x"]["log_prob"].shape),
        }
    )
pd.DataFrame(rows).set_index("method")

# %% [markdown]
# Read the columns from the right.
#
# * **exact**: `y` is enumerated on a new dimension at the left, `(4, 1, 4)`, the one in the middle
#   because all data share the same four values. Each datum has four styles and is decoded four
#   times. A network of yours must broadcast over that dimension.
# * **concrete**: one `y` for each datum, inside the simplex, and one decoding.
# * **sparse**: two `y` for each datum: its likeliest cluster and one drawn from the others. They
#   differ between data, so the middle dimension is the whole batch.
# * **marginal**: the guide has no `y`. The model sums it out given `z`; one decoding.
#
# Here is what `y` looks like, for the first datum.

# %%
for method in ("concrete", "sparse"):
    pair = METHODS[method](6, n_components=4, latent_dim=2, hidden=(8,))
    guide_trace, _ = traces(pair, small)
    y = guide_trace.nodes["y"]["value"].detach()
    print(f"{method}:\n{y[..., 0, :].numpy().round(2)}")

# %% [markdown]
# ## One pair, several ELBOs
#
# `TraceEnumMeanField_ELBO` is our ELBO for all four: enumeration and closed-form KLs together,
# without ever reading a value back from the device. Where one of Pyro's own applies it must agree.
# Every ELBO is a random number, so each is averaged over 200 draws, and given its standard error:
# rows of the same method should differ by no more than a few of these. Closed forms show as the
# smaller standard errors.
#
# What the sparse method enumerates is not the whole support, and its weights are known to our ELBO
# only: Pyro's draw one value of `y` instead, which is as right and less exact.

# %%
pairs = {
    "exact": [TraceEnum_ELBO, TraceEnumMeanField_ELBO],
    "concrete": [Trace_ELBO, TraceMeanField_ELBO, TraceEnumMeanField_ELBO],
    "sparse": [Trace_ELBO, TraceEnumMeanField_ELBO],
    "marginal": [TraceEnum_ELBO, TraceEnumMeanField_ELBO],
}
rows = []
for method, elbos in pairs.items():
    torch.manual_seed(1)
    pair = METHODS[method](6, n_components=4, latent_dim=2, hidden=(8,))
    for elbo_class in elbos:
        elbo = elbo_class(max_plate_nesting=1)
        draws = -torch.tensor([elbo.loss(pair.model, pair.guide, small) for _ in range(200)])
        rows.append(
            {
                "method": method,
                "ELBO": elbo_class.__name__,
                "mean, nats": draws.mean().item(),
                "standard error": (draws.std() / len(draws) ** 0.5).item(),
            }
        )
pd.DataFrame(rows).set_index(["method", "ELBO"]).round(3)

# %% [markdown]
# ## Your own likelihood
#
# Shops report how much they sold on each day of the week, added up over the weeks that they were
# open. A shop that was open for longer has larger counts, which says nothing about its kind. So:
# counts are Poisson, and the rate is multiplied by a known exposure, the number of weeks.
#
# A likelihood says what the decoder's output means. The exposure is a covariate: what you pass
# after `(x, y)` reaches `p_x`, and we override that one conditional. The encoder is ours too: it
# sees logarithms, for raw counts are too large for a network's taste.


# %%
class Poisson(Likelihood):
    """Counts; the decoder gives the logarithm of the rate."""

    def entrywise(self, output):
        return dist.Poisson(output.clamp(max=10).exp())


class SalesModel(GenerativeModel):
    def p_x(self, z, weeks):
        return self.likelihood(self.decoder(z) + weeks.log().unsqueeze(-1))


class SalesGMVAE(ExactGMVAE):
    model_class = SalesModel


class Logarithms(nn.Module):
    def forward(self, counts):
        return counts.log1p()


# %% [markdown]
# Three kinds of shop that we make up: near offices, near a park, and one that sells bread.

# %%
days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
kinds = torch.tensor(
    [
        [9.0, 9.0, 9.0, 9.0, 7.0, 1.0, 1.0],
        [1.0, 1.0, 2.0, 2.0, 5.0, 10.0, 11.0],
        [6.0, 6.0, 6.0, 6.0, 6.0, 9.0, 0.5],
    ]
)
kind = torch.arange(600) % 3
weeks = torch.randint(1, 20, (600,)).float()
busy = torch.exp(0.3 * torch.randn(600, 1))  # some shops are busier: the style
sales = torch.poisson(kinds[kind] * busy * weeks.unsqueeze(-1))

# %% [markdown]
# Trained from nothing, three clusters often end as two or one: look at `clusters in use`, and try
# it. So the training starts near a clustering that is easy to have, k-means on the shares of the
# days. Clusters given to `fit` as `labels` pin the guide, where they are not -1. After a few epochs
# we take them away, and the model is free to leave them. (`GMVAE` does the like for you. On data
# this plain k-means does well alone; what matters here is the recipe.)

# %%
shops = SalesGMVAE(
    7,
    n_components=3,
    latent_dim=2,
    hidden=(32,),
    likelihood=Poisson,
    encoder=nn.Sequential(Logarithms(), nn.Linear(7, 32), nn.ReLU()),
)
shares = sales / sales.sum(1, keepdim=True)
start = torch.from_numpy(KMeans(3, n_init=5, random_state=0).fit_predict(shares)).long()
options = {"batch_size": 100, "learning_rate": 1e-2}
fit(shops, sales, TrainConfig(epochs=20, **options), labels=start, covariates=(weeks,))
result = fit(shops, sales, TrainConfig(epochs=50, **options), covariates=(weeks,))
print(f"ELBO {result.history[-1]['elbo']:.1f} nats per shop")

# %% [markdown]
# One panel for each cluster. Bars: the decoded rate per week at its centre. Dots: the truth, scaled
# to the same total (how busy a shop is belongs to the style). Dots at the tops of the bars mean
# that the week was found. The title counts the shops of each kind that ended up there; nothing in
# training forbids a cluster to stay empty or to hold two kinds.

# %%
with torch.no_grad():
    found = shops.responsibilities(sales).argmax(-1)
    rate = shops.model.p_x(shops.model.component_loc, torch.ones(3)).mean
counts = pd.crosstab(kind.numpy(), found.numpy()).reindex(columns=range(3), fill_value=0)
figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.4), sharey=True, layout="constrained")
axes[0].set_ylabel("sales per week")
for k, panel in enumerate(axes):
    panel.bar(days, rate[k], color="0.8")
    if counts[k].any():
        truth = kinds[counts[k].argmax()]
        panel.plot(days, truth * rate[k].sum() / truth.sum(), "o", color="#2563eb")
    panel.set_title(f"cluster {k}: shops of each kind {counts[k].tolist()}", size=9)

# %%
usage = cluster_usage(shops.responsibilities(sales).detach())
figures = log_likelihood(shops, sales, covariates=(weeks,), num_samples=200)
print(f"clusters in use {usage.clusters_in_use}, I(x;y) {usage.mutual_information:.2f} nats")
print(f"log p(x) {figures.mean:.2f} +- {figures.standard_error:.2f} nats per shop")

# %% [markdown]
# `docs/extending.md` has the same recipe with Pyro's `SVI`.
#
# ## Is the log-likelihood right?
#
# With a *linear* decoder and Gaussian noise, p(x) is a mixture of Gaussians that can be written
# down: cluster y gives mean W mu_y + b and covariance W diag(sigma_y^2) W' + s^2 I. So the
# importance-sampled log-likelihood has an exact answer to meet. We train such a model for a short
# while, so that its guide is good but not perfect, and compare.

# %%
noise = 0.5
linear = ExactGMVAE(
    4,
    n_components=3,
    latent_dim=2,
    hidden=(32,),
    likelihood=Gaussian((4,), scale=noise),
    decoder=nn.Linear(2, 4),
)
with torch.no_grad():
    linear.model.component_loc *= 2
    data = linear.model(None, torch.eye(3)[torch.arange(600) % 3])
result = fit(linear, data, TrainConfig(epochs=25, batch_size=100, learning_rate=1e-2))


def exact_log_p(x):
    """log p(x) of the linear model, in closed form."""
    model = linear.model
    weight, bias = model.decoder.weight, model.decoder.bias
    loc = model.component_loc @ weight.T + bias
    spread = weight * model.component_scale.unsqueeze(-2)
    covariance = spread @ spread.mT + noise**2 * torch.eye(4)
    given_y = dist.MultivariateNormal(loc, covariance).log_prob(x.unsqueeze(-2))
    return (model.log_p_y() + given_y).logsumexp(-1)


with torch.no_grad():
    exact = exact_log_p(data)
estimates = {s: log_likelihood(linear, data, num_samples=s) for s in (1, 3, 10, 30, 100, 300, 1000)}
best = estimates[1000]
print(f"exact     {exact.mean():.4f}")
print(f"estimate  {best.mean:.4f}, with {best.num_samples} samples")
print(f"ELBO      {best.elbo:.4f}")
print(f"median effective sample size {best.ess.median():.0f}, trustworthy: {best.trustworthy}")

# %% [markdown]
# *Left*: each dot is a datum; all should lie on the diagonal. *Right*: the estimate is a lower
# bound on average, and its distance from the truth shrinks towards zero as samples are added. With
# one sample it is the ELBO. The bars are two standard errors. How soon it gets there depends on how
# good the guide is, and this is what the effective sample size and Pareto k-hat tell you when there
# is no exact answer to look at.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
left.axline((exact.mean().item(),) * 2, slope=1, color="0.7", linewidth=1)
left.plot(exact, best.log_p, ".", markersize=4)
left.set(xlabel="exact log p(x), nats", ylabel="estimate, nats")
gaps = np.array([(exact - e.log_p).mean().item() for e in estimates.values()])
errors = np.array([(exact - e.log_p).std().item() / len(exact) ** 0.5 for e in estimates.values()])
right.axhline(0, color="0.7", linewidth=1)
right.errorbar(list(estimates), gaps, 2 * errors, marker="o", markersize=4, capsize=3)
right.set(xscale="log", xlabel="samples for each datum", ylabel="exact minus estimate, nats")
for panel in (left, right):
    panel.spines[["top", "right"]].set_visible(False)

# %%
pyro.settings.set(module_local_params=False)  # as Pyro has it

# %% [markdown]
# ## Exercise
#
# A shop has told its sales of Monday to Friday, and not of the weekend. Write a likelihood that
# leaves cells out where they are negative, by `mask` of `Likelihood.forward`, and check on the
# sales of `kinds` that a row with no hidden cell has the log p(x|z) that it had before.
#
# ## Where next
#
# * `docs/architecture.md`: who imports whom, and how to add a likelihood, a network, a method.
# * `docs/extending.md`: the recipe for a covariate, in short.
# * `pyro_gmvae/models/`: the programs themselves. They are short; reading them is the best guide.
