"""The one thing pyproject.toml cannot say: found packages plus two that live elsewhere."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["pyro_gmvae", "pyro_gmvae.*"]),
        # These folders are shipped under these names (see package-dir in pyproject.toml).
        "pyro_gmvae.benchmarks",
        "pyro_gmvae.cli",
        *(f"pyro_gmvae.cli.{name}" for name in find_packages("cli")),
    ]
)
