"""Memory that a step frees is there for the next one, and given back after the last."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from pyro_gmvae.training import heap

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="it is glibc that is told"
)

# The file is run alone, for the package takes seconds to import.
# Faults of five steps that take and free 64 MiB, before, within and after; pages held after each.
PROGRAM = """
import ctypes, resource, runpy, sys
keeping_freed_memory = runpy.run_path(sys.argv[1])["keeping_freed_memory"]

libc, size = ctypes.CDLL(None), 64 * 2**20
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]

def step():
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    libc.free(block)

def faults():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

found = [faults(), held()]
try:
    with keeping_freed_memory():
        found += [faults(), held()]
        raise KeyError
except KeyError:
    found += [faults(), held()]
print(*found)
"""


def figures(**environment: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, heap.__file__],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [int(figure) for figure in done.stdout.split()]


def test_pages_are_taken_once() -> None:
    before, held_before, within, held_within, after, held_after = figures()
    assert before > 50  # huge pages, where the system gives them, are 32 a block
    assert within < before / 10
    assert after > before / 2
    assert held_within - held_before > 60 * 2**20
    assert held_after - held_before < 10 * 2**20


def test_what_the_user_says_holds() -> None:
    before, _, within, *_ = figures(GLIBC_TUNABLES="glibc.malloc.arena_max=4")
    assert within > before / 2
