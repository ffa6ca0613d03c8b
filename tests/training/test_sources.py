"""A training takes its data from any source of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import BatchSource, ImageEncoding, ResidentBatches
from pyro_gmvae.data.batches import ALL, Batch
from pyro_gmvae.errors import InputError
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import fit
from tests.helpers.tiny import blobs, grey, quick, same_weights, tiny, weights_of, without_seconds

X, BLOB = blobs(60)
SOME = torch.where(torch.arange(60) % 3 == 0, BLOB, -1)


class Elsewhere:
    """Rows that are not in one tensor, such as those of a database; in batches of 16."""

    def __init__(self, rows: list[Tensor], labels: Tensor) -> None:
        self.rows, self.labels = rows, labels
        self.n_rows = len(rows)
        self.event_shape = tuple(rows[0].shape)
        self.transform: Callable[[Tensor], Tensor] | None = None
        self.generator: torch.Generator | None = None

    def __len__(self) -> int:
        return -(-self.n_rows // 16)

    def size(self, step: int) -> int:
        return min(16, self.n_rows - 16 * step)

    def epoch(self, skip: int = 0, share: slice = ALL) -> Iterator[Batch]:
        order = torch.randperm(self.n_rows, generator=self.generator)
        for step in range(skip, len(self)):
            chosen = order[16 * step : 16 * (step + 1)][share]
            yield torch.stack([self.rows[i] for i in chosen.tolist()]), self.labels[chosen]

    def sample(self, n: int) -> tuple[Tensor]:
        return (torch.stack(self.rows[:n]),)


def trained(x: Tensor | BatchSource, method: str = "exact", **options: Any) -> tuple[dict, list]:
    gmvae = tiny(method, likelihood=options.pop("likelihood", "gaussian"))
    result = fit(gmvae, x, quick(epochs=2), **options)
    return weights_of(gmvae), without_seconds(result.history)


@pytest.mark.parametrize("method", METHODS)
def test_a_source_gives_the_weights_that_its_tensor_gives(method: str) -> None:
    by_tensor = trained(X, method, labels=SOME)
    by_source = trained(ResidentBatches(X, 16, labels=SOME), method)
    by_another = trained(Elsewhere(list(X), SOME), method)
    assert isinstance(Elsewhere(list(X), SOME), BatchSource)
    assert same_weights(by_tensor[0], by_source[0])
    assert by_tensor[1] == by_source[1] == by_another[1]
    assert same_weights(by_tensor[0], by_another[0])


def test_the_source_brings_its_transform_along() -> None:
    encoding, raw = ImageEncoding((4,), "dynamic"), grey(50)
    by_tensor = trained(raw, likelihood="bernoulli", transform=encoding)
    by_source = trained(ResidentBatches(raw, 16, transform=encoding), likelihood="bernoulli")
    assert same_weights(by_tensor[0], by_source[0])
    assert by_tensor[1] == by_source[1]


def test_held_out_rows_may_be_a_source() -> None:
    held_out = blobs(20, seed=1)[0]
    by_tensor = trained(X, validation=held_out)
    by_source = trained(X, validation=ResidentBatches(held_out, 16, shuffle=False))
    assert "validation_elbo" in by_tensor[1][0]
    assert by_tensor[1] == by_source[1]


def test_a_source_continues_where_it_was(tmp_path) -> None:
    whole, parted, again = (tiny(seed=seed) for seed in (0, 0, 9))
    path = tmp_path / "state.safetensors"
    fit(whole, ResidentBatches(X, 16), quick(epochs=3))
    fit(parted, ResidentBatches(X, 16), quick(epochs=1), checkpoint=path)
    fit(again, ResidentBatches(X, 16), quick(epochs=3), checkpoint=path, resume=True)
    assert same_weights(weights_of(whole), weights_of(again))


@pytest.mark.parametrize(
    "given",
    [{"labels": SOME}, {"must_link": SOME}, {"covariates": [X]}, {"transform": torch.neg}],
    ids=lambda given: next(iter(given)),
)
def test_what_a_source_brings_along_is_not_given_twice(given: dict[str, Any]) -> None:
    gmvae = tiny()
    before = weights_of(gmvae)
    with pytest.raises(InputError, match="a source of batches brings its labels, weights,"):
        fit(gmvae, ResidentBatches(X, 16), quick(), **given)
    assert same_weights(before, weights_of(gmvae))
