"""Draw new data from a model's clusters, as a picture or a table."""

from __future__ import annotations

import os
from functools import singledispatch
from pathlib import Path

import torch

from pyro_gmvae.data import Encoding, ImageEncoding, TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.pictures import draw_samples
from pyro_gmvae.ranges import MOST_DRAWS, whole

__all__ = ["sample_run"]

MOST_COLUMNS = 1_000  # images side by side in one picture


def sample_run(
    fitted: FittedModel, path: str | os.PathLike[str], *, per_cluster: int = 10, seed: int = 0
) -> None:
    """Write ``per_cluster`` draws of each cluster: a grid of images, or rows in raw units.

    Raises:
        InputError: for a type of file that does not suit the data, or one that cannot be written.
    """
    per_cluster = whole("per-cluster", per_cluster, least=1, most=MOST_DRAWS)
    encoding = fitted.encoding
    if Path(path).suffix.lower() not in encoding.sample_suffixes:
        named = Path(path).with_suffix(encoding.sample_suffixes[0]).name
        raise InputError(f"{encoding.sample_words}: name a file such as {named}")
    with written_whole(path) as partial:
        _write(encoding, fitted, per_cluster, seed, partial)


@singledispatch
def _write(
    encoding: Encoding, fitted: FittedModel, per_cluster: int, seed: int, path: Path
) -> None:
    raise TypeError(f"samples of {encoding.plural} cannot be written: register a function for them")


@_write.register(ImageEncoding)
def _write_picture(
    encoding: ImageEncoding, fitted: FittedModel, per_cluster: int, seed: int, path: Path
) -> None:
    whole("per-cluster", per_cluster, most=MOST_COLUMNS)
    draw_samples(fitted, per_cluster, seed=seed).savefig(path)


@_write.register(TableEncoding)
def _write_rows(
    encoding: TableEncoding, fitted: FittedModel, per_cluster: int, seed: int, path: Path
) -> None:
    import pandas

    y = torch.arange(fitted.gmvae.n_components).repeat_interleave(per_cluster)
    # The rows are draws from p(x|z), not its means, so that they could be data.
    x, _ = fitted.sample(len(y), clusters=y, seed=seed)
    names = encoding.schema.names or [f"column {i}" for i in range(x.shape[1])]
    frame = pandas.DataFrame(x.numpy(), columns=list(names))
    # A feature may be called cluster too.
    frame.insert(len(names), "cluster", y.numpy(), allow_duplicates=True)
    frame.to_csv(path, index=False, float_format="%.12g")
