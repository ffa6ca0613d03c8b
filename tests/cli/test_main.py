import re
import subprocess
import sys
from typing import get_args

import pytest

from pyro_gmvae.likelihoods import LIKELIHOODS
from pyro_gmvae.models import METHODS
from pyro_gmvae.tasks import settings
from pyro_gmvae_cli.main import COMMANDS
from tests.cli.conftest import Cli


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_needs_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from pyro_gmvae_cli.main import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "heavy = {'torch', 'pyro', 'numpy', 'pandas', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(cli: Cli, name: str) -> None:
    text = cli(name, "--help").stdout
    assert re.search(rf"Examples?:\n +pyro-gmvae {name} ", text)
    assert {"--seed", "--device", "--quiet", "--json"} <= set(re.findall(r"--[a-z]+", text))


def test_lists_its_commands(cli: Cli) -> None:
    text = cli("--help").stdout
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in COMMANDS)


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout.startswith("pyro-gmvae, version ")


def test_unknown_command(cli: Cli) -> None:
    assert cli("trian").exit_code == 2


def test_choices_are_those_of_the_library() -> None:
    assert set(get_args(settings.Method)) == set(METHODS)
    assert set(get_args(settings.Likelihood)) == {"auto", *LIKELIHOODS}
