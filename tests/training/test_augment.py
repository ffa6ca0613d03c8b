"""Augmentation changes what is trained on and nothing else, and a resumed training is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import ImageEncoding
from pyro_gmvae.data.transformations import Compose, RandomCrop, RandomFlip
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training import TrainingInterrupted, TrainResult, fit
from tests.helpers.small import small_gmvae
from tests.helpers.tiny import quick, same_weights, weights_of, without_seconds
from tests.training.test_resume import Stop

SHAPE = (1, 4, 4)
AUGMENT = Compose((RandomFlip(), RandomCrop(1)))


def raw(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, *SHAPE), dtype=torch.uint8, generator=generator)


def model(seed: int = 0) -> GMVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return small_gmvae("concrete", input_dim=SHAPE, likelihood="bernoulli")


class Seen:
    """What a function was given."""

    def __init__(self, function) -> None:
        self.function = function
        self.batches: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.batches.append(x.clone())
        return self.function(x)


def test_it_sees_the_raw_training_batches_and_the_transform_what_it_made() -> None:
    augment = Seen(lambda x: 255 - x)
    transform = Seen(ImageEncoding(SHAPE))
    x, held_out = raw(40), raw(20, seed=1)
    fit(model(), x, quick(epochs=1), validation=held_out, transform=transform, augment=augment)
    assert [len(batch) for batch in augment.batches] == [16, 16, 8]
    shown = torch.cat(augment.batches)
    assert shown.dtype == torch.uint8
    assert torch.equal(shown.unique(dim=0), x.unique(dim=0))
    # The transform sees these inverted, and besides only what is looked at: as it is.
    inverted = {tuple((255 - image).flatten().tolist()) for image in x}
    plain = {tuple(image.flatten().tolist()) for image in torch.cat([x, held_out])}
    images = [tuple(image.flatten().tolist()) for batch in transform.batches for image in batch]
    assert sum(image in inverted for image in images) == len(x)
    assert set(images) == inverted | plain


def train(
    checkpoint: Path, gmvae: GMVAE, resume: bool = False, reporters: tuple = ()
) -> TrainResult:
    return fit(
        gmvae,
        raw(50),
        quick(epochs=3),
        validation=raw(20, seed=1),
        transform=ImageEncoding(SHAPE, "dynamic"),
        augment=AUGMENT,
        checkpoint=checkpoint,
        resume=resume,
        reporters=reporters,
    )


@pytest.mark.parametrize("after", [2, 4, 7])
def test_resumed_is_as_unbroken(tmp_path: Path, after: int) -> None:
    unbroken, resumed = model(), model(seed=9)
    result = train(tmp_path / "unbroken", unbroken)
    with pytest.raises(TrainingInterrupted):
        train(tmp_path / "broken", model(), reporters=(Stop(after),))
    torch.rand(3)  # nothing of the resumed run comes from here
    rest = train(tmp_path / "broken", resumed, resume=True)
    assert same_weights(weights_of(unbroken), weights_of(resumed))
    assert without_seconds(rest.history) == without_seconds(result.history)


def test_looking_on_does_not_change_an_augmented_training() -> None:
    results = []
    for validation in (None, raw(20, seed=1)):
        gmvae = model()
        transform = ImageEncoding(SHAPE, "dynamic")
        config = quick(keep_best=False, patience=None)
        fit(gmvae, raw(50), config, validation=validation, transform=transform, augment=AUGMENT)
        results.append(weights_of(gmvae))
    assert same_weights(*results)
