"""Small runs to report on: two systems that answer after 0.4 and 1.0 s, and one that was interrupted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from sounds import sound

from duplex.frame import Event, Word
from duplex.recording import Recording, save
from eval.observations import read_observations, write_observations
from eval.observations import rows as scored
from eval.scores import table, write_table

CLOCKS = ["three-regions", "ideal"]
SEEDS = 10  # occasions, from which on numbers are printed


def call(clock: str, system: str, seed: int, word: str = "hello") -> Recording:
    """The caller asks from 1 to 2 s; the agent answers 0.4 or 1.0 s later and decides to do so before."""
    answer = 2.4 if system == "quick" else 3.0
    audio = np.stack([sound((1.0, 2.0), seconds=5.0), sound((answer, answer + 1.0), seconds=5.0)])
    return Recording(
        audio, ((Word(word, 1.0, 1.4),), (Word("friday", answer, answer + 0.5),)),
        ((Event("turn", 1.0, 2.0, {"text": word}),), (Event("endpoint", 2.2, 2.2, {"heard": word}),)),
        {"scenario": "call", "category": "smooth", "system": system, "clock": clock, "seed": seed, "voice": "noise",
         "expect": {"said": ["friday"], "not_said": []}}, "user")


def identities(num_seeds: int) -> list[str]:
    return [f"{clock}/{system}/call-{seed}"
            for clock in CLOCKS for system in ("quick", "slow") for seed in range(num_seeds)]


def run(folder: Path, word: str = "hello", name: str = "a run", silent: str = "", num_seeds: int = SEEDS) -> Path:
    observed = []
    for clock, system, leaf in (identity.split("/") for identity in identities(num_seeds)):
        recording = call(clock, system, int(leaf.removeprefix("call-")), word)
        if system == silent:
            recording = replace(recording, audio=np.stack([recording.audio[0], np.zeros_like(recording.audio[0])]),
                                words=(recording.words[0], ()), events=(recording.events[0], ()))
        where = Path("conversations", clock, system, leaf)
        save(recording, folder / where)
        observed += scored(recording, where)
    write_observations(observed, folder / "observations.parquet")
    observations = read_observations(folder / "observations.parquet")
    tables = [table(observations, "quick", "slow", clock) for clock in CLOCKS]
    for one in tables:  # the page believes its table; how sure one can be is tested where it is computed
        one.loc[one["p_value"].notna(), "p_holm"] = 0.01
    write_table(tables, folder / "table.csv")
    (folder / "manifest.json").write_text(json.dumps({
        "name": name, "agent": "quick", "baseline": "slow", "clocks": CLOCKS, "seeds": list(range(num_seeds)),
        "config": {"clocks": {"three-regions": {
            "_target_": "duplex.latency.Declared", "name": "three_regions",
            "stages": {"llm": {"p50": 0.36, "p95": 0.72, "source": "a paper"}}}}}}))
    return folder


def interrupted(folder: Path, aside: str = "") -> Path:
    """A call whose agent would have spoken until 4 s had nobody interrupted it at 3 s.

    Args:
        aside: what else the caller does, at 1.5 s.
    """
    said = np.stack([sound((1.0, 2.0), (3.0, 3.6), seconds=5.0), sound((2.4, 3.2), seconds=5.0)])
    left_out = np.stack([sound((1.0, 2.0), seconds=6.0), sound((2.4, 4.0), seconds=6.0)])
    acts = (Event("turn", 1.0, 2.0), Event("interruption", 3.0, 3.6))
    acts += (Event(aside, 1.5, 1.5 if aside == "opportunity" else 1.8),) if aside else ()
    facts = {"scenario": "call", "system": "quick", "clock": "ideal", "seed": 0}
    recording = Recording(said, ((), (Word("friday", 2.4, 2.9),)), (acts, ()), facts, "user")
    other = Recording(left_out, ((), (Word("friday", 2.4, 2.9), Word("morning", 3.5, 4.0))), (acts[:1], ()),
                      {**facts, "without": {"kind": "interruption", "start": 3.0}}, "user")
    save(recording, folder / "conversations/ideal/quick/call-0")
    save(other, folder / "counterfactuals/ideal/quick/call-0/3000")
    write_observations(scored(recording, Path("conversations/ideal/quick/call-0"), without={3.0: other}),
                       folder / "observations.parquet")
    write_table([table(read_observations(folder / "observations.parquet"), "quick", None, "ideal")], folder / "table.csv")
    (folder / "manifest.json").write_text(json.dumps({"name": "a run", "agent": "quick", "clocks": ["ideal"]}))
    return folder
