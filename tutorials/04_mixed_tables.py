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
# # Mixed tables
#
# You have a table of customers: amounts, counts, dates, yes and no, categories, and cells that
# nobody filled in. You would like to know which kinds of customers there are. This page makes such
# a table, looks at what its columns are taken for and corrects one guess, finds segments and what
# they are like, fills gaps, and names the segment of customers that are only half known.
#
# The table is generated, so that at the end we can say how much of the truth was found.

# %%
# %config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 90}
# %matplotlib inline
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", message="IProgress not found")  # progress bars without widgets

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import KNNImputer
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae import GMVAE
from pyro_gmvae.data import load
from pyro_gmvae.pictures import draw_clusters

# %% [markdown]
# ## The customers
#
# There are four segments. In three of them the columns are independent: who is in such a segment
# spends so much, give or take. The fourth is different. Its *collectors* lie on a long line: the
# more somebody is a collector, the older they are, the more they spend, the oftener they come, and
# the fewer minutes they stay. That line runs through the middle of the other three.
#
# 15 % of all cells are missing.


# %%
def customers(n, seed, missing=0.15):
    rng = np.random.default_rng(seed)
    segment = rng.choice(4, n, p=[0.25, 0.25, 0.2, 0.3])
    collector = rng.normal(size=n)  # how much of a collector somebody is

    def middle(*values, slope):
        return np.array(values)[segment] + np.where(segment == 3, slope * collector, 0.0)

    def chance(*values):
        return rng.random(n) < np.array(values)[segment]

    channels = np.array([[0.8, 0.15, 0.05], [0.4, 0.55, 0.05], [0.1, 0.6, 0.3], [0.7, 0.1, 0.2]])
    days = rng.gamma(4, np.array([80, 200, 400, 250])[segment]).astype(int)
    table = pd.DataFrame(
        {
            "customer_id": 10_000 + rng.permutation(n),
            "age": (middle(28, 40, 66, 47, slope=8) + rng.normal(0, 4, n)).clip(18).round(),
            "spend": np.exp(middle(3.3, 5.6, 4.4, 4.4, slope=1) + rng.normal(0, 0.4, n)).round(2),
            "minutes": np.exp(middle(1.8, 4.4, 1.4, 3.2, slope=-1) + rng.normal(0, 0.4, n)).round(
                1
            ),
            "visits": rng.poisson(np.exp(middle(1.0, 2.2, 1.5, 1.7, slope=0.6))),
            "since": pd.Timestamp("2026-06-30") - pd.to_timedelta(days, "D"),
            "newsletter": np.where(chance(0.3, 0.6, 0.15, 0.9), "yes", "no"),
            "channel": [rng.choice(["web", "shop", "phone"], p=channels[k]) for k in segment],
            "branch": rng.integers(1, 13, n),
            "refund": np.where(
                chance(0.25, 0.1, 0.02, 0.1), np.exp(rng.normal(3, 0.8, n)).round(2), 0
            ),
        }
    )
    gaps = rng.random(table.shape) < missing
    gaps[:, 0] = False  # everybody has a number
    return table, table.mask(gaps), np.array(["young", "busy", "senior", "collectors"])[segment]


whole, table, segment = customers(2_000, seed=2)
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "customers.csv"
table.to_csv(file, index=False)
table.head()

# %% [markdown]
# ## What the columns are taken for
#
# The file says nothing about its columns, so their kinds are guessed by rules. On the command line
# `pyro-gmvae schema customers.csv` prints this table; `train` prints it too.


# %%
def described(schema):
    rows = [(c.name, c.kind, c.gaps, c.weight, c.why) for c in schema.columns]
    return pd.DataFrame(rows, columns=["column", "kind", "gaps", "weight", "because of"])


data = load(str(file))
print(*data.notes, sep="\n")
described(data.schema)

# %% [markdown]
# Most of it is right. The number of the customer tells nothing about segments, and is left out.
# `refund` is a *spike*: nearly all cells are 0, and the others are another story, so that the
# model sees a yes or no, and an amount that is missing where the answer is no. A category of many
# levels weighs less in training, lest it rule the clusters.
#
# One guess is wrong. Branches are numbered from 1 to 12, which looks like a count; but branch 12
# is not twice branch 6. No rule can know that. We say so, by `schema=` here and by `--column
# branch=category` on the command line.

