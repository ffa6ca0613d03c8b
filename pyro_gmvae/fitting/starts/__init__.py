"""Name the starts of a training: clusters near which it may begin, found by simpler methods.

A start is one function from a `StartContext`, the data and the model that is to begin, to a
cluster ``(N,)`` or responsibilities ``(N, K)`` for each row. A new one takes a function in a file
here and an entry in `CLUSTERINGS`; the command line and the estimator then know it by its name.
Nothing heavy is imported here, so that the command line can list the names at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CLUSTERINGS", "start_names"]

# Each entry is a function, or the file here that holds it and its name.
CLUSTERINGS: dict[str, str | Callable[..., Any]] = {
    "portfolio": "numbers:portfolio_start",
    "kmeans": "raw_data:kmeans_start",
    "mixture": "raw_data:mixture_start",
    "spectral": "numbers:spectral_start",
    "neighbours": "embeddings:neighbours_start",
    "latent-kmeans": "latent:latent_kmeans",
    "latent-mixture": "latent:latent_mixture",
    "latent-umap": "latent:latent_umap",
}


def start_names() -> tuple[str, ...]:
    """Return the names of all starts.

    ``"information"`` finds clusters by the regulariser alone (`best_start`), ``"random"`` begins
    without any, and ``"auto"`` stands for the one that suits the data.

    >>> "kmeans" in start_names(), start_names()[-1]
    (True, 'random')
    """
    return ("auto", "information", *CLUSTERINGS, "random")
