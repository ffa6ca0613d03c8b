"""Check raw rows, and compute q(y|x) for any number of them with no handler of Pyro."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.data import Dataset
from pyro_gmvae.evaluation import default_batch_size
from pyro_gmvae.fitted import FittedModel

__all__ = ["checked_rows", "cluster_posterior", "posteriors"]


def checked_rows(fitted: FittedModel, x: Shaped[Tensor, "N D"], source: str) -> Tensor:
    """Check the numbers of raw rows that have the columns of the model's schema already.

    Args:
        fitted: the model of a table.
        x: the rows, as `pyro_gmvae.data.shards.Conformer` gives them.
        source: what they are called in messages.

    Raises:
        InputError: as `FittedModel.conform`.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> torch.equal(checked_rows(fitted, x, "new rows"), x)
    True
    """
    encoding = fitted.encoding
    names, schema = encoding.feature_names, encoding.schema
    return fitted.conform(Dataset(source, x, None, type(encoding), names, schema=schema)).x


@torch.no_grad()
def cluster_posterior(
    fitted: FittedModel,
    x: Shaped[Tensor, "N *event"],
    w: Shaped[Tensor, "N Q"] | None = None,
    *,
    batch_size: int | None = None,
) -> Float[Tensor, "N K"]:
    """Compute q(y|x) as `FittedModel.responsibilities` does, on the CPU, faster for many rows.

    The networks are called as they are: nothing is drawn, and no global state of torch or Pyro is
    touched, so that threads need not take turns.

    Args:
        fitted: the model, in evaluation mode.
        x: raw rows that conform; there may be none.
        w: their covariates, of a model that has some.
        batch_size: rows at a time; None is as many as `FittedModel.responsibilities` takes, so that
            the figures are the same to the last bit.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]])
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> bool((cluster_posterior(fitted, x) == fitted.responsibilities(x)).all())
    True
    """
    gmvae, encode, given = fitted.gmvae, fitted.encoding.encode_mean, fitted.given(w)
    like = gmvae.model.component_loc
    found = torch.empty(len(x), gmvae.n_components, dtype=like.dtype)
    size = batch_size or default_batch_size(gmvae)
    for start in range(0, len(x), size):
        batch = encode(x[start : start + size].to(like.device)).to(like.dtype)
        own = (c[start : start + size] for c in given)
        found[start : start + size] = gmvae.responsibilities(batch, *own)
    return found


def posteriors(
    fitted: FittedModel, pieces: Iterable[Tensor]
) -> Iterator[tuple[Tensor, Float[Tensor, "n K"]]]:
    """Give pieces of rows in their order, each with its q(y|x), which threads compute meanwhile.

    There are as many threads as torch has, each of which computes pieces of its own: threads that
    share one small product of matrices mostly wait for one another.

    Args:
        fitted: the model, in evaluation mode.
        pieces: raw rows that conform.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(torch.randn(9, 2)))
    >>> [q.shape for _, q in posteriors(fitted, torch.randn(10, 2).split(6))]
    [torch.Size([6, 3]), torch.Size([4, 3])]
    """
    threads = torch.get_num_threads()
    waiting: deque[tuple[Tensor, Future[Tensor]]] = deque()
    try:
        with ThreadPoolExecutor(threads, "place", torch.set_num_threads, (1,)) as pool:
            for x in pieces:
                waiting.append((x, pool.submit(cluster_posterior, fitted, x)))
                while len(waiting) > threads:
                    first, found = waiting.popleft()
                    yield first, found.result()
            while waiting:
                first, found = waiting.popleft()
                yield first, found.result()
    finally:
        torch.set_num_threads(threads)  # the number is also that of threads to come
