"""The practitioner's picture: what a cascade, an end-to-end voice and full duplex lose where, and what the network adds.

    python scripts/practitioners_picture.py                          120 conversations: smooth turns, interruptions; 12 min
    python scripts/practitioners_picture.py --systems cascade_three_regions cascade_colocated --scenarios smooth
    python scripts/practitioners_picture.py --line broadband --seeds 0 1 2 --out runs/picture_broadband

One agent of each kind, each behind the same caller's line (`perturb=pstn`: 180 ms there and back), with its stages where
practitioners put them (`latency=three_regions`, `virginia`, `colocated`). Nobody's product was called: stages cost what
`cloud_typical` declares, from what their makers and users report; ways cost what `configs/network` and `configs/perturb`
declare. What is measured is what those numbers come to in a conversation: what overlaps, what is ready ahead, what waits
for an endpoint.

Plays what is not in `--out` yet. Writes `picture.csv`, `observations.parquet` and `picture.png`; prints a table, what is
simulated, the practitioners' claims with what was found, and a last line of JSON.
"""

import argparse
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from picture_of_parts import draw
from points import Point, add_arguments, observations, summarised
from practitioners_claims import claims
from rich.console import Console
from rich.table import Table

from duplex.manifest import CHECKOUT
from eval.metrics.catalogue import metric

WIDTH: Final = 160  # of what is printed at least, a pipe's too
REFERENCE: Final = "cascade_colocated"
PARTS: Final = ("endpointing", "line", "transport", "stt_final", "llm", "tts", "speech_reply", "frame", "lead", "unexplained")
MEASURED: Final = tuple(map(metric, (
    "switch_latency", "switch_latency_p95", "zone_natural", "zone_slow", "zone_machine", "response_rate", "stop_latency",
    "yield_rate", "conversation_failed", *(f"part_{part}" for part in PARTS))))
SIMULATED: Final = (
    "Simulated: no product and no network was called. Callers are synthesised; recognition and voice are the embedded ones; "
    "their stages cost what latency profile cloud_typical declares, the ways between regions what configs/network/aws.yaml, "
    "the caller's line what perturb={line} declares. A claim about those inputs is not tested by them.")


class System(NamedTuple):
    """What is compared.

    Attributes:
        title: for people.
        agent: of the group agent.
        latency: of the group latency; where its stages stand.
        farther: seconds that the caller's line is longer, each way.
        stage: of its answers, for which the profile needs a time and a place.
    """

    title: str
    agent: str
    latency: str
    farther: float = 0.0
    stage: str = "llm"


SYSTEMS: Final[Mapping[str, System]] = {
    "cascade_three_regions": System("cascade, three regions", "cascade", "three_regions"),
    "cascade_virginia": System("cascade, one region", "cascade", "virginia"),
    REFERENCE: System("cascade, beside the phone line", "cascade", "colocated"),
    "end_to_end_colocated": System("end-to-end, beside the phone line", "end_to_end", "colocated", stage="speech_reply"),
    "full_duplex_remote": System("full duplex, an ocean away", "incremental", "colocated", 0.04),  # Virginia to Dublin and back
    "full_duplex_colocated": System("full duplex, beside the phone line", "incremental", "colocated"),
}


def main() -> None:
    options = arguments()
    console = Console()
    console.width = max(console.width, WIDTH)
    names = [name for name in options.systems if is_there(name, console)]
    observed = observations([point(name, options.line) for name in names], options, console)
    table = summaries(observed, names)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "picture.csv"
    table.to_csv(path, index=False, float_format="%.6f")
    show(table, options.line, console)
    console.print(SIMULATED.format(line=options.line))
    found = claims(table.set_index("system"))
    for claim in found:
        console.print(f"[bold]{claim.verdict}[/]: {claim.text} {claim.found}")
    picture = draw(table, PARTS, path.with_suffix(".png"), f"mean parts, perturb={options.line}, stage times declared")
    print(json.dumps({"line": options.line, "conversations": len(observed.groupby(["system", "scenario", "seed"])),
                      "systems": in_short(table), "claims": {claim.text: claim.verdict for claim in found},
                      "table": str(path), "picture": picture and str(picture)}))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "practitioners_picture", ["smooth", "interruptions"], clocks=())
    parser.set_defaults(max_seconds=60.0)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--line", default="pstn", choices=("pstn", "pstn_a", "broadband", "mobile", "network"),
                        help="of the caller; the longer one is longer by its delay")
    return parser.parse_args()


