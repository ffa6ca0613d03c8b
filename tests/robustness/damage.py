"""Choose the damage that suits a file: its bytes, its numbers, or the JSON in it."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from random import Random

from tests.robustness.mutations import json_mutations, mutations

__all__ = ["damaged"]

NUMBERS = (b"-1", b"0", b"1e400", b"nan", b"9" * 20, b"1e-320", b"1000000000", b"256", b"1")


def damaged(name: str, content: bytes, random: Random) -> bytes:
    """Return a damaged copy of the content of the file ``name``, by its suffix.

    >>> damaged("x.csv", b"a,b", Random(0)) == damaged("x.csv", b"a,b", Random(0))
    True
    """
    seed, way = random.randrange(2**32), random.random()
    suffix = Path(name).suffix
    if suffix == ".json" and way < 0.6:
        return next(json_mutations(json.loads(content), seed, 1))
    if suffix == ".safetensors" and way < 0.6:
        return _header_damaged(content, seed, random)
    if way > 0.85:
        return _another_number(content, random)
    return next(mutations(content, seed, 1))


def _header_damaged(content: bytes, seed: int, random: Random) -> bytes:
    """Damage the header of a safetensors file, or the JSON that its metadata hold as a string."""
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    inner = header.get("__metadata__", {}).get("state")
    if inner is not None and random.random() < 0.6:
        state = next(json_mutations(json.loads(inner), seed, 1))
        header["__metadata__"]["state"] = state.decode()
        text = json.dumps(header).encode()
    else:
        text = next(json_mutations(header, seed, 1))
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


def _another_number(content: bytes, random: Random) -> bytes:
    """Replace a number that is written in digits."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", content[:100_000]))
    if not found:
        return content[:-1]
    one = random.choice(found)
    return content[: one.start()] + random.choice(NUMBERS) + content[one.end() :]
