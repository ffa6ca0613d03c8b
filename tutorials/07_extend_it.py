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
# # Extend it
#
# The page [The model in Pyro](02_the_model_in_pyro.ipynb) shows what the programs do. This page
# changes all three laws of the generative model, for data that no setting fits: numbers of claims
# of insured people, observed for different times, in an unknown number of groups.
#
# You will have learned to
#
# * write a likelihood with a parameter of its own;
# * let p(x given z) depend on a covariate;
# * learn p(y), and with it how many clusters are needed, by a truncated Dirichlet process;
# * train with our trainer, and with Pyro's own `SVI`.

# %%
# %config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
# %matplotlib inline
import warnings

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars without widgets

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import SVI, TraceEnum_ELBO
from pyro.optim import ClippedAdam
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from torch import nn

from pyro_gmvae.distributions import RelaxableOneHotCategorical
from pyro_gmvae.evaluation import log_likelihood, sample
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import Likelihood
from pyro_gmvae.models import ExactGMVAE, GenerativeModel
from pyro_gmvae.models.guides import ExactGuide
from pyro_gmvae.training import TrainConfig, fit

pyro.set_rng_seed(0)

# %% [markdown]
# ## The claims
#
# Three kinds of people: half of them have a car, others a house, others a dog that bites. The table
# counts the claims of each of five types in as many years as they have been insured. Somebody who
# has been insured for longer has more claims, which says nothing of their kind. And claims vary
# more than a Poisson law says: some people have bad luck of their own.

# %%
types = ["glass", "collision", "water", "theft", "liability"]
rates = torch.tensor(
    [[0.2, 2.0, 0.3, 1.0, 0.1], [2.0, 0.2, 0.2, 0.3, 1.0], [0.3, 0.3, 3.0, 0.1, 0.3]]
)
n_people = 900
kind = torch.multinomial(torch.tensor([0.5, 0.3, 0.2]), n_people, replacement=True)
years = torch.randint(1, 11, (n_people,)).float()
care = torch.exp(0.2 * torch.randn(n_people, 1))  # careless people have more claims: the style
expected = rates[kind] * care * years.unsqueeze(-1)
claims = dist.NegativeBinomial(torch.tensor(4.0), logits=expected.log() - np.log(4.0)).sample()
pd.DataFrame(claims[:5].int().numpy(), columns=types).assign(years=years[:5].int().numpy())

# %% [markdown]
# ## A likelihood with a parameter
#
# A likelihood says what the decoder's output means. Here it is the logarithm of the mean of a
# negative binomial law, whose variance is mean + mean² / r. The r of each column is a parameter of
# the likelihood: it is an `nn.Module`, so that whatever trains the model trains r too.


# %%
class NegativeBinomial(Likelihood):
    """Counts that vary more than a Poisson law; the decoder gives the logarithm of the mean."""

    support = "count"

    def __init__(self, event_shape):
        super().__init__(event_shape)
        self.log_r = nn.Parameter(torch.zeros(event_shape))

    def entrywise(self, output):
        return dist.NegativeBinomial(self.log_r.exp(), logits=output.clamp(max=12) - self.log_r)


# %% [markdown]
# ## A covariate
#
# What you pass after `(x, y)` reaches `p_x`. The mean is the decoded rate times the years. The
# encoder gets claims alone; it could see the years as well, by an override of the guide's
# `encode(x, *covariates)`.


# %%
class ClaimsModel(GenerativeModel):
    def p_x(self, z, years):
        return self.likelihood(self.decoder(z) + years.log().unsqueeze(-1))


class ClaimsGMVAE(ExactGMVAE):
    model_class = ClaimsModel


# %% [markdown]
# ## A Dirichlet process for p(y)
#
# How many kinds of people are there? A Dirichlet process has no fixed number. It breaks a stick of
# length 1: the first cluster gets a share v_1 of it, the second a share v_2 of the rest, and so on,
# where each v is drawn from Beta(1, α). The smaller α, the sooner the stick is used up, and the
# fewer clusters matter. We cut the process off at eight clusters: the last one gets what is left.
# `RelaxableOneHotCategorical` is Pyro's `OneHotCategorical`, in the form that all methods can use.
#
# The sticks are one random variable for all people, so they need a site outside the plate of the
# data. `p_y` is called there, and may sample. The guide needs the same site: its `forward` samples
# q(v), a Beta law whose two parameters are learned, and then does what it did before. The
# evaluation asks the model for `log_p_y`, which shall be the logarithm of the mean share.
#
# The sticks are the same in every batch, and their KL shall count once for all the people. A batch
# has a ninth of them, hence the scale, in model and guide alike.


