"""What a measurement must say about where it was made."""

from __future__ import annotations

import datetime
import platform
import subprocess
from importlib.metadata import version

import torch


def describe() -> dict[str, object]:
    """Processor, threads, GPU, versions, commit and date, for a result's JSON."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(names),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pyro": version("pyro-ppl"),
        "commit": commit,
        "date": datetime.date.today().isoformat(),
    }
