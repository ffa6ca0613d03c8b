"""A file is written whole or not at all, and what else lies there is not harmed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import is_partial, written_whole


def write(path: Path, text: str = "new") -> None:
    with written_whole(path) as partial:
        partial.write_text(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "a.csv")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a.csv") == 0o640


@pytest.mark.parametrize("kept", [0o600, 0o644, 0o440])
def test_an_old_file_keeps_its_mode(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(kept)
    write(path)
    assert path.read_text() == "new" and mode(path) == kept


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target, link = tmp_path / "deep" / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to("deep/target.csv")
    write(link)
    assert link.is_symlink() and target.read_text() == "new"
    target.unlink()
    write(link, "again")  # now it is a link to nothing
    assert link.is_symlink() and target.read_text() == "again"
    assert [f.name for f in (tmp_path / "deep").iterdir()] == ["target.csv"]


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == ["new"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_that_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    monkeypatch.setattr("pyro_gmvae.files.whole.PATIENCE", 0.2)
    with pytest.raises(InputError, match="is a pipe that nobody reads"):
        write(pipe)


def test_a_device_is_written_into() -> None:
    # Only one that forgets what is written, through a link in case this goes wrong.
    before = os.stat(os.devnull)
    write(Path(os.devnull))
    after = os.stat(os.devnull)
    assert stat.S_ISCHR(after.st_mode) and after.st_ino == before.st_ino


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
def test_what_standard_output_is_appended_to_stays(tmp_path: Path) -> None:
    code = (
        "from pyro_gmvae.files import written_whole\n"
        "with written_whole('/dev/stdout') as partial:\n"
        "    partial.write_text('new\\n')\n"
        "print('after')"
    )
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    with log.open("a") as opened:
        subprocess.run([sys.executable, "-c", code], stdout=opened, check=True)
    assert log.read_text() == "before\nnew\nafter\n"


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr("pyro_gmvae.files.whole.secrets.token_hex", lambda n: "0" * 2 * n)
    with written_whole(tmp_path / "o.csv") as partial:
        name = partial.name
    (tmp_path / "o.csv").unlink()
    (tmp_path / name).symlink_to(victim)
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "o.csv")
    assert victim.read_text() == "precious"


def test_leavings_for_the_same_file_are_removed(tmp_path: Path) -> None:
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    with written_whole(path) as partial:
        left = partial.name
    with written_whole(other) as partial:
        of_another = partial.name
    for name in (left, of_another):
        (tmp_path / name).write_text("half")
    with written_whole(path) as partial:
        names = {f.name for f in tmp_path.iterdir()}
        assert names == {"a.csv", "b.csv", of_another, partial.name}
        # What is being written is not removed by another writer of the same file.
        write(path, "the second")
        partial.write_text("the first")
    assert path.read_text() == "the first"


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), written_whole(path) as partial:
        partial.write_text("half")
        assert is_partial(partial.name) and partial.suffix == ".csv"
        raise ZeroDivisionError
    assert path.read_text() == "old" and [f.name for f in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "is a folder: name a file in it"),
        ("no/such/a.csv", "No such file or directory"),
        ("a" * 300, "File name too long"),
        ("a\0.csv", "null"),
        ("loop", "Too many levels"),
    ],
)
def test_a_bad_path_is_refused_at_once(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=words), written_whole(tmp_path / name):
        pytest.fail("the long work would begin")


def test_a_name_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".csv")
    write(path)
    assert path.read_text() == "new"


def test_a_file_in_a_folder_that_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "a.csv", os.open
    path.write_text("old and longer")

    def refuse(name: str, flags: int, *more: int) -> int:
        # As for a user who does not own the folder; root, who may run the tests, may do anything.
        if flags & os.O_CREAT and Path(name).parent == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, flags, *more)

    monkeypatch.setattr("pyro_gmvae.files.whole.os.open", refuse)
    write(path)
    assert path.read_text() == "new"
    with pytest.raises(InputError, match="Permission denied"):
        write(tmp_path / "b.csv")


def test_an_error_of_the_system_names_the_users_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with pytest.raises(OSError, match="No space") as caught, written_whole(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(path) and list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError) as other, written_whole(path):
        (tmp_path / "other").read_text()
    assert other.value.filename == str(tmp_path / "other")