# %%
def log_shares(log_v, log_rest):
    """Break the stick: log of v_k times all that was left by those before."""
    end = log_v.new_zeros(1)
    return torch.cat([log_v, end]) + torch.cat([end, log_rest.cumsum(-1)])


class Sticks(nn.Module):
    """Hold the prior and the posterior of the sticks, which model and guide share."""

    batch_share = 100 / n_people

    def __init__(self, n_clusters, alpha=0.5):
        super().__init__()
        self.alpha = alpha
        left = torch.arange(n_clusters - 1, 0, -1).float()  # clusters behind each stick
        self.logs = nn.Parameter(torch.stack([torch.ones_like(left), left]).log() / 4)

    def q(self):
        a, b = (4 * self.logs).exp()  # counts of people; 4 makes Adam's steps longer
        return dist.Beta(a, b).to_event(1)

    def p(self):
        one = torch.ones(self.logs.shape[1])
        return dist.Beta(one, self.alpha * one).to_event(1)


class StickModel(ClaimsModel):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.sticks = Sticks(self.n_components)

    def p_y(self):
        with poutine.scale(scale=self.sticks.batch_share):
            v = pyro.sample("sticks", self.sticks.p())
        return RelaxableOneHotCategorical(logits=log_shares(v.log(), (-v).log1p()))

    def log_p_y(self):
        v = self.sticks.q().mean
        return log_shares(v.log(), (-v).log1p())


class StickGuide(ExactGuide):
    def forward(self, x, y=None, *covariates):
        with poutine.scale(scale=self.sticks.batch_share):
            pyro.sample("sticks", self.sticks.q())
        super().forward(x, y, *covariates)


class StickGMVAE(ExactGMVAE):
    model_class = StickModel
    guide_class = StickGuide

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.guide.sticks = self.model.sticks


# %% [markdown]
# ## Train both
#
# One model has a uniform p(y) over eight clusters, the other breaks a stick. Both begin near eight
# clusters that k-means finds in the claims per year, the largest first: given to `fit` as labels
# they pin the guide for fifteen epochs, and then they are taken away.


# %%
class Logarithms(nn.Module):
    def forward(self, counts):
        return counts.log1p()


near = KMeans(8, n_init=5, random_state=0).fit_predict((claims + 0.5) / years.unsqueeze(-1))
start = torch.from_numpy(np.bincount(near).argsort()[::-1].argsort()[near])
options = {"batch_size": 100, "learning_rate": 1e-2}


def trained(pair, epochs=30):
    torch.manual_seed(1)
    gmvae = pair(
        5,
        n_components=8,
        latent_dim=2,
        hidden=(32,),
        likelihood=NegativeBinomial,
        encoder=nn.Sequential(Logarithms(), nn.Linear(5, 32), nn.ReLU()),
    )
    first = TrainConfig(epochs=15, **options)
    fit(gmvae, claims, first, labels=start, covariates=(years,))
    fit(gmvae, claims, TrainConfig(epochs=epochs, **options), covariates=(years,))
    return gmvae


models = {"uniform": trained(ClaimsGMVAE), "sticks": trained(StickGMVAE)}


# %%
def clusters(gmvae):
    return gmvae.responsibilities(claims, years).detach().argmax(-1)


figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharey=True, layout="constrained")
axes[0].set_ylabel("share")
for panel, (name, gmvae) in zip(axes, models.items(), strict=True):
    people = clusters(gmvae).bincount(minlength=8) / n_people
    panel.bar(range(8), people, color="0.8", label="people")
    panel.plot(range(8), gmvae.model.log_p_y().exp().detach(), "o", label="p(y)")
    panel.set(title=name, xlabel="cluster")
    panel.legend(frameon=False)
    agreement = adjusted_rand_score(kind, clusters(gmvae))
    log_p = log_likelihood(gmvae, claims, covariates=(years,), num_samples=100).mean
    print(f"{name}: agreement with the kinds {agreement:.2f}, log p(x) {log_p:.2f} nats a person")