def is_there(name: str, console: Console) -> bool:
    """Whether there is a system's agent, and a time for its stage; the table is drawn without one that has not."""
    system = SYSTEMS[name]
    if system.stage in stages_of(system.latency) and (CHECKOUT / "configs" / "agent" / f"{system.agent}.yaml").is_file():
        return True
    console.print(f"[yellow]left out[/] {name}: needs agent={system.agent} and latency={system.latency} with {system.stage}")
    return False


def stages_of(latency: str) -> Collection[str]:
    """Stages that a profile declares and places."""
    profile = composed_with(f"+latency@clocks.{latency}={latency}").clocks[latency]
    return set(profile.stages) & set(profile.compute.stages)


def point(name: str, line: str) -> Point:
    """A system as it is played: on a clock that is called after where its stages stand."""
    system = SYSTEMS[name]
    overrides = [f"agent={system.agent}", f"perturb={line}", "counterfactuals=false",
                 f"+latency@clocks.{system.latency}={system.latency}"]
    if system.farther:
        overrides.append(f"perturb.link.delay={delay_of(line) + system.farther}")
    return Point(name, tuple(overrides), system.latency)


def delay_of(line: str) -> float:
    """Seconds one way that a named line's fastest packet takes."""
    delay: float = composed_with(f"perturb={line}").perturb.link.delay
    return delay


def composed_with(override: str) -> DictConfig:
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        return compose("bench", ["agent=echo", override])


def summaries(observed: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A row per system, with intervals; `_gain` is how much more the cascade beside the phone line has of a metric."""
    reference = observed[observed["system"] == REFERENCE]
    return pd.DataFrame([
        {"system": name, "title": SYSTEMS[name].title, "clock": SYSTEMS[name].latency,
         **summarised(observed[observed["system"] == name], reference, MEASURED)} for name in names])


def show(table: pd.DataFrame, line: str, console: Console) -> None:
    heard = Table(title=f"Behind perturb={line}: seconds, shares of the answers, 95 % intervals")
    for column in ("system", "median", "95th", "natural", "slow", "machine's", "answered", "failed", "stops within"):
        heard.add_column(column, justify="left" if column == "system" else "right")
    for _, row in table.iterrows():
        heard.add_row(row["title"], interval(row, "switch_latency"), number(row["switch_latency_p95"]),
                      *(f"{row[name]:.0%}" for name in (
                          "zone_natural", "zone_slow", "zone_machine", "response_rate", "conversation_failed")),
                      interval(row, "stop_latency"))
    parts = Table(title="Where it goes: means, which add up to the mean latency of the answers whose parts are known")
    for column in ("system", *used(table), "mean"):
        parts.add_column(column, justify="left" if column == "system" else "right")
    for _, row in table.iterrows():
        parts.add_row(row["title"], *(number(row[f"part_{part}"]) for part in used(table)), number(mean(row)))
    for one in (heard, parts):
        console.print(one)


def used(table: pd.DataFrame) -> list[str]:
    """Parts that somebody has."""
    return [part for part in PARTS if (table[f"part_{part}"].abs() >= 0.0005).any()]


def mean(row: pd.Series) -> float:
    """Of the latencies whose parts are known, which add up to it."""
    return float(sum(row[f"part_{part}"] for part in PARTS))


def interval(row: pd.Series, name: str) -> str:
    if pd.isna(row[name]):
        return f"– n={row[f'{name}_n']:.0f}"
    return f"{number(row[name])} \\[{number(row[f'{name}_low'])}, {number(row[f'{name}_high'])}] n={row[f'{name}_n']:.0f}"


def number(seconds: float) -> str:
    return "–" if pd.isna(seconds) else f"{seconds:.2f}" if abs(seconds) >= 0.0995 or seconds == 0.0 else f"{seconds:.3f}"


def in_short(table: pd.DataFrame) -> dict[str, Any]:
    return {row["system"]: dict(rounded(row)) for _, row in table.iterrows()}


def rounded(row: pd.Series) -> Iterator[tuple[str, Any]]:
    for one in MEASURED:
        ends = (row[one.name], row[f"{one.name}_low"], row[f"{one.name}_high"])
        yield one.name, [None if pd.isna(end) else round(float(end), 3) for end in ends]


if __name__ == "__main__":
    main()
