"""Hold the images of the studies on a part of MNIST, make their pairs, and judge them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.paper.run_cell import judged, prepared
from benchmarks.paper.studies import Study
from pyro_gmvae.data import Encoding, Splits
from pyro_gmvae.models.gmvae import GMVAE

__all__ = ["BATCH_SIZE", "ReducedMNIST"]

CLUSTERS, LATENT_DIM, BATCH_SIZE = 10, 20, 100


@dataclass(frozen=True)
class ReducedMNIST:
    """Hold some images of MNIST, the same for all trainings of a study.

    Attributes:
        splits: the images in their parts.
        transform: the map to the model's input.
        likelihood: name of the pixels' likelihood.
    """

    splits: Splits
    transform: Encoding
    likelihood: str

    @classmethod
    def of(cls, arguments: Namespace) -> ReducedMNIST:
        """Load as many images as ``rows`` and ``test_rows`` say, from ``data_dir``."""
        study = Study(
            "mnist", (CLUSTERS,), train_rows=arguments.rows, test_rows=arguments.test_rows
        )
        splits, transform = prepared(study, arguments.data_dir)
        return cls(splits, transform.to(torch.device(arguments.device)), study.likelihood)

    def pair(self, kind: type[GMVAE], seed: int, *, hidden: int, **options: Any) -> GMVAE:
        """Make a pair of two layers of one size, whose first weights depend on the seed alone."""
        torch.manual_seed(seed)
        return kind(
            self.splits.train.event_shape,
            CLUSTERS,
            LATENT_DIM,
            hidden=(hidden, hidden),
            likelihood=self.likelihood,
            **options,
        )

    def judged(self, gmvae: GMVAE, samples: int) -> dict[str, Any]:
        """Evaluate on the test images, by so many importance samples."""
        return judged(gmvae, self.splits.test, self.transform, samples).to_dict()
