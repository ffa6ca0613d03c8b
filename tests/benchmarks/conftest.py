"""The benchmarks as a user runs them."""

from tests.cli.conftest import cli

__all__ = ["cli"]
