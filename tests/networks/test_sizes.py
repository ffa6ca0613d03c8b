from __future__ import annotations

import json
from typing import Any

import pytest

from pyro_gmvae.networks import ConvSizes


@pytest.mark.parametrize(
    ("sizes", "image", "expected"),
    [
        (ConvSizes((8, 8, 8), patch=1), (28, 28), [(28, 28), (14, 14), (7, 7)]),
        (ConvSizes((8, 8, 8), patch=2), (32, 28), [(16, 14), (8, 7), (4, 4)]),
        (ConvSizes((8, 8), patch=3), (7, 5), [(3, 2), (2, 1)]),
        (ConvSizes((8, 8), patch=2), (1, 1), [(1, 1), (1, 1)]),
    ],
)
def test_resolutions_are_halves_rounded_up(
    sizes: ConvSizes, image: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    assert sizes.resolutions(*image) == expected


def test_it_comes_back_from_json() -> None:
    sizes = ConvSizes((8, 16), blocks=2, features=9)
    config = json.loads(json.dumps(sizes.to_config()))
    assert config == sizes.to_config()
    assert ConvSizes.from_config(config) == sizes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, "channels must have one size at least"),
        ({"channels": (8, 0)}, "channels must be at least 1, got 0"),
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
        ({"features": -3}, "features must be at least 1, got -3"),
        ({"groups": 0}, "groups must be at least 1"),
        ({"patch": 0}, "patch must be at least 1"),
        ({"channels": (8, 10)}, "channels must be multiples of 4, .* got 10"),
        ({"channels": (4,)}, "from 8 on, got 4"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvSizes(**options)
