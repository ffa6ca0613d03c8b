"""Kill trainings, saves and predictions at random moments, and see that nothing is lost.

    python -m tests.robustness.kills --n 200 --seed 0 --out kills.json

Each case is killed up to three times, by a random signal, after a random time or before a random
change to a file, and continued as a user would. The end must be that of unbroken work.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyro_gmvae import runs
from tests.robustness.file_events import at_event, count_events
from tests.robustness.forked import ERROR, Ended, run_forked
from tests.robustness.outcomes import Outcome, write
from tests.robustness.preloading import preload
from tests.robustness.snapshots import changes, snapshot
from tests.robustness.victims import (
    Scenario,
    Work,
    command,
    make_sources,
    scenarios,
    state_of,
    training,
)

__all__ = ["main"]

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
MAX_KILLS = 3
INTERRUPTED, BAD_INPUT = 130, 2
NOTES = "notes.txt"  # a file of the user's in the run folder itself


@dataclass
class Unbroken:
    """Hold what a scenario does where nobody kills it."""

    state: dict[str, str]
    seconds: float
    events: int
    admits_notes: bool  # whether it works in a folder that holds a file of the user's


@dataclass
class Case:
    """Play one case, and collect its faults and the story of its kills."""

    scenario: Scenario
    unbroken: Unbroken
    place: Path
    rng: random.Random
    faults: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def play(self) -> None:
        """Kill the work up to three times, then let it end, and compare."""
        target = put_in_place(self.scenario, self.place)
        self.before = snapshot(self.place, apart=(target,))
        tries: Sequence[Work] = [self.scenario.first(target)]
        for left in reversed(range(self.rng.randint(1, MAX_KILLS) + 1)):
            noted = self.unbroken.admits_notes and put_notes(target)
            ended_well = self._attempt(tries, target, killed=left > 0)
            if noted and not (target / NOTES).is_file():
                self.faults.append("in the run folder: the user's file is lost")
            if ended_well:
                break
            tries = self.scenario.then(target)
        self._compare(target)

    def _attempt(self, tries: Sequence[Work], target: Path, *, killed: bool) -> bool:
        """Try one work after another until one is accepted; return whether it ended well."""
        number = self.rng.choice(SIGNALS)
        said = ""
        for turn, work in enumerate(tries):
            killing = killed and turn == 0
            ended = self._run(work, target, number if killing else None)
            said = ended.said
            self._look(ended, target, number if killing else None)
            if ended.code != BAD_INPUT:
                return ended.code == 0
        self.faults.append(f"stuck: {last_line(said)}")
        return False

    def _run(self, work: Work, target: Path, number: int | None) -> Ended:
        if number is None:
            self.story.append("not killed")
            return run_forked(work)
        name = signal.Signals(number).name
        if self.rng.random() < 0.5:
            moment = self.rng.uniform(0, 1.1 * self.unbroken.seconds)
            self.story.append(f"{name} after {moment:.3f} s")
            return run_forked(work, kills=[(moment, number)])
        event = self.rng.randrange(self.unbroken.events)
        self.story.append(f"{name} at change {event}")

        def stopped() -> Any:
            at_event(self.place, event, number)
            return work()

        return run_forked(stopped)

    def _look(self, ended: Ended, target: Path, number: int | None) -> None:
        """Note what is wrong after one attempt."""
        allowed = {0, BAD_INPUT}
        if number is not None:
            allowed |= {-number, 128 + number, INTERRUPTED}
        self.story[-1] += f": {ended.code}"
        if ended.overran:
            self.faults.append("hangs")
        elif ended.code not in allowed and not (
            ended.code == ERROR and is_interrupt(ended, number)
        ):
            self.faults.append(f"exit code {ended.code}: {last_line(ended.said)}")
        mine = snapshot(self.place, apart=(target,))
        leftovers = [name for name in mine if name not in self.before]
        if number is not None:  # a leftover of a killed process may be cleared away later
            mine = {name: digest for name, digest in mine.items() if name not in leftovers}
        self.faults += [f"beside the target: {words}" for words in changes(self.before, mine)]
        if self.scenario.keeps and (words := self._unusable(target)):
            self.faults.append(f"lost: {words}")

    def _unusable(self, target: Path) -> str | None:
        """Say why the target is neither as before nor finished; None if it is."""
        finished = self.unbroken.state
        if self.scenario.before is None:
            return None
        if self.scenario.before.is_file():
            good = (state_of(self.scenario.before)[self.scenario.before.name], *finished.values())
            return None if state_of(target).get(target.name) in good else "the file is another one"
        ended = run_forked(lambda: runs.load(target) and None)
        return None if ended.code == 0 else "the run cannot be loaded"

    def _compare(self, target: Path) -> None:
        if not target.exists():
            self.faults.append("end: there is nothing")
            return
        state = state_of(target)
        state.pop(NOTES, None)
        if wrong := changes(self.unbroken.state, state):
            self.faults.append(f"end: {', '.join(wrong)}")


def is_interrupt(ended: Ended, number: int | None) -> bool:
    """Return True if Python's own answer to Ctrl-C ended the work, as in a user's script."""
    return number == signal.SIGINT and last_line(ended.said).startswith("KeyboardInterrupt")


def last_line(said: str) -> str:
    """Return the last line that was said."""
    lines = said.strip().splitlines()
    return lines[-1] if lines else ""


def put_notes(target: Path) -> bool:
    """Put a file of the user's into the target if it is a folder; return whether it is there."""
    if target.is_dir():
        (target / NOTES).write_text("mine\n")
    return target.is_dir()


