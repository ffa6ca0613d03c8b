"""Draw uniform numbers for each row that do not depend on the other rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["RowNoise", "distinct_keys", "row_keys"]


class RowNoise:
    """Hold a stream of uniform numbers for each row, whatever batch or chunk asks for them.

    Each row has its own region of one counter-based generator. Neither the batch size nor the
    chunk size nor the device changes a figure, and no global generator is touched.

    Args:
        seed: any integer.
        keys: a number from 0 to 2^64 - 1 for each row; rows of one key have the same stream.
        size: numbers for one draw.
        stream: tells independent uses of one seed and one key apart.

    Reference: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox).

    >>> noise = RowNoise(0, [7, 8, 7], size=2)
    >>> first = noise.draw(5, torch.zeros(()))
    >>> first.shape, bool((first[:, 0] == first[:, 2]).all())
    (torch.Size([5, 3, 2]), True)
    """

    def __init__(self, seed: int, keys: Sequence[int], size: int, *, stream: int = 0) -> None:
        self.size = size
        # As a plain list, a counter with a key from 2^63 on would be rounded to floats.
        counters = (np.array([0, 0, stream, key], dtype=np.uint64) for key in keys)
        self.streams = [
            np.random.Generator(np.random.Philox(key=seed % 2**64, counter=counter))
            for counter in counters
        ]

    def draw(self, num_samples: int, like: Tensor) -> Float[Tensor, "S B size"]:
        """Draw the next numbers in the open unit interval, in the type and place of ``like``.

        The numbers are the same in every floating point type, up to rounding.
        """
        uniform = np.empty((num_samples, len(self.streams), self.size))
        for row, stream in enumerate(self.streams):
            uniform[:, row] = stream.random((num_samples, self.size))
        # Rounded to 0 or 1, a number would have an infinite normal quantile.
        eps = torch.finfo(like.dtype).eps
        return torch.from_numpy(uniform).to(like).clamp(min=eps / 4, max=1 - eps / 2)


def row_keys(x: Shaped[Tensor, "rows *event"]) -> list[int]:
    """Return a key for each row that depends on its values alone, so that equal rows have one key.

    >>> a, b, c = row_keys(torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
    >>> a == c, a == b
    (True, False)
    >>> row_keys(torch.tensor([[1.0, 2.0]], dtype=torch.float64)) == [a]
    True
    """
    exact = x.detach().cpu()
    if not exact.is_floating_point():
        return [_digest(row) for row in exact.contiguous().numpy()]
    # In float32, so that a row has one key in every precision; and no minus zero.
    single = exact.float() + 0.0
    lost = (single.isinf() & ~exact.isinf()) | ((single == 0) & (exact != 0))
    # A number beyond float32 would be infinite or 0 there, and different rows would have one key.
    beyond = lost.flatten(1).any(1).tolist()
    doubles, singles = (exact.double() + 0.0).numpy(), single.numpy()
    return [_digest((doubles if b else singles)[i]) for i, b in enumerate(beyond)]


def distinct_keys(keys: Sequence[int]) -> list[int]:
    """Tell rows of one key apart by their order, so that equal rows have draws of their own.

    The first row of a key keeps it.

    >>> distinct_keys([7, 8, 7])[:2], len(set(distinct_keys([7, 8, 7])))
    ([7, 8], 3)
    """
    seen: Counter[int] = Counter()
    made = []
    for key in keys:
        again = f"{key} {seen[key]}".encode()
        made.append(_digest(np.frombuffer(again, np.uint8)) if seen[key] else key)
        seen[key] += 1
    return made


def _digest(row: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little")
