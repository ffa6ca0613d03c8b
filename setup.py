"""The one thing pyproject.toml cannot say: found packages plus one that lives elsewhere."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["pyro_gmvae", "pyro_gmvae.*"]),
        # cli/ is shipped as pyro_gmvae.cli (see package-dir in pyproject.toml).
        "pyro_gmvae.cli",
        *(f"pyro_gmvae.cli.{name}" for name in find_packages("cli")),
    ]
)
