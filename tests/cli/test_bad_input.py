"""Every way to be given nonsense: one error, exit code 2, nothing half-written."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pyro_gmvae.errors import InputError
from tests.cli.conftest import TINY, Cli, snapshot, write_table

FILES = {
    "empty.csv": "",
    "text.csv": "width,name\n1,ann\n2,bob\n3,eve\n",
    "nan.csv": "width,height\n1,2\n3,\n5,6\n",
    "inf.csv": "width,height\n1,2\n3,inf\n5,6\n",
    "constant.csv": "width,height\n1,2\n1,2\n1,2\n",
    "ragged.csv": "width,height\n1,2\n3,4,5\n",
}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("missing.csv", "There is no file"),
        ("empty.csv", "is empty"),
        ("inf.csv", "infinite, in height"),
        ("constant.csv", "drop width, height"),
        ("ragged.csv", "same number of cells"),
        ("digit", "did you mean digits?"),
        ("nonsense", "There is no data set nonsense: use digits"),
        ("mnist", "pass --download"),
        (".", "is a folder without images: put some in it"),
        ("nowhere/photos", "no file or folder"),
    ],
)
def test_data(refused: Cli, tmp_path: Path, data: str, words: str) -> None:
    if data in FILES:
        Path(data).write_text(FILES[data])
    assert words in refused("train", data, "--out", "run", *TINY)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("text.csv", "columns that are not numbers: name; the gaussian likelihood takes none"),
        ("nan.csv", "missing cells, in height (1); the gaussian likelihood takes none"),
    ],
)
def test_a_likelihood_of_numbers_alone(refused: Cli, data: str, words: str) -> None:
    Path(data).write_text(FILES[data])
    options = [*TINY, "--clusters", 2, "--likelihood", "gaussian"]
    assert words in refused("train", data, "--out", "run", *options)


def test_a_folder_with_a_broken_image(refused: Cli) -> None:
    Path("photos").mkdir()
    for name in "ab":
        Path(f"photos/{name}.png").write_text("no image")
    words = refused("train", "photos", "--out", "run", *TINY)
    assert "photos/a.png is not a readable image" in words and "take it out" in words


def test_empty_array(refused: Cli) -> None:
    Path("empty.npy").touch()
    assert "empty.npy is empty" in refused("train", "empty.npy", "--out", "run", *TINY)


def test_labels_of_the_wrong_length(refused: Cli) -> None:
    np.savez("data.npz", x=np.random.default_rng(0).normal(size=(30, 2)), y=np.arange(20))
    assert "30 rows but 20 labels" in refused("train", "data.npz", "--out", "run", *TINY)


def test_unknown_label_column(refused: Cli) -> None:
    write_table(Path("t.csv"))
    words = refused("train", "t.csv", "--label-column", "kin", "--out", "run", *TINY)
    assert "did you mean kind?" in words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--clusters", 0], "clusters must be at least 1, got 0"),
        (["--clusters", 2000], "2000 clusters are more than the 1455 training rows"),
        (["--clusters", "many"], "'many' is not a valid integer"),
        (["--method", "concrete", "--temperature", -1], "temperature must be at least 0.001"),
        (["--method", "concrete", "--temperature", "nan"], "temperature must be a number, got nan"),
        (["--method", "exact", "--temperature", 0.5], "belongs to the concrete method"),
        (["--method", "exact", "--n-likeliest", 2], "belongs to the sparse method"),
        (["--method", "exact", "--drawn-share", 1], "belongs to the sparse method"),
        (["--drawn-share", 1.5], "must be above 0 and at most 1, got 1.5"),
        (["--chunk-size", 2], "belongs to the exact method"),
        (["--method", "exact", "--chunk-size", 0], "chunk size must be at least 1"),
        (["--precision", "float16"], "'float16' is not one of"),
        (["--method", "marginal", "--shared-trunk"], "has no q(y|x)"),
        (["--initialization", "magic"], "'magic' is not one of"),
        (["--method", "magic"], "'magic' is not one of"),
        (["--hidden", "8,x"], "not a list of sizes"),
        (["--hidden", "0"], "hidden must be at least 1, got 0"),
        (["--channels", "8,8"], "channels belong to the conv network"),
        (["--network", "conv", "--channels", "8,10"], "channels must be multiples of 4"),
        (["--network", "conv", "--channels", "8,x"], "not a list of sizes"),
        (["--network", "transformer"], "'transformer' is not one of"),
        (["--latent-dim", 0], "latent dim must be at least 1"),
        (["--epochs", 0], "epochs must be at least 1"),
        (["--learning-rate", 0], "learning rate must be above 0"),
        (["--test-fraction", 1], "test fraction must be at least 0 and below 1"),
        (["--seed", -1], "seed must be at least 0 and below"),
        (["--seed", 2**63], "seed must be at least 0 and below"),
        (["--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["--likelihood", "bernoulli", "--binarize", "none"], "use binarize dynamic or static"),
        (["--regularize", "sideways"], "unknown move 'sideways'"),
        (["--regularize", "resample"], "resample is for tables: regularise images by affine"),
        (["--initialization", "information"], "a start by information needs a regulariser"),
        (["--starts", 0], "starts must be at least 1"),
        (["--regularizer-strength", 0], "regularizer strength must be above 0"),
        (["--likelihood", "gaussian", "--binarize", "static"], "for grey levels"),
        (["--likelihood", "discretized_logistic", "--binarize", "dynamic"], "use binarize none"),
        (["--label-column", "y"], "not a table"),
        (["--image-size", 8], "not a folder of images"),
        (["--image-size", 0], "image size must be at least 1"),
        (["--augment", "spin"], "'spin' is not one of"),
        (["--overwrite", "--resume"], "exclude one another"),
        (["--resume"], "no training to resume"),
    ],
)
def test_options(refused: Cli, options: list[object], words: str) -> None:
    assert words in refused("train", "digits", "--out", "run", *TINY, *options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--binarize", "static"], "only images are binarised"),
        (["--network", "conv"], "the conv network is for images, not for t: use network mlp"),
        (["--augment", "flip"], "only images are augmented, leave augment out"),
        (["--regularize", "affine"], "affine is for images: regularise tables by resample"),
        (["--cluster-network", "conv"], "the conv network is for images"),
        (["--image-size", 8], "not a folder of images"),
        (["--likelihood", "bernoulli"], "wants values in [0, 1]"),
        (["--likelihood", "continuous_bernoulli"], "wants values in [0, 1]"),
        (["--likelihood", "discretized_logistic"], "is for 8-bit images and t is a table"),
        (["--likelihood", "discretized_logistic_mixture"], "use a likelihood of real numbers"),
    ],
)
def test_options_of_a_table(refused: Cli, options: list[object], words: str) -> None:
    write_table(Path("t.csv"))
    command = ["train", "t.csv", "--label-column", "kind", "--out", "run", *TINY]
    assert words in refused(*command, *options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
@pytest.mark.parametrize(
    "command",
    [
        "train digits --out new",
        "train digits --method exact --out new",
        "evaluate RUN",
        "predict RUN digits -o a.csv",
    ],
)
def test_cuda_where_there_is_none(refused: Cli, run_folder: Path, command: str) -> None:
    arguments = [run_folder if a == "RUN" else a for a in command.split()]
    assert "no CUDA device" in refused(*arguments, "--device", "cuda")


@pytest.mark.parametrize("out", ["file/run", "file"])
def test_unwritable_run_folder(refused: Cli, out: str) -> None:
    Path("file").touch()
    refused("train", "digits", "--out", out, *TINY)


def test_existing_run_is_kept(refused: Cli, run_folder: Path) -> None:
    assert "--overwrite it or --resume" in refused("train", "digits", "--out", run_folder, *TINY)


def test_a_folder_that_is_no_run_is_not_overwritten(refused: Cli, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    words = refused("train", "digits", "--out", "precious", "--overwrite", *TINY)
    assert "thesis.txt in it is no file of a run" in words


def test_a_bad_option_does_not_cost_the_old_run(refused: Cli, run_folder: Path) -> None:
    refused("train", "digits", "--out", run_folder, "--overwrite", *TINY, "--clusters", 9999)


@pytest.mark.parametrize("existed", [False, True])
def test_a_late_failure_leaves_nothing(
    refused: Cli, monkeypatch: pytest.MonkeyPatch, existed: bool
) -> None:
    if existed:
        Path("run").mkdir()

    def fit(*arguments: object, **options: object) -> None:
        assert Path("run/train.json").is_file()
        raise InputError("too late")

    monkeypatch.setattr("pyro_gmvae.fitting.train.fit", fit)
    assert "too late" in refused("train", "digits", "--out", "run", *TINY)


COMMANDS = ["evaluate RUN", "predict RUN digits -o a.csv", "sample RUN -o a.png"]


def _run(refused: Cli, command: str, run: object) -> str:
    return refused(*(run if a == "RUN" else a for a in command.split()))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_run(refused: Cli, command: str) -> None:
    assert "there is no run folder nowhere" in _run(refused, command, "nowhere")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_truncated_run(refused: Cli, run_folder: Path, command: str, name: str) -> None:
    content = (run_folder / name).read_bytes()
    (run_folder / name).write_bytes(content[: len(content) // 2])
    _run(refused, command, run_folder)
    (run_folder / name).unlink()
    words = "has not ended" if name == "config.json" else "not a complete run"
    assert words in _run(refused, command, run_folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_run_of_another_version(refused: Cli, run_folder: Path, command: str) -> None:
    config = json.loads((run_folder / "config.json").read_text())
    (run_folder / "config.json").write_text(json.dumps(config | {"version": 99}))
    assert "version 99" in _run(refused, command, run_folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_tampered_weights(refused: Cli, run_folder: Path, command: str) -> None:
    path = run_folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "not the file that was saved" in _run(refused, command, run_folder)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("about", [None, [1], {"settings": {"data": "digits"}}, {"settings": 3}])
def test_damaged_details(refused: Cli, run_folder: Path, about: object) -> None:
    config = json.loads((run_folder / "config.json").read_text())
    (run_folder / "config.json").write_text(json.dumps(config | {"about": about}))
    refused("evaluate", run_folder)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"version": 2}', '{"version": 1}', '{"version": 99}']
)
def test_damaged_settings(refused: Cli, run_folder: Path, content: str) -> None:
    (run_folder / "train.json").write_text(content)
    refused("train", "digits", "--out", run_folder, "--resume")


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_data_of_another_width(refused: Cli, trained_table: Path, command: str) -> None:
    np.save("three.npy", np.random.default_rng(0).normal(size=(5, 3)))
    more = ["-o", "a.csv"] if command == "predict" else []
    words = refused(command, trained_table, "three.npy", *more)
    assert "three has 3 columns, the model was trained on 2 columns" in words
    assert "images of shape (1, 8, 8)" in refused(command, trained_table, "digits", *more)


def test_columns_of_other_names(refused: Cli, trained_table: Path) -> None:
    Path("other.csv").write_text("width,depth\n1,2\n")
    words = refused("predict", trained_table, "other.csv", "-o", "a.csv")
    assert "'depth'" in words and "'height'" in words


@pytest.mark.parametrize("output", ["file/a.csv", "folder", "nowhere/a.csv"])
def test_unwritable_assignments(
    refused: Cli, trained_table: Path, tmp_path: Path, output: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    np.save("x.npy", np.zeros((2, 2)))
    refused("predict", trained_table, "x.npy", "-o", output)


def test_samples_of_the_wrong_kind(refused: Cli, trained_table: Path, trained_digits: Path) -> None:
    assert "name a file such as a.csv" in refused("sample", trained_table, "-o", "a.png")
    assert "name a file such as a.png" in refused("sample", trained_digits, "-o", "a.csv")
    refused("sample", trained_digits, "-o", "a.png", "--per-cluster", 0)
    refused("sample", trained_digits, "-o", "nowhere/a.png")


def test_evaluation_options(refused: Cli, trained_digits: Path) -> None:
    assert "0 is not in the range 1<=x" in refused("evaluate", trained_digits, "--samples", 0)
    words = refused("evaluate", trained_digits, "digits", "--split", "train")
    assert "run's own data" in words
    words = refused("evaluate", trained_digits, "--image-size", 8)
    assert "other data than the run's own" in words


def test_data_that_changed_since_training(refused: Cli, cli: Cli, tmp_path: Path) -> None:
    write_table(Path("t.csv"))
    command = ["train", "t.csv", "--label-column", "kind", "--out", "run", *TINY]
    assert cli(*command, "--test-fraction", 0).exit_code == 0
    assert "kept no rows for test" in refused("evaluate", "run")
    write_table(Path("t.csv"), seed=1)
    assert "has changed since" in refused("evaluate", "run")
    assert "has changed since" in refused("train", "t.csv", "--out", "run", "--resume")
    assert "run/config.json" in snapshot(tmp_path)
