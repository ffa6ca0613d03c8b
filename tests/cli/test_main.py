import re
import subprocess
import sys
from dataclasses import fields

import click
import pytest

from pyro_gmvae import models
from pyro_gmvae.fitting import groups
from pyro_gmvae.fitting.knobs import choices_of
from pyro_gmvae.likelihoods import LIKELIHOODS
from pyro_gmvae_cli.main import COMMANDS, main
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


WITHOUT_SEED = ("predict", "prune", "schema", "export", "serve")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(cli: Cli, name: str) -> None:
    text = cli(name, "--help").stdout
    assert re.search(rf"Examples?:\n +pyro-gmvae {name} ", text)
    found = set(re.findall(r"--[a-z]+", text))
    assert {"--quiet", "--json"} <= found
    assert "--device" in found or name in ("schema", "export")
    # Nothing is drawn at random where there is no seed.
    assert ("--seed" in found) == (name not in WITHOUT_SEED)


def test_lists_its_commands(cli: Cli) -> None:
    text = cli("--help").stdout
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in COMMANDS)


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout.startswith("pyro-gmvae, version ")


def test_unknown_command(cli: Cli) -> None:
    assert cli("trian").exit_code == 2


def test_choices_are_those_of_the_library() -> None:
    assert set(groups.METHODS) == set(models.METHODS)
    likelihood = next(f for f in fields(groups.ModelSettings) if f.name == "likelihood")
    assert choices_of(likelihood) == ("auto", *LIKELIHOODS)


def sections(text: str) -> dict[str, list[str]]:
    """The options of a help text, by section."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.match(r"\w.*:$", line):
            found[line[:-1]] = []
        elif found and (option := re.match(r"  (-\S.*?)(  |$)", line)):
            found[list(found)[-1]].append(option[1])
    return found


@pytest.mark.parametrize("name", ["train", "select"])
def test_first_steps_come_first_and_are_few(cli: Cli, name: str) -> None:
    found = sections(cli(name, "--help").stdout)
    assert list(found)[0] == "First steps"
    assert 1 < len(found["First steps"]) <= 8
    assert any("--out" in option for option in found["First steps"])
    assert any("--clusters" in option for option in found["First steps"])
    assert not any(option for section in found.values() for option in section if option == "DATA")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_line_of_help_is_a_sentence(name: str) -> None:
    for option in options_of(name):
        words = re.sub(r"  \[default: .*\]$", "", option.help or "")
        assert re.match(r"[A-Z]", words) and words.endswith("."), (option.name, words)
        assert not words.startswith(("Of ", "The same", "How long that")), (option.name, words)


def options_of(name: str) -> list[click.Option]:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return [p for p in command.params if isinstance(p, click.Option)]


# What the two commands that train take beside the settings.
OWN = {"out", "overwrite", "download", "quiet", "as_json"}
OWN_OF = {"train": OWN | {"report", "resume"}, "select": OWN | {"jobs", "runs", "samples"}}
LEFT_OUT = {"train": set(), "select": {"tensorboard", "checkpoint_seconds", "stream"}}


@pytest.mark.parametrize("name", ["train", "select"])
def test_every_setting_has_an_option_and_no_option_is_left_over(name: str) -> None:
    classes = (*groups.METHODS.values(), *groups.GROUPS.values())
    settings = {f.name for group in classes for f in fields(group)} | {"method"}
    assert settings - LEFT_OUT[name] == {str(o.name) for o in options_of(name)} - OWN_OF[name]


@pytest.mark.parametrize("name", ["train", "select"])
def test_an_option_has_the_default_and_the_choices_of_its_setting(name: str) -> None:
    options = {str(o.name): o for o in options_of(name)}
    shared = (groups.ModelSettings, *groups.GROUPS.values())
    for described in [f for group in shared for f in fields(group)]:
        if (
            (option := options.get(described.name)) is None
            or name == "select"
            and (described.name == "clusters")
        ):
            continue
        assert option.default == described.default, described.name
        if described.metadata["choices"] is not None:
            assert isinstance(option.type, click.Choice)
            assert tuple(option.type.choices) == choices_of(described)
