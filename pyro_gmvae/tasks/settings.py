"""The settings of a training as a user gives them, kept in its run folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole

__all__ = ["TrainSettings", "choices", "located", "read_settings", "write_settings"]

FILE, VERSION = "train.json", 1

Method = Literal["exact", "concrete", "sparse", "marginal"]
Network = Literal["mlp", "conv"]
Likelihood = Literal[
    "auto",
    "bernoulli",
    "continuous_bernoulli",
    "gaussian",
    "gaussian_predicted",
    "discretized_logistic",
    "discretized_logistic_mixture",
]
Binarize = Literal["auto", "dynamic", "static", "none"]
Augment = Literal["none", "flip", "crop", "flip+crop"]
Initialization = Literal[
    "auto",
    "information",
    "kmeans",
    "mixture",
    "latent-kmeans",
    "latent-mixture",
    "latent-umap",
    "random",
]
ClusterNetwork = Literal["auto", "mlp", "conv"]
Annealing = Literal["linear", "cosine", "cyclical", "constant"]
LearningRateSchedule = Literal["constant", "cosine"]
Device = Literal["auto", "cpu", "cuda"]
Compile = Literal["auto", "on", "off"]
Precision = Literal["auto", "float32", "bfloat16"]

# What a resumed training may be told anew; all else would make it another training.
MAY_CHANGE = ("epochs", "patience", "device", "data_dir", "tensorboard")

_CHOICES = {
    "method": Method,
    "network": Network,
    "cluster_network": ClusterNetwork,
    "likelihood": Likelihood,
    "binarize": Binarize,
    "augment": Augment,
    "initialization": Initialization,
    "kl_annealing": Annealing,
    "learning_rate_schedule": LearningRateSchedule,
    "device": Device,
    "compile": Compile,
    "precision": Precision,
}
_COUNTS = (
    "clusters",
    "latent_dim",
    "epochs",
    "batch_size",
    "n_likeliest",
    "starts",
    "patience",
    "chunk_size",
    "image_size",
)
_POSITIVE = (
    "learning_rate",
    "temperature",
    "temperature_end",
    "regularizer_strength",
    "initialization_epochs",
)


def choices(name: str) -> tuple[str, ...]:
    """The words that a setting may be."""
    return get_args(_CHOICES[name])


@dataclass(frozen=True)
class TrainSettings:
    """All that a training depends on but the data themselves.

    Attributes:
        data: a built-in name, a file or a folder of images (see `pyro_gmvae.data.load`).
        method: how the clusters are inferred.
        clusters: K.
        latent_dim: Z.
        hidden: sizes of the hidden layers; of the conv network only the last is used.
        network: ``"mlp"``, or ``"conv"`` for images.
        cluster_network: of the encoder that tells the cluster; ``"auto"`` is conv for images that
            are regularised, else as ``network``.
        channels: of the conv network, at each resolution, the finest first; None is its default.
        likelihood: ``"auto"`` is Bernoulli for black and white images, continuous Bernoulli for
            grey ones, a discretised logistic for colour, Gaussian for tables.
        binarize: of images; ``"auto"`` is dynamic for Bernoulli, else none.
        augment: how training images are changed at random, anew in every epoch.
        epochs: passes over the training rows, at most.
        batch_size: rows in a step; None is 128, or of a small table so few that an epoch has about
            ten steps, but 16 at least.
        learning_rate: of Adam; None is 1e-3 for images and 3e-3 for tables.
        learning_rate_schedule: ``"cosine"`` lowers it to almost zero at the last of the epochs.
        regularize: moves that should leave a datum in its cluster (see
            `pyro_gmvae.training.make_regularizer`); ``"auto"`` takes affine ones for images, of
            colour as well, and none for tables; ``"none"`` trains by the ELBO alone.
        regularizer_strength: factor of its penalties.
        initialization: ``"information"`` trains the clusters by the regulariser alone before the
            likelihood comes in, ``"kmeans"`` begins near a k-means clustering,
            ``"mixture"`` near a Gaussian mixture, ``"latent-..."`` near k-means, a mixture, or a
            mixture of a UMAP, of a plain VAE's latents (see `pyro_gmvae.training.starts`),
            ``"random"`` anywhere; ``"auto"`` is information with a regulariser, else mixture for a
            table of up to 100 columns with a Gaussian likelihood, else kmeans.
        initialization_epochs: how long information takes, or at least 1,000 steps; or the VAE of a
            latent start, or at least 300.
        starts: starts by information, of which the best goes on, found without labels; None is 3
            for fewer than 5,000 training rows, where a start is short, else 1.
        kl_annealing: how the weight of KL(q(y|x) || p(y)) rises to 1.
        annealing_epochs: how long it takes, and the temperature with it; None is 10, but KL(y) has
            its full weight at once in a table's training that begins near a clustering.
        style_annealing_epochs: how long the weight of KL(q(z|x,y) || p(z|y)) takes to rise to 1,
            along a line; 0 is at once. Images with much detail learn more of it so.
        temperature: of the concrete method; None is 0.5.
        temperature_end: where the temperature goes; None keeps it.
        n_likeliest: of the sparse method, clusters summed exactly; None is 1.
        drawn_share: of the sparse method, the share of a batch whose drawn cluster is decoded; None
            is 1/4 with a regulariser, else 1. With less a step is shorter and its gradient varies
            more.
        patience: epochs without a better held-out ELBO before training stops.
        shared_trunk: whether q(y|x) and q(z|x,y) share their encoder.
        learn_mixture: whether p(y) is learned; otherwise it is uniform.
        labels: a file of clusters that are known of some rows, to train with (see
            `pyro_gmvae.data.known.read_known`).
        must_link: a file of groups of rows, each of which belongs in one cluster, whichever it is;
            to train with, read likewise.
        label_column: of a table: labels for the evaluation, never trained on.
        image_size: of a folder: height and width to bring its images to; None is their own.
        validation_fraction, test_fraction: shares of the rows that are held out.
        seed: of the split, the first weights, the order of the rows and every draw.
        device: ``"auto"`` is a GPU if there is one.
        compile: whether to compile a step; ``"auto"`` does where it pays.
        precision: of the networks; ``"auto"`` is bfloat16 on GPUs that have it.
        chunk_size: clusters that the exact method sums at a time; None is as many as fit.
        data_dir: where torchvision's data sets are.
        tensorboard: whether to write a log for TensorBoard.

    Raises:
        InputError: for a value that cannot be, or one that the method does not have.
    """

    data: str
    method: Method = "sparse"
    clusters: int = 10
    latent_dim: int = 20
    hidden: tuple[int, ...] = (256, 256)
    network: Network = "mlp"
    cluster_network: ClusterNetwork = "auto"
    channels: tuple[int, ...] | None = None
    likelihood: Likelihood = "auto"
    binarize: Binarize = "auto"
    augment: Augment = "none"
    epochs: int = 100
    batch_size: int | None = None
    learning_rate: float | None = None
    learning_rate_schedule: LearningRateSchedule = "constant"
    regularize: str = "auto"
    regularizer_strength: float = 1.0
    initialization: Initialization = "auto"
    initialization_epochs: float = 4.0
    starts: int | None = None
    kl_annealing: Annealing = "linear"
    annealing_epochs: float | None = None
    style_annealing_epochs: float = 0.0
    temperature: float | None = None
    temperature_end: float | None = None
    n_likeliest: int | None = None
    drawn_share: float | None = None
    patience: int = 20
    shared_trunk: bool = False
    learn_mixture: bool = False
    labels: str | None = None
    must_link: str | None = None
    label_column: str | None = None
    image_size: int | None = None
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 0
    device: Device = "auto"
    compile: Compile = "auto"
    precision: Precision = "auto"
    chunk_size: int | None = None
    data_dir: str = "data"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in _CHOICES:
            if getattr(self, name) not in choices(name):
                known = ", ".join(choices(name))
                raise InputError(f"unknown {_word(name)} {getattr(self, name)!r}: use {known}")
        for name in _COUNTS:
            self._require(name, lambda value: value >= 1, "at least 1")
        for name in _POSITIVE:
            self._require(name, lambda value: value > 0 and isfinite(value), "above 0")
        for name in ("annealing_epochs", "style_annealing_epochs"):
            self._require(name, lambda value: value >= 0 and isfinite(value), "0 or more")
        self._require("seed", lambda value: 0 <= value < 2**63, "between 0 and 2^63")
        for name in ("validation_fraction", "test_fraction"):
            self._require(name, lambda value: 0 <= value < 1, "from 0 up to below 1")
        self._require("drawn_share", lambda value: 0 < value <= 1, "above 0 and at most 1")
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden must be sizes of at least 1, got {list(self.hidden)}")
        if self.channels is not None and "conv" not in (self.network, self.cluster_network):
            raise InputError(
                "channels belong to the conv network: leave them out, or use network conv"
            )
        for name, method in {
            "temperature": "concrete",
            "temperature_end": "concrete",
            "n_likeliest": "sparse",
            "drawn_share": "sparse",
            "chunk_size": "exact",
        }.items():
            if getattr(self, name) is not None and self.method != method:
                raise InputError(
                    f"{_word(name)} belongs to the {method} method, not to {self.method}: "
                    f"leave it out, or use method {method}"
                )

    def _require(self, name: str, holds: Any, wanted: str) -> None:
        value = getattr(self, name)
        if value is not None and not holds(value):
            raise InputError(f"{_word(name)} must be {wanted}, got {value}")

    @classmethod
    def from_dict(cls, values: Any) -> TrainSettings:
        """The inverse of `dataclasses.asdict`, from JSON.

        Raises:
            InputError: if it is not what this version writes.
        """
        try:
            channels = values.get("channels")  # runs from before there were any have none
            sizes = {"hidden": tuple(values["hidden"]), "channels": channels and tuple(channels)}
            return cls(**{"regularize": "none", **values, **sizes})
        except InputError:
            raise
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"the stored training settings are damaged ({error}): train again"
            ) from error

    def resumed_with(self, given: dict[str, Any]) -> TrainSettings:
        """These settings, to continue a training, with what is ``given`` anew.

        Raises:
            InputError: for a setting that would make it another training.
        """
        for name, value in given.items():
            if name not in MAY_CHANGE and value != getattr(self, name):
                raise InputError(
                    f"the training was begun with {_word(name)} {_shown(getattr(self, name))}, "
                    f"not {_shown(value)}: leave it out to resume, or train another run"
                )
        return replace(self, **{n: v for n, v in given.items() if n in MAY_CHANGE})


def located(source: str) -> str:
    """A file or folder as an absolute path, so that a run finds it again from anywhere.

    A name stays as it is, that of a built-in set also where a folder is called so.
    """
    if Path(source).suffix:
        return os.path.abspath(source)
    if Path(source).is_dir():
        from pyro_gmvae.data.sources import is_folder  # takes seconds, and --help needs none of it

        return os.path.abspath(source) if is_folder(source) else source
    return source


def write_settings(folder: Path, settings: TrainSettings, fingerprint: str) -> None:
    """Keep ``settings`` and the fingerprint of the training rows in a run folder."""
    content = {
        "version": VERSION,
        "settings": asdict(settings),
        "train_sha256": fingerprint,
    }
    with written_whole(folder / FILE) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def read_settings(folder: Path) -> tuple[TrainSettings, str]:
    """What `write_settings` kept: the settings and the fingerprint.

    Raises:
        InputError: if there is nothing, or it is damaged or of another version.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"there is no training to resume in {folder}: train it without --resume")
    try:
        content = json.loads(path.read_text())
        version = content["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: train again with --overwrite") from error
    if version != VERSION:
        raise InputError(
            f"{path} is of version {version}, this program reads version {VERSION}: "
            "use the matching release, or train again with --overwrite"
        )
    return TrainSettings.from_dict(content.get("settings")), str(content.get("train_sha256"))


def _word(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
