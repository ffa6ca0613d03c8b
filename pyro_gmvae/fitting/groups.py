"""Define the settings of a training in small groups, each with its range and help line.

A setting is written here once. Its metadata check it and make the command's option and help line;
`pyro_gmvae.fitting.plan` uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pyro_gmvae import ranges
from pyro_gmvae.fitting.data_settings import DataSettings
from pyro_gmvae.fitting.knobs import Checked, knob
from pyro_gmvae.fitting.starts import start_names
from pyro_gmvae.likelihoods import LIKELIHOODS

__all__ = [
    "GROUPS",
    "METHODS",
    "ConcreteSettings",
    "DataSettings",
    "ExactSettings",
    "HardwareSettings",
    "MarginalSettings",
    "ModelSettings",
    "SparseSettings",
    "StartSettings",
    "TrainingSettings",
]


@dataclass(frozen=True)
class ModelSettings(Checked):
    """Configure the model; each method has a subclass with its own settings.

    >>> ModelSettings(hidden=[64, 64]).hidden
    (64, 64)
    """

    method: ClassVar[str]

    def passed(self) -> dict[str, Any]:
        """Return the settings that the method's model takes as they are."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["passed"]}
        return {name: value for name, value in own.items() if value is not None}

    clusters: int = knob(
        8, "int", "Number of clusters; some may stay empty.", least=1, most=ranges.MOST_CLUSTERS
    )
    latent_dim: int | None = knob(
        None,
        "int",
        "Number of latent dimensions, which describe how rows vary within a cluster.",
        least=1,
        most=ranges.MOST_WIDTH,
        unset="20 for images, 2 or 6 for mixed columns, as many as columns for up to 32 numbers",
    )
    hidden: Sequence[int] | None = knob(
        None,
        "sizes",
        "Sizes of the hidden layers of every network.",
        unset="256,256 for images, 128,128 for tables, 64,64 for few rows of mixed columns",
        metavar="N,N",
    )
    network: str = knob(
        "mlp",
        "word",
        "Layers of the networks: mlp sees all entries at once, conv is for images.",
        choices=("mlp", "conv"),
    )
    cluster_network: str = knob(
        "auto",
        "word",
        "Layers of the encoder that tells the cluster; auto takes conv for images with a "
        "regulariser, else the layers of --network.",
        choices=("auto", "mlp", "conv"),
    )
    channels: Sequence[int] | None = knob(
        None,
        "sizes",
        "Channels of the conv layers, from fine to coarse.",
        unset="16,32",
        metavar="N,N",
    )
    likelihood: str = knob(
        "auto",
        "word",
        "Distribution of the data; auto takes bernoulli for black and white, continuous_bernoulli "
        "for grey and discretized_logistic for colour images, gaussian for tables of numbers, and "
        "table for columns of several kinds, or with gaps.",
        choices=lambda: ("auto", *LIKELIHOODS),
    )
    binarize: str = knob(
        "auto",
        "word",
        "How pixels become black or white; auto draws them anew in every step under a likelihood "
        "of zeros and ones.",
        choices=("auto", "dynamic", "static", "none"),
    )
    shared_trunk: bool = knob(
        False, "flag", "Let one encoder serve both the cluster and the latents."
    )
    learn_mixture: bool | None = knob(
        None,
        "flag",
        "Learn how large the clusters are, or take them all as equally large.",
        unset="learned without a regulariser",
        flags=("--learn-mixture/--uniform-mixture",),
    )


@dataclass(frozen=True)
class ExactSettings(ModelSettings):
    """Configure the exact method.

    >>> ExactSettings(chunk_size=5).method
    'exact'
    """

    method: ClassVar[str] = "exact"

    chunk_size: int | None = knob(
        None,
        "int",
        "Clusters that the exact method sums at a time.",
        least=1,
        most=ranges.MOST_CLUSTERS,
        unset="as many as fit into memory",
    )


@dataclass(frozen=True)
class ConcreteSettings(ModelSettings):
    """Configure the Concrete method.

    >>> ConcreteSettings(temperature=0.7).method
    'concrete'
    """

    method: ClassVar[str] = "concrete"

    temperature: float = knob(
        0.5,
        "float",
        "Temperature of the relaxed cluster in the concrete method.",
        least=ranges.COLDEST,
        most=ranges.HOTTEST,
        passed=True,
    )
    temperature_end: float | None = knob(
        None,
        "float",
        "Temperature at the end of the annealing in the concrete method.",
        least=ranges.COLDEST,
        most=ranges.HOTTEST,
        unset="it stays",
    )


@dataclass(frozen=True)
class SparseSettings(ModelSettings):
    """Configure the sparse method.

    >>> SparseSettings(n_likeliest=2).method
    'sparse'
    """

    method: ClassVar[str] = "sparse"

    n_likeliest: int = knob(
        1,
        "int",
        "Likeliest clusters that the sparse method sums exactly.",
        least=1,
        most=ranges.MOST_CLUSTERS,
        passed=True,
    )
    drawn_share: float | None = knob(
        None,
        "float",
        "Share of a batch whose drawn cluster the sparse method decodes; less makes a step "
        "shorter and its gradient noisier.",
        above=0,
        most=1,
        unset="0.25 with a regulariser, else 1",
    )


@dataclass(frozen=True)
class MarginalSettings(ModelSettings):
    """Configure the marginal method.

    >>> MarginalSettings().method
    'marginal'
    """

    method: ClassVar[str] = "marginal"


METHODS: dict[str, type[ModelSettings]] = {
    cls.method: cls for cls in (SparseSettings, ExactSettings, ConcreteSettings, MarginalSettings)
}


