"""Several processes: torchrun over gloo, here on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from pyro_gmvae.models import METHODS
from tests.helpers import two_processes
from tests.helpers.tiny import same_weights, tiny, weights_of

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_processes_stay_in_step(tmp_path: Path) -> None:
    script = [str(Path(two_processes.__file__)), str(tmp_path)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    with subprocess.Popen(
        [*launch, *script],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=120)
        finally:
            process.terminate()  # and torchrun its workers
    assert process.returncode == 0, errors
    for method in METHODS:
        first, second = (load_file(tmp_path / f"{method}.{rank}.safetensors") for rank in (0, 1))
        assert same_weights(first, second)
        assert not same_weights(first, weights_of(tiny(method)))
        rows = pd.read_csv(tmp_path / f"{method}.csv")  # one process writes
        assert rows["epoch"].tolist() == [1, 2, 3, 4]
        assert rows["validation_elbo"].iloc[-1] > rows["validation_elbo"].iloc[0]
    started, again = (load_file(tmp_path / f"information.{rank}.safetensors") for rank in (0, 1))
    assert same_weights(started, again)
    assert not same_weights(started, weights_of(tiny("sparse")))
