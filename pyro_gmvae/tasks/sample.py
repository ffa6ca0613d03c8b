"""Draw new data from a model's clusters, as a picture or a table."""

from __future__ import annotations

import os
from functools import singledispatch

import torch

from pyro_gmvae.data import Encoding, ImageEncoding, TableEncoding
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.pictures import draw_samples
from pyro_gmvae.plots import save_figure
from pyro_gmvae.ranges import MOST_DRAWS, whole
from pyro_gmvae.tasks.output import STANDARD_OUTPUT, suffix_of, table_output
from pyro_gmvae.visible import unicode_text

__all__ = ["sample_run"]

MOST_COLUMNS = 1_000  # images side by side in one picture


def sample_run(
    fitted: FittedModel, path: str | os.PathLike[str], *, per_cluster: int = 10, seed: int = 0
) -> None:
    """Write ``per_cluster`` draws of each cluster: a grid of images, or rows in raw units.

    Rows may go to standard output, whose name is ``-``.

    Raises:
        InputError: for a type of file that does not suit the data, or one that cannot be written.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.data import Schema
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     sample_run(fitted, f"{folder}/drawn.csv", per_cluster=2)
    ...     Path(f"{folder}/drawn.csv").read_text().splitlines()[0]
    'age,spend,cluster'
    """
    per_cluster = whole("per-cluster", per_cluster, least=1, most=MOST_DRAWS)
    _write(fitted.encoding, fitted, path, per_cluster, seed)


@singledispatch
def _write(
    encoding: Encoding,
    fitted: FittedModel,
    path: str | os.PathLike[str],
    per_cluster: int,
    seed: int,
) -> None:
    raise TypeError(f"samples of {encoding.plural} cannot be written: register a function for them")


@_write.register(ImageEncoding)
def _write_picture(
    encoding: ImageEncoding,
    fitted: FittedModel,
    path: str | os.PathLike[str],
    per_cluster: int,
    seed: int,
) -> None:
    whole("per-cluster", per_cluster, most=MOST_COLUMNS)
    suffix = suffix_of(path, encoding.sample_suffixes, encoding.sample_words)
    with written_whole(path) as partial:
        figure = draw_samples(fitted, per_cluster, seed=seed)
        save_figure(figure, partial, format=suffix.removeprefix("."))


@_write.register(TableEncoding)
def _write_rows(
    encoding: TableEncoding,
    fitted: FittedModel,
    path: str | os.PathLike[str],
    per_cluster: int,
    seed: int,
) -> None:
    if os.fspath(path) != STANDARD_OUTPUT:
        suffix_of(path, encoding.sample_suffixes, encoding.sample_words)
    with table_output(path, float_format="%.12g") as write:
        y = torch.arange(fitted.gmvae.n_components).repeat_interleave(per_cluster)
        # The rows are draws from p(x|z), not its means, so that they could be data.
        x, _ = fitted.sample(len(y), clusters=y, seed=seed)
        frame = encoding.to_frame(x).rename(columns=unicode_text)
        # A feature may be called cluster too.
        frame.insert(frame.shape[1], "cluster", y.numpy(), allow_duplicates=True)
        write(frame)
