"""How fast recordings are scored, and in how much memory: 10 h of conversations by duplex-score, on every core.

    python scripts/scoring_speed.py --hours 1 2 5 10

It makes recordings of 20 s with acts and words in a temporary folder (0.35 GB an hour), scores what is there whenever an
hour count is reached, by the program itself, and removes them. Times are from the start of the program to its end, table
included, report page not; memory is the most that the program and its processes hold at once (Linux). How well anything
is measured is the tests' business.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.manifest import manifest, write_manifest
from duplex.recording import AGENT, USER, Recording, save

SECONDS: Final = 20.0
PAGE_BYTES: Final = 4096
SYSTEMS: Final = ("quick", "slow")
ASKS: Final = ((0.8, 2.4), (6.4, 8.1), (13.0, 15.2))  # what the user says in every conversation
TEXT: Final = "we are open from nine in the morning to six in the evening from monday to saturday".split()


def voice(seconds: float, random: np.random.Generator) -> np.ndarray:
    """Noise in syllables at a usual level, loud from its first sample to its last; (num_samples,) float32."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    syllables = 0.06 + 0.04 * np.sin(2.0 * np.pi * 4.0 * at)
    return (syllables * random.standard_normal(len(at)).clip(-3.0, 3.0)).astype(np.float32)


def conversation(number: int) -> Recording:
    """Three turns of the user with answers, one of them with a pause, over a line with a little noise."""
    random = np.random.default_rng(number)
    system = SYSTEMS[number % len(SYSTEMS)]
    audio = 2e-4 * random.standard_normal((2, round(SECONDS * SAMPLE_RATE)), np.float32)
    acts, words = [], []
    for start, end in ASKS:
        put(audio[USER], start, voice(end - start, random))
        acts.append(Event("turn", start, end, {"text": "when are you open", "expects": ["nine in the morning"]}))
        onset = end + round(float(random.uniform(0.1, 0.6)) + 0.5 * (system == "slow"), 2)
        put(audio[AGENT], onset, voice(3.2, random))
        words += [Word(word, onset + 0.2 * index, onset + 0.2 * (index + 1)) for index, word in enumerate(TEXT)]
    facts = {"scenario": f"made-{number // 2}", "category": "smooth", "system": system, "clock": "ideal", "seed": 0,
             "voice": "noise", "expect": {"said": ["six in the evening"]}}
    return Recording(audio, ((), tuple(words)), (tuple(acts), ()), facts, "user", None, np.full(250, 0.01, np.float32))


def put(channel: np.ndarray, start: float, samples: np.ndarray) -> None:
    first = round(start * SAMPLE_RATE)
    channel[first:first + len(samples)] += samples[:len(channel) - first]


def make(run: Path, known: int, wanted: int) -> None:
    for number in range(known, wanted):
        recording = conversation(number)
        save(recording, run / "conversations" / "ideal" / str(recording.facts["system"]) / f"made-{number // 2}-0")


def timed(run: Path) -> tuple[float, float, int]:
    """Seconds that duplex-score takes, seconds that its processors work, and the most bytes that all its processes hold."""
    started, worked = perf_counter(), processor_seconds()
    command = [sys.executable, "-m", "eval.score", f"run={run}", "report=false"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as program:
        peak = [0]
        watching = threading.Thread(target=watch, args=(program.pid, peak))
        watching.start()
        output, _ = program.communicate()
        watching.join()
    if program.returncode:
        raise RuntimeError(f"duplex-score failed: {output}")
    return perf_counter() - started, processor_seconds() - worked, peak[0]


def processor_seconds() -> float:
    """Of all programs that this one has run to their end: on a busy machine they tell more than the clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def watch(pid: int, peak: list[int]) -> None:
    while (held := sum(map(resident, tree(pid)))) > 0:
        peak[0] = max(peak[0], held)
        sleep(0.1)


def tree(pid: int) -> list[int]:
    """A process and all that it has started."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 2.0, 5.0, 10.0])
    hours = sorted(parser.parse_args().hours)
    with tempfile.TemporaryDirectory() as folder:
        run, made = Path(folder) / "run", 0
        write_manifest(manifest({"name": "speed", "agent": "quick", "baseline": "slow", "clocks": ["ideal"], "seeds": [0],
                                 "suite": ["made"], "command": "scoring_speed"}), run)
        print(f"{os.cpu_count()} cores; hours, conversations, seconds, processor seconds, MB held at most")
        for wanted in hours:
            make(run, made, made := round(wanted * 3600 / SECONDS))
            seconds, worked, held = timed(run)
            print(f"{wanted:5.1f} {made:6d} {seconds:7.1f} {worked:7.1f} {held / 1e6:8.0f}", flush=True)


if __name__ == "__main__":
    main()
