"""duplex-talk: a call (`duplex.talk`), and then the same table of it that the benchmark prints."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from duplex import programs
from duplex.live.calibration import calibrate
from duplex.live.devices import table
from duplex.recording import load
from duplex.talk import caller, talk
from eval.programs import say
from eval.score import score

NO_FAULT: Final = ("rate", "callbacks")


def act(config: DictConfig) -> None:
    run, console = Path(HydraConfig.get().runtime.output_dir), programs.console()
    if config.calibrate:
        config.user.check, config.user.echo = False, "none"  # no chirp before the chirps, and nobody who takes them away
        say(console, calibrate(caller(config)).line())
        return
    ended = talk(config, run, console)
    if ended.seconds:
        score(run, console, bool(config.report))
        for line in beside(load(ended.folder).facts.get("tally", {})):
            say(console, line)
    if ended.failure:
        raise ValueError(f"the conversation broke off: {ended.failure}")


def beside(tally: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What a table on frame time does not know of a live call, in sentences."""
    you, agent = tally.get("user", {}), tally.get("agent", {})
    if (delay := you.get("device_seconds")) is not None:
        yield (f"at the sound card every latency is {delay:.2f} s longer than in the table (its own account; "
               f"duplex-talk --calibrate measures it); {counts(you)}")
    if (echo := you.get("echo", {})).get("told"):
        yield echo["told"]
    if agent:
        yield f"the line: {counts(agent)}"


def counts(tally: Mapping[str, Any]) -> str:
    counted = [f"{name.replace('_', ' ')} {number}" for name, number in tally.items()
               if isinstance(number, int) and not isinstance(number, bool) and name not in NO_FAULT]
    return ", ".join(counted) or "nothing was counted"


def show_devices(console: Console) -> None:
    header, *devices = table()
    shown = Table(*header)
    for device in devices:
        shown.add_row(*device)
    console.print(shown)


def as_overrides(arguments: Sequence[str]) -> list[str]:
    """`--ssh host` and `--calibrate` as the settings that they stand for."""
    overrides: list[str] = []
    given = iter(arguments)
    for argument in given:
        name, _, value = argument.partition("=")
        if name == "--ssh":
            host = value or next(given, "")
            if not host:
                raise ValueError("--ssh wants a host, as in --ssh gpu-box or --ssh me@gpu-box")
            overrides += ["agent=remote", f"agent.ssh={host}"]
        else:
            overrides.append("calibrate=true" if argument == "--calibrate" else argument)
    return overrides


def main() -> None:
    try:
        if "--list-devices" in sys.argv[1:]:
            show_devices(programs.console())
            return
        sys.argv[1:] = as_overrides(sys.argv[1:])
    except (ValueError, ImportError) as error:
        programs.exit_with(error)
    programs.run(act, "talk")


if __name__ == "__main__":
    main()