# %% [markdown]
# The uniform law pays nothing for using all eight clusters, and divides people more finely than
# their kinds. The stick makes a cluster that few people need dearer still: its share falls, fewer
# people choose it, and five clusters end empty. It describes the people as well with three clusters
# as the other law does with eight. Where the training begins still matters: a cluster that begins
# large may stay.
#
# p(y) also matters when you draw. From a uniform p(y) every cluster is drawn alike, however many
# people are in it.

# %%
for name, gmvae in models.items():
    _, drawn = sample(gmvae, 2_000, covariates=(torch.ones(2_000),), seed=0)
    used = clusters(gmvae).bincount(minlength=8) >= 0.02 * n_people
    print(f"{name}: {(~used[drawn]).float().mean():.0%} drawn from clusters of less than 2 %")

# %% [markdown]
# ## The same model under Pyro's own SVI
#
# The pair stays two Pyro programs, with one site more. The ELBO of Pyro agrees with ours, up to the
# error of a mean over random draws:

# %%
sticks = models["sticks"]
batch = claims[:100], None, years[:100]
for elbo_class in (TraceEnum_ELBO, TraceEnumMeanField_ELBO):
    elbo = elbo_class(max_plate_nesting=1)
    draws = -torch.tensor([elbo.loss(sticks.model, sticks.guide, *batch) for _ in range(50)]) / 100
    print(f"{elbo_class.__name__}: {draws.mean():.2f} +- {draws.std() / 50**0.5:.2f} nats a person")

# %% [markdown]
# And `SVI` trains it. We begin another pair, stop one epoch after the labels are taken away, and
# let Pyro go on for 300 steps, which are 33 epochs. It comes most of the way to the ELBO that our
# trainer reached.


# %%
def elbo_of_all(gmvae, draws=20):
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    parts = torch.arange(n_people).split(100)  # batches, for `batch_share` is that of a batch
    losses = [
        sum(elbo.loss(gmvae.model, gmvae.guide, claims[b], None, years[b]) for b in parts)
        for _ in range(draws)
    ]
    return -np.mean(losses) / n_people


begun = trained(StickGMVAE, epochs=1)
before = elbo_of_all(begun)
pyro.clear_param_store()
adam = ClippedAdam({"lr": 1e-2})
svi = SVI(begun.model, begun.guide, adam, TraceEnum_ELBO(max_plate_nesting=1))
for _ in range(300):
    rows = torch.randperm(n_people)[:100]
    svi.step(claims[rows], None, years[rows])
pyro.clear_param_store()  # the modules keep their trained weights
print(f"ELBO {before:.2f} before, {elbo_of_all(begun):.2f} after; ours {elbo_of_all(sticks):.2f}")

# %% [markdown]
# ## Claims per year
#
# One panel for each of the three largest clusters. Bars: the decoded mean of one year at the
# cluster's centre. Dots: the rates that we made, for the kind that most people of the cluster are.

# %%
found = clusters(sticks)
largest = found.bincount(minlength=8).argsort(descending=True)[:3].tolist()
with torch.no_grad():
    centre = sticks.model.p_x(sticks.model.component_loc, torch.ones(8)).mean
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), sharey=True, layout="constrained")
axes[0].set_ylabel("claims per year")
for panel, k in zip(axes, largest, strict=True):
    panel.bar(types, centre[k], color="0.8")
    if (found == k).any():
        panel.plot(types, rates[kind[found == k].mode().values], "o", color="#2563eb")
    panel.set_title(f"cluster {k}: {(found == k).float().mean():.0%} of people", size=9)
    panel.tick_params(axis="x", rotation=45)

# %% [markdown]
# ## What else
#
# * `p_z` is the third law: heavy tails of the style, or a covariance shared by all clusters.
# * A p(y) that depends on covariates of the person is built in: give the pair `n_covariates`, and
#   the covariates come first after `y`. `GMVAE.fit(X, covariates=W)` is the short way.
# * A run folder keeps built-in models only. Keep one of yours by `torch.save(gmvae.state_dict(),
#   file)`.
#
# ## Exercise
#
# Leave out the covariate: write a pair whose `p_x` takes the years and does not use them, train it
# by `trained`, and compare its log p(x) with that of the uniform model. What do its clusters tell
# of a person?
