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
# # Customer segments
#
# You have a file of customers, and a campaign to plan. This page goes from the file to segments,
# says what sets each segment apart, compares segments by a column that they were not made from, and
# then does what comes after every segmentation: new customers arrive, and each needs a segment, or
# the honest answer that none fits.
#
# You will have learned to
#
# * read what sets a segment apart, with intervals;
# * say segments by a few rules, for people and for a database;
# * describe segments by answers to a campaign, in spite of customers whose segment is unsure;
# * score new customers, and read `typicality`;
# * reject those that fit nowhere, at a rate that you choose.

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
from sklearn.exceptions import ConvergenceWarning

from pyro_gmvae import GMVAE
from pyro_gmvae.data import load
from pyro_gmvae.pictures import draw_clusters
from pyro_gmvae.segments import explain

# %% [markdown]
# ## The customers
#
# The table is generated, and looks like those that shops have: when somebody was born, what the
# household earns (unknown for some), children, the day of enrolment, two years of spending by
# product, and purchases by channel.
#
# Four kinds of customers are in it. *Gourmets* earn well, have no children at home, buy wine and
# meat, and like the catalogue. *Families* have teenagers, a middle income, and look for deals on
# the web. *Starters* are young, have small children, and spend little. *Traditional* customers are
# older, buy fish and sweets, and come to the shop.
#
# `answered` says who answered the last campaign. Segments are not made from it: it is what we want
# to know of them.


# %%
def customers(n, seed):
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, n, p=[0.25, 0.3, 0.25, 0.2])
    taste = rng.normal(0, 0.35, n)  # some spend more than others of their kind, on everything

    def amounts(*middles):
        logs = np.log(middles)[kind] + taste + rng.normal(0, 0.5, n)
        return np.exp(logs).round(2)

    def counts(*means):
        return rng.poisson(np.array(means)[kind])

    def whether(*chances):
        return rng.random(n) < np.array(chances)[kind]

    income = np.exp(np.log([76_000, 52_000, 33_000, 44_000])[kind] + rng.normal(0, 0.22, n))
    days = rng.integers(0, 730, n)
    table = pd.DataFrame(
        {
            "customer": 5_000 + rng.permutation(n),
            "born": (np.array([1966, 1968, 1984, 1951])[kind] + rng.normal(0, 5, n)).astype(int),
            "partner": np.where(whether(0.6, 0.8, 0.55, 0.45), "yes", "no"),
            "income": np.where(rng.random(n) < 0.08, np.nan, income.round()),
            "small_children": counts(0.05, 0.2, 1.1, 0.02).clip(0, 2),
            "teenagers": counts(0.1, 1.2, 0.05, 0.1).clip(0, 2),
            "enrolled": pd.Timestamp("2024-06-30") + pd.to_timedelta(days, "D"),
            "wine": amounts(620, 320, 35, 150),
            "meat": amounts(420, 110, 28, 80),
            "fish": amounts(90, 30, 9, 95),
            "sweets": amounts(60, 22, 8, 70),
            "deals": counts(1.0, 4.0, 2.2, 1.5),
            "web": counts(4.5, 6.5, 2.2, 1.2),
            "catalogue": counts(6.0, 2.2, 0.5, 1.8),
            "shop": counts(8.0, 6.0, 3.0, 8.0),
        }
    )
    return table, whether(0.35, 0.12, 0.08, 0.04), kind


table, answered, kind = customers(2_000, seed=0)
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "customers.csv"
table.to_csv(file, index=False)
table.head()

# %% [markdown]
# ## Segments
#
# The file goes in as it is. The number of the customer tells nothing about segments, and is left
# out; the note says so. What columns are taken for, and how to correct a guess, is on the page
# [Mixed tables](04_mixed_tables.ipynb).
#
# A tenth of the customers is held out of training. They end it in time, and they will be needed
# again below.

# %%
warnings.simplefilter("ignore", ConvergenceWarning)

data = load(str(file))
print(*data.notes, sep="\n")
X = pd.read_csv(file)
gm = GMVAE(4, random_state=0).fit(X)
sizes = pd.Series(gm.labels_, name="cluster").value_counts().sort_index()
sizes.to_frame("customers")

# %% [markdown]
# One row of the picture is one cluster, with its share. Numbers and dates show their mean, amounts
# their median, categories their shares, and colours say how far a cluster is from the mean of all.

# %%
rows = gm.fitted_.conform(data)
draw_clusters(gm.fitted_, rows)

# %% [markdown]
# ## What sets them apart
#
# A table of means does not say which differences matter. `explain` compares each cluster with all
# other customers, column by column, and orders the differences. Its intervals hold all together:
# with a probability of 95 % not one of them misses, however many columns were looked at. They know
# that some customers may be in another cluster.
#
# A standardised difference is in standard deviations of the column, of its logarithms if it holds
# amounts. The other measures are natural logarithms: a log rate ratio of 0.7 says that a mean count
# is twice that of the others, a log odds ratio of 0.7 that the odds of a level are. Below zero the
# others have more.

# %%
found = explain(gm.fitted_, rows)
traits = [
    {
        "cluster": segment.cluster,
        "share": f"{segment.size.share:.0%} ({segment.size.low:.0%} to {segment.size.high:.0%})",
        "column": trait.column if trait.level is None else f"{trait.column} = {trait.level}",
        "measure": trait.effect.measure,
        "effect": round(trait.effect.estimate, 1),
        "interval": f"{trait.effect.low:.1f} to {trait.effect.high:.1f}",
    }
    for segment in found.segments
    for trait in segment.traits[:3]
]
pd.DataFrame(traits).set_index(["cluster", "share", "column"])

