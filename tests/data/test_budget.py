"""Tables that would take much of the memory are told from others by what files say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pyro_gmvae.data.budget import bytes_in_memory, wants_stream
from tests.helpers.shards import mixed, write_shards


@pytest.fixture(params=["folder", "t.csv"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    frame = mixed(2_000)
    if path.suffix:
        frame.to_csv(path, index=False)
        return path
    return write_shards(frame, path)


def test_text_and_parquet_are_estimated_alike(source: Path) -> None:
    cells = 2_000 * 9
    assert 0.7 < bytes_in_memory(source) / (8 * 6 * cells) < 1.5


def test_a_stream_is_chosen_by_the_memory(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not wants_stream(source)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=1_000_000))
    assert wants_stream(source)
    assert not wants_stream(source.with_name("t.json"))