# %%
corrected = {"branch": "category"}
X = pd.read_csv(file)

# %% [markdown]
# ## Segments
#
# The estimator takes the data frame as it is, with text, dates and gaps. Nothing is filled in: a
# missing cell is left out of the likelihood.
#
# Training begins at a mixture in which the columns of a segment are independent. Then there is a
# choice. *Held* clusters stay as they are, and the model learns what varies within them. *Free*
# clusters may move. Held ones come out alike from run to run, and free ones can follow columns
# that depend on one another. We train both, to see the difference.

# %%
warnings.simplefilter("ignore", ConvergenceWarning)

held = GMVAE(4, clusters_are="held", schema=corrected, random_state=0).fit(X)
free = GMVAE(4, clusters_are="free", schema=corrected, random_state=0).fit(X)

# %% [markdown]
# Which is better? Customers that neither model has seen can tell, without any knowledge of the
# segments: to which model are they less of a surprise? `score_samples` is log p of a row's known
# cells, in nats. The default, `clusters_are="auto"`, trains both, and takes the free one only where
# rows become far likelier by it.

# %%
_, X_new, _ = customers(500, seed=3)
scores = {name: model.score_samples(X_new) for name, model in (("held", held), ("free", free))}
for name, log_p in scores.items():
    print(f"{name}: {log_p.mean():.2f} nats a row")
gain = scores["free"] - scores["held"]
print(f"free gains {gain.mean():.3f} +- {gain.std() / np.sqrt(len(gain)):.3f}")

# %% [markdown]
# ## What they are like
#
# One row is one cluster, with its share of the customers. Numbers, counts and dates show their
# mean, amounts their median, and colours say how far a cluster is from the mean of all rows.
# Spikes show how many cells are unusual, with their mean; the others show shares. The grey line on
# top of a cell is its share of gaps.
#
# This is the picture that `pyro-gmvae train` leaves as `clusters.png`.

# %%
rows = free.fitted_.conform(data)
draw_clusters(free.fitted_, rows)

# %% [markdown]
# ## How much of the truth was found
#
# Now, for the first time, the segments that we generated. The usual way to cluster such a table is
# to standardise numbers (amounts by their logarithms, if one thinks of it), to turn categories into
# columns of zeros and ones, to fill gaps by means, and to run k-means.

# %%
numbers, categories = ["age", "spend", "minutes", "visits"], ["newsletter", "channel", "branch"]
amounts = ["spend", "minutes"]


def one_hot(frame):
    frame = frame.assign(**np.log1p(frame[amounts]), refund=np.log1p(frame["refund"]))
    frame["since"] = (pd.to_datetime(frame["since"]) - pd.Timestamp("2026-06-30")).dt.days
    columns = frame[[*numbers, "since", "refund"]]
    parts = [(columns - columns.mean()) / columns.std()]
    for name in categories:
        levels = pd.get_dummies(frame[name], prefix=name, dtype=float)
        parts.append(levels.mask(frame[name].isna()))
    return pd.concat(parts, axis=1)


filled = one_hot(X).pipe(lambda frame: frame.fillna(frame.mean()))
kmeans = KMeans(4, n_init=10, random_state=0).fit_predict(filled)
found = {"k-means": kmeans, "held": held.labels_, "free": free.labels_}
pd.Series(
    {name: adjusted_rand_score(segment, clusters) for name, clusters in found.items()},
    name="adjusted Rand index",
).round(2).to_frame()

# %% [markdown]
# Held clusters are those of the mixture, which cannot follow the line: the cloud that covers all
# collectors reaches into the busy customers next to it. The free model has learned the line.

# %%
tables = {}
for name in ("held", "free"):
    tables[name] = pd.crosstab(segment, found[name], rownames=["segment"], colnames=["cluster"])
pd.concat(tables, axis=1)

