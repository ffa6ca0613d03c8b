"""`pyro-gmvae train`."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pyro_gmvae.errors import InputError
from pyro_gmvae.tasks.settings import (
    TrainSettings,
    choices,
    located,
    read_settings,
)

from . import options
from .errors import Command, training_errors

if TYPE_CHECKING:
    from pyro_gmvae.tasks.train import Trained

DEFAULT = {f.name: f.default for f in fields(TrainSettings)}
PICTURE = "clusters.png"
SUMMARY_SAMPLES = 100  # the least that says how far a log-likelihood is to be trusted


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


def setting(*names: str, words: str, **more: Any) -> options.Decorator:
    """An option for the setting of the same name, with its default."""
    name = names[-1].removeprefix("--").replace("-", "_")
    default = DEFAULT[name]
    if isinstance(default, bool):
        more |= {"is_flag": True}
    else:
        more |= {"show_default": default is not None}
        more.setdefault("type", type(default))
    return click.option(*names, name, default=default, help=words, **more)


def choice(name: str, words: str) -> options.Decorator:
    """A setting that is one of some words."""
    return setting(f"--{name.replace('_', '-')}", words=words, type=click.Choice(choices(name)))


@click.command(cls=Command)
@click.argument("data", callback=lambda ctx, param, value: located(value))
@click.option("--out", required=True, metavar="RUN", help="Folder to write the run to.")
@choice("method", "How clusters are inferred; exact costs K times as much.")
@setting("-k", "--clusters", words="Number of clusters, at most.")
@setting("--latent-dim", words="Size of the style, what varies within a cluster.")
@setting(
    "--hidden",
    words="Sizes of the hidden layers.",
    type=Sizes(),
    metavar="N,N",
)
@choice("network", "Layers of all pixels or columns; conv: convolutions, for images.")
@choice("cluster_network", "Of the encoder that tells the cluster; auto: conv for images.")
@setting(
    "--channels",
    words="Of conv, from fine to coarse.  [default: 16,32]",
    type=Sizes(),
    metavar="N,N",
)
@choice(
    "likelihood",
    "What the data are; auto: bernoulli for black and white, continuous_bernoulli for grey, "
    "discretized_logistic for colour images, gaussian for tables.",
)
@choice("binarize", "How pixels become black or white; auto: dynamic under bernoulli.")
@choice("augment", "Change training images at random: mirror them, shift them.")
@setting("--epochs", words="Passes over the data, at most.")
@setting("--batch-size", words="Rows in a step.")
@setting("--learning-rate", words="Of Adam.")
@choice("learning_rate_schedule", "Cosine ends it near zero, for the last nats of likelihood.")
@setting(
    "--regularize",
    words="What should leave a row in its cluster: affine, flip, colour (images), resample, "
    "dropout (tables), adversarial, some of them joined by +, or none; auto: affine for images.",
    metavar="MOVES",
)
@setting("--regularizer-strength", words="Factor of what disagreement costs.")
@choice(
    "initialization",
    "Begin with clusters found by the regulariser alone, near a k-means clustering, near one of a "
    "plain VAE's latents, or anywhere; auto: information with a regulariser, else kmeans.",
)
@setting("--initialization-epochs", words="How long information, or the VAE, takes.")
@setting(
    "--starts",
    words="Starts by information; the best goes on.  [default: 3 for few rows, else 1]",
    type=int,
)
@choice("kl_annealing", "How the weight of the clusters' KL rises to 1.")
@setting("--annealing-epochs", words="How long that takes.")
@setting("--style-annealing-epochs", words="The same for the style's KL; 0: at once.")
@setting("--temperature", words="Of the concrete method.  [default: 0.5]", type=float)
@setting("--temperature-end", words="Where it goes meanwhile.", type=float)
@setting("--n-likeliest", words="Clusters summed by the sparse method.  [default: 1]", type=int)
@setting("--patience", words="Epochs without progress on held-out rows before stopping.")
@setting("--shared-trunk", words="One encoder for cluster and style.")
@setting("--learn-mixture", words="Learn how large clusters are.")
@setting(
    "--labels",
    words="A .csv of clusters that you know: a column label, and row if only of some rows.",
    type=str,
    metavar="FILE",
    callback=lambda ctx, param, value: value and os.path.abspath(value),
)
@setting("--label-column", words="Labels of a table, to evaluate with.", type=str)
@setting(
    "--image-size",
    words="Resize and crop the images of a folder to N x N.  [default: as they are]",
    type=int,
    metavar="N",
)
@setting("--validation-fraction", words="Rows held out for early stopping.")
@setting("--test-fraction", words="Rows held out for evaluation.")
@choice("compile", "Compile a step; auto: where the time it takes pays.")
@choice("precision", "Of the networks; auto: bfloat16 where the hardware has it.")
@setting(
    "--chunk-size", words="Clusters summed at a time by exact.  [default: all that fit]", type=int
)
@setting("--tensorboard", words="Write a TensorBoard log into the run.")
@click.option("--overwrite", is_flag=True, help="Replace the run that is in --out.")
@click.option("--resume", is_flag=True, help="Continue the training in --out.")
@options.seed
@options.device
@options.data_dir("data")
@options.download
@options.quiet
@options.json_output
@click.pass_context
def command(
    ctx: click.Context,
    data: str,
    out: str,
    overwrite: bool,
    resume: bool,
    download: bool,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Train a model on DATA and write it to a folder.

    DATA is digits, mnist, fashion-mnist, cifar10, cifar100 (its 20 superclasses) or cifar100-fine
    (its 100 classes); a .csv, .parquet, .npy or .npz file (keys x and, if known, y); or a folder of
    images, with a subfolder for each class if the classes are known. Its own labels are for the
    evaluation only. A folder that is called like a built-in set is ./mnist.

    \b
    Examples:
      pyro-gmvae train digits --clusters 10 --out runs/digits
      pyro-gmvae train customers.csv --clusters 5 --out runs/customers
      pyro-gmvae train photos --image-size 64 --augment flip --out runs/photos
      pyro-gmvae train digits --out runs/digits --resume
    """
    if overwrite and resume:
        raise InputError("--overwrite and --resume exclude one another: choose one")
    if resume:
        settings = read_settings(Path(out))[0].resumed_with(_given(ctx))
    else:
        settings = TrainSettings(data=data, **values)

    from pyro_gmvae.tasks.train import train_run
    from pyro_gmvae.training import ProgressBar

    with training_errors(shlex.join(["pyro-gmvae", "train", data, "--out", out, "--resume"])):
        trained = train_run(
            settings,
            out,
            overwrite=overwrite,
            resume=resume,
            download=download,
            reporters=[] if quiet else [ProgressBar()],
        )
    if trained.is_main and (as_json or not quiet):
        _report(trained, out, as_json)


def _given(ctx: click.Context) -> dict[str, Any]:
    """The settings that the user named."""
    named = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return {n: ctx.params[n] for n in DEFAULT if ctx.get_parameter_source(n) in named}


def _report(trained: Trained, out: str, as_json: bool) -> None:
    """The figures on held-out rows, and where things are."""
    from pyro_gmvae.tasks.evaluate import evaluate_run

    from .show import figures_table, say, warn

    splits = trained.splits
    part = next(p for p in ("test", "validation", "train") if len(getattr(splits, p)))
    figures = evaluate_run(
        trained.run, getattr(splits, part), num_samples=SUMMARY_SAMPLES, part=part
    )
    if as_json:
        click.echo(json.dumps({"run": out, **figures.values}))
        return
    result = trained.result
    best = "" if result.best_epoch is None else f", best at epoch {result.best_epoch:.0f}"
    say(f"Trained {len(result.history)} epochs{best}.")
    figures_table(figures)
    warn(figures.warning)
    say(f"Model and metrics are in {out}, the picture of its clusters is {Path(out, PICTURE)}.")
