"""Mixed tables, and their files in shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def mixed(n: int = 3_000, seed: int = 0) -> pd.DataFrame:
    """Three clusters in columns of every kind, with gaps."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D")
    frame = pd.DataFrame(
        {
            "row": np.arange(n),
            "height": rng.normal(y, 0.5),
            "spend": np.exp(rng.normal(y, 0.7)).round(2),
            "visits": rng.poisson(1 + 4 * y),
            "tier": np.array(["gold", "silver", "bronze"])[(y + (rng.random(n) < 0.2)) % 3],
            "size": np.array([1.0, 2.0, 5.0])[rng.integers(0, 3, n)],
            "member": rng.random(n) < 0.2 + 0.3 * y,
            "since": days,
            "written": days.strftime("%d.%m.%Y"),
        }
    )
    for name in ("height", "tier", "since"):
        frame.loc[rng.random(n) < 0.1, name] = None
    return frame


def write_shards(frame: pd.DataFrame, folder: Path, n: int = 3, group: int = 200) -> Path:
    """Write n files of the same number of rows each, or nearly."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, rows in enumerate(np.array_split(np.arange(len(frame)), n)):
        path = folder / f"part-{i}.parquet"
        frame.iloc[rows].reset_index(drop=True).to_parquet(path, row_group_size=group)
    return folder