# %% [markdown]
# ## Filling gaps
#
# The model knows what goes together, and can say what a missing cell probably holds: `impute`. We
# have kept the whole table, and so can look behind the gaps. Numbers are compared by the root mean
# square of their errors, in standard deviations of the column (amounts by their logarithms, so
# that few large ones do not rule); categories by the share that is right. Filling by the mean has
# errors of about 1.
#
# The other contender is scikit-learn's `KNNImputer`, on the columns of zeros and ones.

# %%
wide = one_hot(X)
close = KNNImputer(n_neighbors=10).set_output(transform="pandas").fit_transform(wide)
logs = X.assign(**np.log1p(X[amounts]))[numbers]
near = X.assign(**close[numbers] * logs.std() + logs.mean())
near[amounts] = np.expm1(near[amounts])
for name in categories:
    levels = close[[c for c in close.columns if c.startswith(f"{name}_")]]
    near[name] = levels.idxmax(axis=1).str.removeprefix(f"{name}_")


def errors(guess):
    scores = {}
    for name in numbers:
        missing = X[name].isna()
        scale = np.log1p if name in amounts else np.asarray
        wrong = scale(guess[name][missing].astype(float)) - scale(whole[name][missing])
        scores[name] = np.sqrt((wrong**2).mean()) / scale(whole[name]).std()
    for name in ("newsletter", "channel"):
        missing = X[name].isna()
        scores[f"{name}, share right"] = (guess[name][missing] == whole[name][missing]).mean()
    return scores


mean = X.assign(**{name: X[name].fillna(X[name].mean()) for name in numbers})
for name in amounts:
    mean[name] = X[name].fillna(np.expm1(np.log1p(X[name]).mean()))
mean = mean.assign(
    **{name: X[name].fillna(X[name].mode()[0]) for name in ("newsletter", "channel")}
)
pd.DataFrame(
    {"mean or commonest": errors(mean), "KNNImputer": errors(near), "free": errors(free.impute(X))}
).round(2)

# %% [markdown]
# ## New customers
#
# New rows may have gaps anywhere. A level that training never saw, such as a new channel, counts
# as missing, with a warning. The fewer cells are known, the less sure the model is, and it says
# so.

# %%
unknown = {name: [np.nan] * 3 for name in X.columns}
new = pd.DataFrame(unknown).astype({"newsletter": "object", "channel": "object", "since": "object"})
new["age"] = [70.0, 70.0, np.nan]
new["visits"] = [np.nan, 4.0, np.nan]
new["minutes"] = [np.nan, 4.0, np.nan]
new["channel"] = [None, "phone", "app"]

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    probabilities = free.predict_proba(new)
print("warning:", told[0].message)
pd.concat(
    [new[["age", "visits", "minutes", "channel"]], pd.DataFrame(probabilities).round(2)], axis=1
)

# %% [markdown]
# The third customer has nothing but an unknown channel, and gets roughly the share of each segment.
#
# The age is all that is known of the first one. `sample(given=...)` draws
# the missing cells, given the others.

# %%
drawn, clusters = free.sample(5, given=new.iloc[:1])
drawn.drop(columns="customer_id", errors="ignore").assign(cluster=clusters).round(
    {"spend": 2, "minutes": 1}
)

# %% [markdown]
# ## On the command line
#
# The same with files, which `table.to_csv("customers.csv", index=False)` and
# `new.to_csv("new.csv", index=False)` write:
#
#     pyro-gmvae schema customers.csv
#     pyro-gmvae train customers.csv --clusters 4 --column branch=category --out runs/customers
#     pyro-gmvae predict runs/customers new.csv -o segments.csv
#
# How many segments? `pyro-gmvae select` compares numbers of clusters. The kinds of columns, and
# what no rule can know, are explained in [docs/tables.md](../docs/tables.md).

# %% [markdown]
# ## Exercise
#
# How much can be missing? Blank half of the cells of `X_new`, beside the gaps that it has, and
# compare, by `free`, the mean probability of the likeliest cluster, and the agreement of the
# clusters with the segments, before and after. `customers` returns the segments as its third value.

# %%
folder.cleanup()