# %% [markdown]
# With these three lines and the picture a cluster can be named. We know the kinds that we
# generated, and can look which cluster is which; with your own customers you are on your own here.

# %%
names = ["gourmets", "families", "starters", "traditional"]
counted = pd.crosstab(np.array(names)[kind], gm.labels_, rownames=["kind"], colnames=["cluster"])
name_of = dict(counted.idxmax())
counted.rename(columns=name_of)

# %% [markdown]
# ## Rules for a warehouse
#
# The marketing database cannot run a neural network, and a colleague wants to know in one line who
# a family is. `rules` grows a shallow tree that imitates the clusters, and says how often it agrees
# with them, on customers that it has not seen. What it gets wrong is the price of its shortness.

# %%
rules = gm.rules(X, max_depth=3)
print(rules)

# %% [markdown]
# `to_sql` writes the same as a `CASE` expression, in which a missing cell meets a rule too.

# %%
print(rules.to_sql())

# %% [markdown]
# ## Who answers
#
# Does the answer to the last campaign differ between segments? Shares among the customers assigned
# to a segment are drawn towards one another, for some are in a segment that is not theirs.
# `describe` corrects this, by a method named BCH, and gives intervals. It also compares each pair
# of segments, by Holm's rule for many tests at once ([how far to trust it](../docs/segments.md)).

# %%
print(gm.describe(X, {"answered": answered}))

# %% [markdown]
# ## New customers
#
# A month later there is another file. Most of its customers are like those we know. Thirty are not:
# *caterers*, who buy fish and sweets by the hundredweight on the web. And ten lines are damaged:
# the decimal point of every amount has moved.

# %%
usual, _, _ = customers(600, seed=1)
caterers, _, _ = customers(30, seed=2)
caterers["fish"] *= 40
caterers["sweets"] *= 40
caterers["web"] += 25
damaged, _, _ = customers(10, seed=3)
damaged[["wine", "meat", "fish", "sweets"]] /= 100
new = pd.concat([usual, caterers, damaged], ignore_index=True)
origin = pd.Series(np.repeat(["usual", "caterer", "damaged"], [600, 30, 10]), name="origin")

scored = gm.assign(new)
scored.head().round(3)

# %% [markdown]
# `probability` is that of the likeliest cluster, and `second_cluster` the one to think of next.
# `log_p` says how likely the customer's cells are in all, in nats; without a scale it means little.
# `typicality` has a scale: it is the share of held-out customers that are less likely. 0.5 is an
# ordinary customer. One in a hundred ordinary customers has 0.01 or less.
#
# `probability` cannot do this. It only compares the four clusters with one another, and the model
# is quite sure about caterers.

# %%
pd.DataFrame(
    {
        "typicality below 0.01": (scored["typicality"] < 0.01).groupby(origin).mean(),
        "mean probability": scored["probability"].groupby(origin).mean(),
    }
).round(2)

# %%
figure, axes = plt.subplots(figsize=(6, 3))
bins = np.linspace(0, 1, 21)
kinds = ["usual", "caterer", "damaged"]
parts = [scored["typicality"][origin == kind] for kind in kinds]
axes.hist(parts, bins, stacked=True, label=kinds)
axes.set(xlabel="typicality", ylabel="customers")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Typicality of the usual customers is spread over 0 to 1, as it should be; it is as uneven as 200
# held-out customers make it. The others are on the left.

# %% [markdown]
# ## Rejecting
#
# Typicality leaves the decision to you. `reject=0.05` makes it: five in a hundred customers *like
# those of training* get no segment, and more of others. There are two reasons. A customer is
# *unlike* all segments, as the caterers are, or is *torn* between two. The rate counts both
# together, and holds whether or not the model is right, because it is set on the held-out
# customers. From one training to the next it varies: with 200 held-out customers by one and a half
# points.

# %%
decided = gm.assign(new, reject=0.05)
reasons = pd.crosstab(
    origin, decided["rejected_because"].replace("", "in a segment"), normalize="index"
)
reasons.round(3)

# %% [markdown]
# A torn customer is not lost. The two clusters are there, and both campaigns may do.

# %%
torn = decided[decided["rejected_because"] == "torn"]
torn.filter(regex="cluster|probability|typicality").head(4).round(2)

# %% [markdown]
# If a program wants plain labels, give the rate to the constructor, `GMVAE(4, reject=0.05)`:
# `labels_` and `predict` then say -1 for rejected rows, as HDBSCAN does.

# %% [markdown]
# ## On the command line
#
# The same with files, which `table.to_csv("customers.csv", index=False)` and
# `new.to_csv("new.csv", index=False)` write:
#
#     pyro-gmvae train customers.csv --clusters 4 --out runs/customers
#     pyro-gmvae report runs/customers -o segments.html
#     pyro-gmvae rules runs/customers --sql -o segment.sql
#     pyro-gmvae predict runs/customers new.csv --reject 0.05 -o segments.csv
#
# The report is one page with all that was said of the segments above, to send to people. The folder
# of the run holds what rejecting needs, so that the old customers can stay where they are. The
# columns of `segments.csv` are explained in [docs/commands.md](../docs/commands.md).

# %% [markdown]
# ## Exercise
#
# Next month somebody swaps the columns `wine` and `fish`. No cell is missing, every number is one
# that the column may hold, and every program reads the file. Make such a table of `usual`, and find
# the share of its customers that `reject=0.05` rejects. Which share would make you stop a nightly
# job? Which segment suffers most from the swap, by `likeliest_cluster`, and why?

# %%
folder.cleanup()
