"""Damage files, and see that each public door gives a result or says what is wrong.

    python -m tests.robustness.fuzz --n 10000 --seed 0 --out fuzz.json
    python -m tests.robustness.fuzz --first 4711 --n 1 --seed 0

The first cases are the files that are odd by design, each at every door that reads it. The later
ones are damaged at random; seed and number make one again.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyro_gmvae.errors import InputError
from tests.robustness.damage import damaged
from tests.robustness.doors import Door, doors
from tests.robustness.forked import Ended, run_forked
from tests.robustness.outcomes import Outcome, write
from tests.robustness.preloading import preload
from tests.robustness.samples import CHECKPOINT, WEIGHTS, crafted, make_samples, signed
from tests.robustness.snapshots import changes, snapshot

__all__ = ["main"]

SECONDS, MEMORY = 20.0, 2 << 30
BAD_INPUT = 2
LONG = 1000  # characters; a message of more is none
OUT_OF_MEMORY = ("MemoryError", "allocate", "bad_alloc", "malloc of size", "out of memory")
SEALED = (CHECKPOINT, WEIGHTS)  # a change of these may not pass for the real thing


@dataclass(frozen=True)
class Case:
    """Name a damage and the door that it is tried on."""

    index: int
    subject: str
    way: str
    content: bytes
    door: Door
    signed: bool


def cases(sound: Path, first: int, n: int, seed: int) -> list[Case]:
    """Make ``n`` cases from number ``first`` on."""
    ways_in = [(subject, door) for door in doors() for subject in door.reads]
    odd = [
        (subject, way, content, door)
        for subject, way, content in crafted()
        for name, door in ways_in
        if name == subject
    ]
    found = []
    for index in range(first, first + n):
        rng = random.Random(f"{seed}-{index}")
        if index < len(odd):
            subject, way, content, door = odd[index]
        else:
            subject, door = rng.choice(ways_in)
            way, content = "random", damaged(subject, (sound / subject).read_bytes(), rng)
        found.append(Case(index, subject, way, content, door, rng.random() < 0.7))
    return found


def play(case: Case, root: Path, sound: Path, answers: dict[tuple[str, str], Any]) -> Outcome:
    """Try one damaged file on one door.

    Args:
        case: the damage and the door.
        root: where the folder of the case is made.
        sound: the undamaged files.
        answers: the doors' answers to the undamaged files.
    """
    place = root / "case"
    shutil.copytree(sound, place)
    if not case.door.alone:
        (place / "run" / "notes.txt").write_text("mine\n")
    (place / case.subject).write_bytes(case.content)
    if case.subject == WEIGHTS and case.signed:
        signed(place)
    before = snapshot(place)
    ended = run_forked(lambda: _told(case, place), seconds=SECONDS, memory=MEMORY)
    answer = json.loads(json.dumps(ended.answer).replace(str(place), "PLACE"))
    said = ended.said.replace(str(place), "PLACE")
    result, faults = classify(replace(ended, answer=answer, said=said))
    if result == "result":
        known = answers.get((case.door.name, case.subject))
        result = "same result" if ended.answer["answer"] == known else "other result"
        stands_for_itself = case.subject == WEIGHTS and case.signed
        if result == "other result" and case.subject in SEALED and not stands_for_itself:
            faults.append("the damage is not noticed")
    changed = changes(before, snapshot(place))
    if result in ("same result", "other result"):
        mine = [c for c in changed if not c.startswith(case.door.writes) or "notes.txt" in c]
    else:
        mine = changed
    faults += [f"{words} after: {result}" for words in mine]
    shutil.rmtree(place)
    return Outcome(
        index=case.index,
        subject=f"{case.door.name}, {case.subject}",
        result=result,
        faults=tuple(faults),
        story=case.way,
        seconds=ended.seconds,
    )


def _told(case: Case, place: Path) -> dict[str, Any]:
    """Go through the door in the forked process, and tell what came of it."""
    try:
        return {"answer": case.door.work(place, case.subject)}
    except InputError as error:
        trouble = [e for e in _chain(error) if _is_memory(f"{type(e).__name__}: {e}")]
        return {"refused": str(error), "memory": bool(trouble)}
    except SystemExit:
        raise
    except BaseException as error:  # whatever it is, it is what we look for
        return {"error": _named(error), "memory": any(_is_memory(_named(e)) for e in _chain(error))}


def classify(ended: Ended) -> tuple[str, list[str]]:
    """Return one word for how a door answered, and the faults of that.

    >>> classify(Ended(0, {"refused": "x.csv is empty: fill it"}, "", 0.1, 0, False))
    ('refused', [])
    >>> classify(Ended(0, {"error": "KeyError: 'a' in f", "memory": False}, "", 0.1, 0, False))
    ('error', ["KeyError: 'a' in f"])
    >>> classify(Ended(-11, None, "", 0.1, 0, False))
    ('died', ['ended by signal 11'])
    """
    told = ended.answer or {}
    if ended.overran:
        return "slow", [f"more than {SECONDS:.0f} s"]
    if ended.code < 0:
        return "died", [f"ended by signal {-ended.code}"]
    if told.get("memory") or ended.peak > MEMORY or _is_memory(ended.said):
        return "memory", [f"asks for more than {MEMORY >> 30} GiB"]
    if "error" in told:
        return "error", [told["error"]]
    if "refused" in told:
        return "refused", _bad_words(told["refused"])
    if ended.code == BAD_INPUT:
        lines = ended.said.strip().splitlines()
        errors = [i for i, line in enumerate(lines) if line.startswith("Error: ")]
        if len(errors) != 1:
            return "refused", ["not one line that begins with Error"]
        return "refused", _bad_words("\n".join(lines[errors[0] :]))
    if ended.code != 0:
        return "error", [_last_frame(ended.said)]
    return "result", []


def _bad_words(words: str) -> list[str]:
    """Say why a refusal is not one readable sentence."""
    faults = []
    if "\n" in words:
        faults.append(f"refused in several lines: {_short(words)}")
    if len(words) > LONG:
        faults.append(f"refused in more than {LONG} characters: {_short(words)}")
    if ":" not in words and " must " not in words:
        faults.append(f"refused without a fix: {_short(words)}")
    return faults


def _short(words: str) -> str:
    return re.sub(r"\d+", "N", words.splitlines()[0])[:160]


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    next_one: BaseException | None = error
    while next_one is not None and len(found) < 10:
        found.append(next_one)
        next_one = next_one.__cause__ or next_one.__context__
    return found


def _is_memory(words: str) -> bool:
    return any(sign in words for sign in OUT_OF_MEMORY)


def _named(error: BaseException) -> str:
    """Name an exception, and the last line of the package that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "pyro_gmvae" in f.filename]
    last = (ours or frames)[-1]
    where = f"{Path(last.filename).name}, {last.name}"
    return f"{type(error).__name__} in {where}: {_short(str(error) or ' ')[:100]}"


