"""duplex-judge: what a chat model makes of the calls of a run, beside the score and never in its place.

    duplex-judge run=runs/monday model.model=gpt-4.1 clock=cloud_typical
    duplex-judge run=runs/monday model.model=qwen3 model.base_url=http://localhost:8000/v1

Control items, of which the answer is known, are judged first: a judge that is wrong about more than one in ten of them has no
word, and then the exit code is 2. What it said lies in `judgements.json` of the run; no metric reads it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from duplex import programs
from duplex.build import built
from duplex.journal import recordings
from duplex.manifest import read_manifest
from duplex.recording import load
from duplex.stages.language.chat_model import ChatModel
from eval.programs import say
from eval.scoring import CONVERSATIONS
from eval.statistics.bootstrap import Sample
from eval.statistics.estimates import estimate
from eval.tasks.call import Call, call_of
from eval.tasks.judging import LEAST_RIGHT, controls, item, judged, tried
from eval.tasks.success import verdict
from eval.timeline import timeline

NAME: Final = "judgements.json"


@dataclass
class Settings:
    """The plain settings in configs/judge.yaml."""

    run: str
    clock: str | None
    controls: int


def judge(run: Path, model: ChatModel, clock: str, num_controls: int, console: Console) -> None:
    """Judges every call of a clock that has a task, and prints how often the judge agrees with the score.

    Raises:
        ValueError: there is no task to judge, or the judge fails its control items.
        ModelFailed: the model gave no answer; what was judged by then is lost, as a run judged in part says nothing.
    """
    calls = tasks(run, clock)
    if not calls:
        raise ValueError(f"{run} has no call with a task on the clock {clock!r}")
    found = tried(model, controls(list(calls.values()), num_controls))
    if not found.hold:
        raise ValueError(f"{model.name} was right about {found.right} of {found.number} control items, and it takes "
                         f"{LEAST_RIGHT:.0%}: its word counts for nothing; ask another model")
    rows: list[dict[str, object]] = [
        {"conversation": folder.as_posix(), "system": str(call.facts.get("system") or ""),
         "judged": judged(model, item(call)), "achieved": verdict(call).success}
        for folder, call in track(calls.items(), "judging", console=console, disable=not console.is_terminal)]
    kept = {"by": model.name, "clock": clock, "controls": {"right": found.right, "of": found.number}, "calls": rows}
    (run / NAME).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    say(console, f"{model.name}, right about {found.right} of {found.number} control items, on {clock}:")
    for system in sorted({str(row["system"]) for row in rows}):
        say(console, told(system, [row for row in rows if row["system"] == system]))
    say(console, f"judgements: {run / NAME}")


def tasks(run: Path, clock: str) -> dict[Path, Call]:
    """The calls of a clock that have a task, by folder."""
    found = {}
    for folder in recordings(run / CONVERSATIONS / clock):
        recording = load(folder)
        call = call_of(recording, timeline(recording))
        if call.is_task:
            found[folder.relative_to(run)] = call
    return found


def told(system: str, rows: list[dict[str, object]]) -> str:
    """How often the judge lets a system pass, and how often that is the score's opinion too."""
    known = [row for row in rows if row["judged"] is not None]
    if not known:
        return f"  {system}: no verdict on any of {len(rows)} calls"
    values = np.array([float(bool(row["judged"])) for row in known])
    share = estimate(Sample(values, np.zeros(len(known), bool), np.arange(len(known))), "rate")
    interval = "" if share.low is None or share.high is None else f" [{share.low:.0%}, {share.high:.0%}]"
    agree = sum(row["judged"] == row["achieved"] for row in known)
    silent = f", no verdict on {len(rows) - len(known)}" if len(known) < len(rows) else ""
    return f"  {system}: {share.value:.0%}{interval} of {len(known)} calls pass; agrees with the score on {agree}{silent}"


def act(config: DictConfig) -> None:
    settings = programs.settings(config, Settings)
    run = Path(settings.run)
    clock = settings.clock or str(read_manifest(run)["clocks"][0])
    if settings.controls < 2:
        raise ValueError(f"controls is 2 or more, not {settings.controls}: without them nobody knows what a judge is worth")
    judge(run, built(config.model), clock, settings.controls, programs.console())


def main() -> None:
    programs.run(act, "judge")


if __name__ == "__main__":
    main()