@dataclass(frozen=True)
class StartSettings(Checked):
    """Configure the regulariser and the start, which shape the clusters.

    >>> StartSettings(initialization="kmeans").initialization
    'kmeans'
    """

    regularize: str = knob(
        "auto",
        "text",
        "Changes that leave a row in its cluster: affine, flip, colour (images), resample, dropout "
        "(tables), neighbours (embeddings), adversarial, several joined by +, or none; auto takes "
        "affine for images and none for tables and embeddings.",
        metavar="MOVES",
    )
    regularizer_strength: float = knob(
        1.0, "float", "Factor of the regulariser's penalties.", above=0, most=ranges.STRONGEST
    )
    initialization: str = knob(
        "auto",
        "word",
        "Where training begins: with clusters found by the regulariser alone (information), near a "
        "clustering of the data or of a plain VAE's latents, or anywhere (random); portfolio "
        "and neighbours compare several; auto takes information with a regulariser, neighbours for "
        "embeddings, portfolio for a table of real numbers, mixture for mixed columns, else "
        "kmeans.",
        choices=start_names,
    )
    initialization_epochs: float = knob(
        4.0, "float", "Epochs that a start by information, or the VAE of a latent start, takes.",
        above=0, most=ranges.MOST_ROUNDS,
    )  # fmt: skip
    clusters_are: str = knob(
        "auto",
        "word",
        "What training does with the clusters that it begins at: held keeps them and learns what "
        "varies within them, free lets them move; auto holds those of portfolio and neighbours; "
        "for mixed columns of many rows it tries both, and takes free where rows become far "
        "likelier by it.",
        choices=("auto", "held", "free"),
    )
    starts: int | None = knob(
        None,
        "int",
        "Starts that are tried; the best one goes on.",
        least=1,
        most=ranges.MOST_TRAININGS,
        unset="6 by information, 3 for more than 10,000 rows, else 1",
    )


@dataclass(frozen=True)
class TrainingSettings(Checked):
    """Configure the training.

    >>> TrainingSettings(epochs=20).epochs
    20
    """

    epochs: int | None = knob(
        None,
        "int",
        "Passes over the data, at most.",
        least=1,
        most=ranges.MOST_ROUNDS,
        unset="100, or for mixed columns as many as make 1,000 to 10,000 steps",
        resumable=True,
    )
    batch_size: int | None = knob(
        None,
        "int",
        "Rows in a step.",
        least=1,
        most=ranges.MOST_ROWS,
        unset="128, 256 for mixed columns, 1,024 for a million rows, fewer for a small table",
    )
    learning_rate: float | None = knob(
        None,
        "float",
        "Learning rate of Adam.",
        above=0,
        most=ranges.FASTEST,
        unset="0.001 for images, 0.003 for tables, 0.01 or 0.003 for mixed columns",
    )
    learning_rate_schedule: str = knob(
        "auto",
        "word",
        "Course of the learning rate; cosine lets it fall to almost zero by the last epoch; auto "
        "takes cosine for tables of mixed columns, else constant.",
        choices=("auto", "constant", "cosine"),
    )
    annealing: str = knob(
        "linear",
        "word",
        "Shape of the rise of the cluster KL's weight to 1.",
        choices=("linear", "cosine", "cyclical", "constant"),
    )
    annealing_epochs: float | None = knob(
        None,
        "float",
        "Epochs until the cluster KL has its full weight.",
        least=0,
        most=ranges.MOST_ROUNDS,
        unset="10, or 0 for a table that begins near a clustering",
    )
    style_annealing_epochs: float = knob(
        0.0, "float", "Epochs until the KL of the latents has its full weight; 0 is at once.",
        least=0, most=ranges.MOST_ROUNDS,
    )  # fmt: skip
    patience: int | None = knob(
        None,
        "int",
        "Epochs without a better held-out ELBO before training stops.",
        least=1,
        most=ranges.MOST_ROUNDS,
        unset="20; a training whose learning rate falls along a cosine goes on to its end",
        resumable=True,
    )
    augment: str = knob(
        "none",
        "word",
        "Random changes of the training images: mirror them, shift them.",
        choices=("none", "flip", "crop", "flip+crop"),
    )
    checkpoint_seconds: float = knob(
        30.0, "float", "Seconds between two checkpoints, at least; so much may be lost by a crash.",
        least=0, most=ranges.MOST_ROUNDS, metavar="S", resumable=True,
    )  # fmt: skip
    seed: int = knob(0, "int", "Seed of everything drawn at random.", least=0, below=ranges.SEEDS)
    tensorboard: bool = knob(False, "flag", "Write a TensorBoard log into the run.", resumable=True)


@dataclass(frozen=True)
class HardwareSettings(Checked):
    """Configure the hardware that the training runs on.

    >>> HardwareSettings(device="cpu").precision
    'auto'
    """

    device: str = knob(
        "auto",
        "word",
        "Device to compute on; auto takes a GPU if there is one.",
        choices=("auto", "cpu", "cuda"),
        resumable=True,
    )
    compile: str = knob(
        "auto",
        "word",
        "Compile the training step; auto does so where the training is long enough to gain.",
        choices=("auto", "on", "off"),
    )
    precision: str = knob(
        "auto",
        "word",
        "Precision of the networks; auto takes bfloat16 for images on GPUs that have it, else "
        "float32.",
        choices=("auto", "float32", "bfloat16"),
    )


# The groups beside the model's, by their place in `Settings`.
GROUPS: dict[str, type[Checked]] = {
    "data": DataSettings,
    "start": StartSettings,
    "training": TrainingSettings,
    "hardware": HardwareSettings,
}