def put_in_place(scenario: Scenario, place: Path) -> Path:
    """Lay a folder out: files of the user's around the target, and what stands at it."""
    place.mkdir()
    for name in (NOTES, "run.csv", "run.json", "answers.txt", "runs/other/config.json"):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the user's {name}\n")
    return scenario.prepare(place)


def unbroken(scenario: Scenario, root: Path) -> Unbroken:
    """Run a scenario to its end, with a file of the user's in its folder if it takes that."""
    for admits_notes in (True, False):
        place = root / f"unbroken-{scenario.name.replace(' ', '')}-{admits_notes}"
        target = put_in_place(scenario, place)
        if admits_notes:
            put_notes(target)
        work = scenario.first(target)

        def counted(work: Work = work, place: Path = place) -> int:
            count = count_events(place)
            try:
                work()
            except SystemExit as error:
                if error.code:
                    raise
            return count()

        ended = run_forked(counted)
        if ended.code == 0:
            state = state_of(target)
            state.pop(NOTES, None)
            shutil.rmtree(place)
            return Unbroken(state, ended.seconds, ended.answer, admits_notes)
    raise RuntimeError(f"{scenario.name} fails unkilled: {ended.said}")


def setting(root: Path) -> list[Scenario]:
    """Make the runs and files that the scenarios begin with."""
    source = make_sources(root)
    other, finished, answers = root / "other", root / "finished", root / "old.csv"
    make = [
        training(source, "--epochs", 2, "--seed", 1)(other),
        training(source, "--epochs", 3)(finished),
        command("predict", other, source, "-o", answers, "--quiet"),
    ]
    for work in make:
        if (ended := run_forked(work)).code != 0:
            raise RuntimeError(ended.said)
    return scenarios(source, other, finished, answers)


def play(first: int, n: int, seed: int, root: Path) -> list[Outcome]:
    """Play ``n`` cases from number ``first`` on, and return their outcomes."""
    known = [(scenario, unbroken(scenario, root)) for scenario in setting(root)]
    outer = snapshot(root)
    outcomes = []
    for index in range(first, first + n):
        scenario, reference = known[index % len(known)]
        case = Case(scenario, reference, root / f"case-{index}", random.Random(f"{seed}-{index}"))
        began = time.monotonic()
        case.play()
        shutil.rmtree(case.place)
        case.faults += [f"the sources: {words}" for words in changes(outer, snapshot(root))]
        faults = (fault.replace(str(case.place), "PLACE") for fault in case.faults)
        outcomes.append(
            Outcome(
                index=index,
                subject=scenario.name,
                faults=tuple(dict.fromkeys(faults)),
                result="as unbroken" if not case.faults else "fault",
                story="; ".join(case.story),
                seconds=time.monotonic() - began,
            )
        )
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the cases and write the table; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.kills", description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="number of cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write FILE as JSON")
    given = parser.parse_args(arguments)
    preload()
    with tempfile.TemporaryDirectory(prefix="kills") as folder:
        outcomes = play(given.first, given.n, given.seed, Path(folder))
    title = f"python -m tests.robustness.kills --n {given.n} --seed {given.seed}"
    if given.first:
        title += f" --first {given.first}"
    return write(outcomes, title, given.out)


if __name__ == "__main__":
    raise SystemExit(main())
