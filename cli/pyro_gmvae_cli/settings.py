"""The settings of a training as options, for the commands that train."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import fields
from typing import Any

import click

from pyro_gmvae.tasks.settings import TrainSettings, choices
from pyro_gmvae_cli.options import Decorator

__all__ = ["DEFAULT", "training_settings"]

DEFAULT = {f.name: f.default for f in fields(TrainSettings)}


class Sizes(click.ParamType):
    """Sizes such as ``512,512``."""

    name = "sizes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(size) for size in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of sizes such as 512,512", param, ctx)


def setting(*names: str, words: str, **more: Any) -> tuple[str, Decorator]:
    """A setting's name and an option for it, with its default."""
    name = names[-1].removeprefix("--").replace("-", "_")
    default = DEFAULT[name]
    if isinstance(default, bool):
        more |= {"is_flag": True}
    else:
        more |= {"show_default": default is not None}
        more.setdefault("type", type(default))
    return name, click.option(*names, name, default=default, help=words, **more)


def choice(name: str, words: str) -> tuple[str, Decorator]:
    """A setting that is one of some words."""
    return setting(f"--{name.replace('_', '-')}", words=words, type=click.Choice(choices(name)))


def known(name: str, words: str) -> tuple[str, Decorator]:
    """A file of what is known of some rows."""
    return setting(
        name,
        words=words,
        type=str,
        metavar="FILE",
        callback=lambda ctx, param, value: value and os.path.abspath(value),
    )


def training_settings(*, without: Collection[str] = ()) -> Decorator:
    """Options for all settings of a training but those named, and those that all commands have."""

    def decorate(command: Any) -> Any:
        for name, option in reversed(_SETTINGS):
            if name not in without:
                command = option(command)
        return command

    return decorate


_SETTINGS = (
    choice("method", "How clusters are inferred; the cost of exact grows with K."),
    setting("-k", "--clusters", words="Number of clusters, at most."),
    setting("--latent-dim", words="Size of the style, what varies within a cluster."),
    setting(
        "--hidden",
        words="Sizes of the hidden layers.",
        type=Sizes(),
        metavar="N,N",
    ),
    choice("network", "Layers of all pixels or columns; conv: convolutions, for images."),
    choice("cluster_network", "Of the encoder that tells the cluster; auto: conv for images."),
    setting(
        "--channels",
        words="Of conv, from fine to coarse.  [default: 16,32]",
        type=Sizes(),
        metavar="N,N",
    ),
    choice(
        "likelihood",
        "What the data are; auto: bernoulli for black and white, continuous_bernoulli for grey, "
        "discretized_logistic for colour images, gaussian for tables.",
    ),
    choice("binarize", "How pixels become black or white; auto: dynamic under bernoulli."),
    choice("augment", "Change training images at random: mirror them, shift them."),
    setting("--epochs", words="Passes over the data, at most."),
    setting(
        "--batch-size",
        words="Rows in a step.  [default: 128, of a small table fewer]",
        type=int,
    ),
    setting(
        "--learning-rate",
        words="Of Adam.  [default: 0.001, for tables 0.003]",
        type=float,
    ),
    choice("learning_rate_schedule", "Cosine ends it near zero, for the last nats of likelihood."),
    setting(
        "--regularize",
        words="What should leave a row in its cluster: affine, flip, colour (images), resample, "
        "dropout (tables), adversarial, some of them joined by +, or none; auto: affine for "
        "images.",
        metavar="MOVES",
    ),
    setting("--regularizer-strength", words="Factor of what disagreement costs."),
    choice(
        "initialization",
        "Begin with clusters found by the regulariser alone, near a k-means clustering or a "
        "Gaussian mixture of the data or of a plain VAE's latents, or anywhere; auto: information "
        "with a regulariser, mixture for a table of Gaussian columns, else kmeans.",
    ),
    setting("--initialization-epochs", words="How long information, or the VAE, takes."),
    setting(
        "--starts",
        words="Starts by information; the best goes on.  [default: 3 for few rows, else 1]",
        type=int,
    ),
    choice("kl_annealing", "How the weight of the clusters' KL rises to 1."),
    setting(
        "--annealing-epochs",
        words="How long that takes.  [default: 10, for tables near a clustering 0]",
        type=float,
    ),
    setting("--style-annealing-epochs", words="The same for the style's KL; 0: at once."),
    setting("--temperature", words="Of the concrete method.  [default: 0.5]", type=float),
    setting("--temperature-end", words="Where it goes meanwhile.", type=float),
    setting("--n-likeliest", words="Clusters summed by the sparse method.  [default: 1]", type=int),
    setting(
        "--drawn-share",
        words="Rows whose drawn cluster the sparse method decodes.  [default: 0.25 with a "
        "regulariser, else 1]",
        type=float,
    ),
    setting("--patience", words="Epochs without progress on held-out rows before stopping."),
    setting("--shared-trunk", words="One encoder for cluster and style."),
    setting("--learn-mixture", words="Learn how large clusters are."),
    known(
        "--labels",
        "A .csv of clusters that you know: a column label, and row if only of some rows.",
    ),
    known("--must-link", "A .csv of rows that belong together: columns row and group."),
    setting("--label-column", words="Labels of a table, to evaluate with.", type=str),
    setting(
        "--image-size",
        words="Resize and crop the images of a folder to N x N.  [default: as they are]",
        type=int,
        metavar="N",
    ),
    setting("--validation-fraction", words="Rows held out for early stopping."),
    setting("--test-fraction", words="Rows held out for evaluation."),
    choice("compile", "Compile a step; auto: where the time it takes pays."),
    choice("precision", "Of the networks; auto: bfloat16 on GPUs that have it, else float32."),
    setting(
        "--chunk-size",
        words="Clusters summed at a time by exact.  [default: all that fit]",
        type=int,
    ),
    setting("--tensorboard", words="Write a TensorBoard log into the run."),
)