def _last_frame(said: str) -> str:
    lines = said.strip().splitlines() or ["nothing said"]
    frames = [line.strip() for line in lines if "pyro_gmvae" in line and "File" in line]
    return f"{_short(lines[-1])} {frames[-1] if frames else ''}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the cases and write the table; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.fuzz", description=__doc__)
    parser.add_argument("--n", type=int, default=1000, help="number of cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write FILE as JSON")
    given = parser.parse_args(arguments)
    preload()
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        root = Path(folder)
        sound = make_samples(root)
        outer = snapshot(root)
        answers = _sound_answers(root, sound)
        outcomes = [
            play(case, root, sound, answers)
            for case in cases(sound, given.first, given.n, given.seed)
        ]
        if spoilt := changes(outer, snapshot(root)):
            raise RuntimeError(f"a door changed the sources: {spoilt}")
    title = f"python -m tests.robustness.fuzz --n {given.n} --seed {given.seed}"
    if given.first:
        title += f" --first {given.first}"
    return write(outcomes, title, given.out)


def _sound_answers(root: Path, sound: Path) -> dict[tuple[str, str], Any]:
    """Ask every door about the undamaged files; each must answer."""
    answers = {}
    for door in doors():
        for subject in door.reads:
            content = (sound / subject).read_bytes()
            case = Case(-1, subject, "sound", content, door, False)
            place = root / "case"
            shutil.copytree(sound, place)
            ended = run_forked(lambda case=case, place=place: _told(case, place))
            shutil.rmtree(place)
            if ended.code or "answer" not in ended.answer:
                raise RuntimeError(f"{door.name} refuses the sound {subject}: {ended}")
            answers[door.name, subject] = ended.answer["answer"]
    return answers


if __name__ == "__main__":
    raise SystemExit(main())
