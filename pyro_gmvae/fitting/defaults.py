"""Choose the settings that the user leaves open: every ``"auto"``, and every None.

No other module chooses one. Each function takes the user's value and what the choice depends on,
and returns a plain value. A choice depends on the data, the settings and the hardware, never on a
clock, so that the same call is the same training the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Literal

import pyro
import torch
from torch import Tensor

from pyro_gmvae.data import Binarize, Dataset, Encoding, KindDefaults
from pyro_gmvae.data.budget import wants_stream
from pyro_gmvae.data.kinds import named_kind, suitable_kind
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.groups import ModelSettings
from pyro_gmvae.fitting.starts.imitation import MIN_STEPS
from pyro_gmvae.inference import KLAnnealing, TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import Support, TableStructure
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.memory import free_memory
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training.device import check_device
from pyro_gmvae.training.resources import bytes_per_cluster

AUTO = "auto"
BEFORE = "before"  # the start of a training that goes on from a model
# Starts that compare several clusterings, whose clusters are worth holding.
COMPARED = ("portfolio", "neighbours")

# The likelihood for each kind of numbers.
LIKELIHOOD_OF: dict[Support, str] = {
    "real": "gaussian",
    "binary": "bernoulli",
    "unit_interval": "continuous_bernoulli",
    "levels": "discretized_logistic",
    "mixed": "table",
}
LEAST_BATCH = 16  # rows in a step
EPOCHS, MOST_EPOCHS = 100, 300
PATIENCE = 20  # epochs
FREED_ROWS = 1_000  # with fewer, freed clusters agree less between seeds
# Starts by information, whose penalties tell a poor one. With few rows about half of them are poor,
# and each takes seconds (docs/clusters.md).
STARTS, STARTS_OF_FEW, FEW_ROWS = 3, 6, 10_000
DRAWN_SHARE_REGULARIZED = 0.25
# On a CPU compilation takes about 10 s and saves 2 ms a step or more, on a GPU 4 to 12 s and 0.4 ms
# (benchmarks step and epoch).
COMPILED_STEPS = {"cpu": 5_000, "cuda": 20_000}
MEMORY_SHARE = 0.5  # of the free memory that a step may take, at most


def device(said: str) -> Literal["cpu", "cuda"]:
    """Take a GPU if there is one.

    Raises:
        InputError: for CUDA where there is none.
    """
    if said == AUTO:
        return "cuda" if torch.cuda.is_available() else "cpu"
    check_device(said)
    return said  # type: ignore[return-value]


def stream(said: str, source: str, *, known: bool) -> str:
    """Read a table in stream if it would take much of the memory; else leave the word as it is.

    Args:
        said: the user's word.
        source: the table.
        known: whether weights, labels or groups come with it, which are for rows in memory.

    Raises:
        InputError: for a file of Parquet that cannot be read.
    """
    return "on" if said == AUTO and not known and wants_stream(source) else said


def kind(said: str, data: Dataset) -> type[Encoding]:
    """Take the kind that recognises the rows, or else the one that they were read as.

    Raises:
        InputError: for images that are to be a table or embeddings.
    """
    return suitable_kind(data) if said == AUTO else named_kind(said, data)


def likelihood(said: str, binarize: str, data: Dataset) -> str:
    """Take the likelihood for the kind of numbers; pixels to be binarised count as 0 or 1."""
    if said != AUTO:
        return said
    support = "binary" if binarize in ("dynamic", "static") else data.kind.support_of(data)
    return LIKELIHOOD_OF[support]


def binarize(said: str) -> Binarize | None:
    """Leave the choice to the encoding, which goes by the likelihood."""
    return None if said == AUTO else said  # type: ignore[return-value]


def regularize(said: str, kind: type[Encoding], event_shape: Sequence[int]) -> str:
    """Take the moves that suit the kind of data."""
    return kind.suitable_moves(event_shape) if said == AUTO else said


def laws(
    model: ModelSettings,
    likelihood: str,
    support: Support,
    data: Dataset,
    *,
    regularized: bool,
) -> bool:
    """Let clusters have laws of their own, unless what is wanted of them needs other networks.

    A table of mixed columns has no other likelihood. A table of numbers has, under which labels,
    links and regularisers teach q(y|x) before the clusters have laws.
    """
    if not data.kind.has_laws(support, data.event_shape):
        return False
    if support == "mixed":
        return True
    taught = regularized or data.labels is not None or data.must_link is not None
    built_in = model.network == "mlp" and model.cluster_network in (AUTO, "mlp")
    return likelihood == "gaussian" and built_in and not taught and not model.shared_trunk


def latent_dim(said: int | None, usual: KindDefaults, table: TableStructure | None) -> int:
    """Take the size that suits the kind of data, or all axes that correlated columns have."""
    if said is not None:
        return said
    return len(table.columns) if table is not None and table.correlated else usual.latent_dim


def hidden(said: Sequence[int] | None, usual: KindDefaults) -> tuple[int, ...]:
    """Take the sizes that suit the kind of data."""
    return usual.hidden if said is None else tuple(said)


def cluster_network(
    said: str, kind: type[Encoding], *, regularized: bool, shared_trunk: bool
) -> str | None:
    """Take the network that tells clusters best, unless a shared trunk excludes a second one."""
    if said != AUTO:
        return said
    return None if shared_trunk else kind.cluster_network(regularized=regularized)


def learn_mixture(said: bool | None, *, regularized: bool) -> bool:
    """Learn p(y), unless a regulariser balances the clusters and would chase a learned p(y)."""
    return not regularized if said is None else said


def drawn_share(said: float | None, *, regularized: bool) -> float:
    """Decode the drawn cluster of a quarter of a batch under a regulariser, else of all.

    A regularised q(y|x) is sure of nearly every datum, so that the drawn cluster hardly matters.
    A q(y|x) trained by the likelihood alone is not sure, and a quarter costs some likelihood (see
    docs/paper.md).
    """
    if said is not None:
        return said
    return DRAWN_SHARE_REGULARIZED if regularized else 1.0


def start(
    said: str,
    kind: type[Encoding],
    event_shape: Sequence[int],
    support: Support,
    *,
    regularized: bool,
    taught: bool,
    covariates: bool = False,
) -> str:
    """Begin by the regulariser if there is one, else near the clustering that suits the data.

    Several starts are compared for numbers, unless labels or links teach their clusters. With
    covariates a mixture is fitted, for clusters of a graph have no p(y|w).
    """
    if said != AUTO:
        return said
    if regularized:
        return "information"
    return kind.suitable_start(event_shape, support, taught=taught or covariates)


def holds(
    said: str,
    method: str,
    n_rows: int,
    start: str,
    *,
    mixed: bool,
    taught: bool,
    shared_trunk: bool = False,
    before: bool | None = None,
    covariates: bool = False,
) -> tuple[bool, ...]:
    """Say for each training that is tried whether its clusters are held where they begin.

    Where the user leaves it open, clusters of the best of several starts are held, for freed ones
    gain likelihood and lose groups (see docs/clusters.md). For mixed columns both are tried, and
    likelihood chooses (see `pyro_gmvae.fitting.choice`). There clusters of few rows are held, for
    freed ones differ from seed to seed. Clusters of numbers that were fitted together with p(y|w)
    are held too: both have converged.

    Args:
        said: the user's word.
        method: the inference method.
        n_rows: training rows.
        start: the name of the start.
        mixed: whether the table has mixed columns.
        taught: whether labels, links or a regulariser want clusters of their own.
        shared_trunk: whether q(y|x) has no encoder of its own.
        before: whether the model that training goes on from has held clusters; None for a new one.
        covariates: whether the clusters depend on covariates.

    Raises:
        InputError: for clusters that are to be held and cannot be.
    """
    refusals = {
        "the marginal method cannot hold clusters: use another method": method == "marginal",
        "held clusters learn nothing from labels, links or a regulariser: let them be free": taught,
        "clusters are held by an encoder of their own: leave shared_trunk out": shared_trunk,
        "clusters of a random start are not worth holding: name another start, or let them be "
        "free": start == "random",
    }
    refused = [message for message, applies in refusals.items() if applies]
    if said == "held" and refused:
        raise InputError(refused[0])
    if said != AUTO:
        return (said == "held",)
    if refused:
        return (False,)
    if before is not None:
        return (before,)
    if mixed:
        return (True, False) if n_rows >= FREED_ROWS else (True,)
    return (start in COMPARED or (covariates and start == "mixture"),)


def starts(said: int | None, start: str, n_rows: int) -> int:
    """Try six starts by information, three for more than 10,000 rows, else one.

    Trainings that go on from a model have only one start.
    """
    if start == BEFORE:
        return 1
    if said is not None:
        return said
    if start != "information":
        return 1
    return STARTS_OF_FEW if n_rows <= FEW_ROWS else STARTS


def batch_size(said: int | None, usual: KindDefaults, n_rows: int) -> int:
    """Take the usual rows in a step, or so few that an epoch has the steps that suit the data."""
    if said is not None:
        return said
    steps = usual.epoch_steps
    return usual.batch if steps is None else max(LEAST_BATCH, min(usual.batch, n_rows // steps))


def epochs(said: int | None, usual: KindDefaults, n_rows: int, batch_size: int) -> int:
    """Take 100 epochs, or for data that count steps as many as make these, within bounds."""
    if said is not None:
        return said
    if usual.total_steps is None:
        return EPOCHS
    wanted = ceil(usual.total_steps / ceil(n_rows / batch_size))
    return max(usual.fewest_epochs, min(wanted, MOST_EPOCHS))


def max_steps(epochs_said: int | None, usual: KindDefaults) -> int | None:
    """End a training that counts steps within a pass over very many rows, unless epochs are told.

    Args:
        epochs_said: the user's number of epochs.
        usual: the defaults.
    """
    if epochs_said is not None or usual.fewest_epochs > 1:
        return None
    return usual.total_steps


def learning_rate(said: float | None, usual: KindDefaults) -> float:
    """Take the rate that suits the kind of data."""
    return usual.learning_rate if said is None else said


def learning_rate_schedule(said: str, usual: KindDefaults) -> Literal["constant", "cosine"]:
    """Take the course that suits the kind of data."""
    return usual.learning_rate_schedule if said == AUTO else said  # type: ignore[return-value]


def patience(said: int | None, schedule: str) -> int | None:
    """Stop after 20 epochs without a better held-out ELBO, unless the learning rate falls.

    Under a cosine the ELBO is best towards the end, and would be missed by stopping before.
    """
    if said is not None:
        return said
    return PATIENCE if schedule == "constant" else None


def annealing_epochs(said: float | None, start: str, usual: KindDefaults) -> float:
    """Anneal for 10 epochs, or for none where that would lose the clusters of the start.

    A training that goes on from a model has clusters to lose, whatever the kind of data.
    """
    if said is not None:
        return said
    if start == BEFORE:
        return 0.0
    begun = start not in ("information", "random")
    return 0.0 if begun and not usual.anneals_found_clusters else KLAnnealing.duration


def start_steps(data: Dataset, usual: KindDefaults, total_steps: int) -> int:
    """Return the least number of steps in which a model learns the clusters it begins near.

    A table's clusters often touch. It takes long to learn where, and a model soon leaves clusters
    that it has not learned (see docs/clusters.md). The steps are at most a third of the training.
    Where labels or groups of some rows are known, clusters should stay easy to leave, because the
    labels or groups may want others.
    """
    wanted = usual.start_steps
    if wanted is None or data.labels is not None or data.must_link is not None:
        return MIN_STEPS
    return max(MIN_STEPS, min(wanted, total_steps // 3))


def compiled(said: str, device: str, total_steps: int) -> Literal["try"] | bool:
    """Try to compile a step where the training is long enough to gain by it."""
    if said != AUTO:
        return said == "on"
    return "try" if total_steps >= COMPILED_STEPS[device] else False


def precision(said: str, device: str, usual: KindDefaults) -> Literal["float32", "bfloat16"]:
    """Take bfloat16 for images on GPUs that have it, else float32.

    On a CPU it is float32 on every processor, so that the same training gives the same clusters on
    every machine. The groups of a table may be told apart by less than bfloat16 resolves.
    """
    if said != AUTO:
        return said  # type: ignore[return-value]
    able = device == "cuda" and torch.cuda.get_device_capability() >= (8, 0)
    return "bfloat16" if able and usual.tolerates_bfloat16 else "float32"


def chunk_size(said: int | None, gmvae: GMVAE, x: Tensor, device: str) -> int | None:
    """Sum all clusters of the exact method at a time, or as many as half of the memory holds.

    Args:
        said: the user's value.
        gmvae: the model.
        x: as many rows on model scale as a step has.
        device: the device of the training.
    """
    if said is not None or gmvae.method != "exact":
        return said
    elbo = TraceEnumMeanField_ELBO(vectorize_particles=True, max_plate_nesting=1)
    with (
        forked_rng(),
        pyro.validation_enabled(False),
        pyro.settings.context(module_local_params=True),
    ):
        each = bytes_per_cluster(gmvae, elbo, [x, None])
    budget = MEMORY_SHARE * free_memory(torch.device(device))
    if gmvae.n_components * each <= budget:
        return None
    return max(1, int(budget // each))


def total_steps(epochs: int, n_rows: int, batch_size: int, most: int | None = None) -> int:
    """Count the gradient steps of a training, at most."""
    steps = epochs * ceil(n_rows / batch_size)
    return steps if most is None else min(steps, most)
