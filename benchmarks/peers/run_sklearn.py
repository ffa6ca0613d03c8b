"""Fit scikit-learn's GaussianMixture to the raw pixels, with full covariances from a k-means start.

It has no epochs and no network; its time is that of the whole fit. Grey levels are divided by 255,
so that its log-likelihood is the log of a density of grey levels and cannot be compared with that
of binary images. Pixels that never vary make it as large as ``reg_covar`` allows.
"""

from __future__ import annotations

import numpy as np
from sklearn.mixture import GaussianMixture

from benchmarks.peers.task import Task, Trained


def grey(images: np.ndarray) -> np.ndarray:
    return images.astype("float32") / 255


def train(task: Task, images: np.ndarray) -> Trained:
    mixture = GaussianMixture(task.clusters, random_state=task.seed)
    mixture.fit(grey(images))
    return Trained(
        epoch_seconds=[],
        parameters=int(mixture._n_parameters()),
        clusters=lambda test: mixture.predict(grey(test)),
        log_likelihood=lambda test: float(mixture.score(grey(test))),
        quantity="log-density of the grey image on [0, 1]^D: another scale, not comparable",
        extra={"iterations": int(mixture.n_iter_), "converged": bool(mixture.converged_)},
    )
