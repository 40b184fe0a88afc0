"""The report page of a run: one HTML file that opens from disk, with every number, every dot and every conversation.

It shows what `table.csv` and `observations.parquet` say; it computes no statistic of its own.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from duplex.recording import load
from eval.metrics import human
from eval.metrics.catalogue import METRICS, metric
from eval.observations import read_observations
from eval.readiness import Readiness
from eval.report.conversation import Conversation, details, folders, index_entry, is_told, otherwise, plain
from eval.report.definitions import definitions, page_names
from eval.report.doubts import Doubts, doubts
from eval.report.groups import groups, headline
from eval.report.lost import lost
from eval.report.numbers import in_words
from eval.report.pages import filled
from eval.report.pictures import drifts, identity, latencies, likenesses, stacks, wraps
from eval.report.readiness import write_readiness
from eval.report.settings import differences
from eval.report.table import TESTED, Row, rows, verdict
from eval.statistics import human_distance

STYLES: Final = ("page.css", "table.css", "pictures.css", "conversations.css")
SCRIPTS: Final = ("theme.js", "page.js", "picture.js", "over_time.js", "find.js", "lanes.js", "otherwise.js", "player.js",
                  "list.js", "start.js")
INLINE_CONVERSATIONS: Final = 40  # above, each conversation is a script of its own, loaded when it is opened
TOLD_ELSEWHERE: Final = ("name", "agent", "baseline", "clocks", "command", "config", "refused", "segmentation")


def write_report(run_folder: Path) -> Path:
    """Writes `report.html` beside the conversations of a run, `report_data/` when there are many, and `readiness.html` of calls
    to customer service.

    Args:
        run_folder: holds manifest.json, table.csv, observations.parquet and conversations/<clock>/<system>/<name>/.

    Raises:
        FileNotFoundError: the folder is not a scored run.
    """
    for name in ("manifest.json", "table.csv", "observations.parquet"):
        if not (run_folder / name).is_file():
            raise FileNotFoundError(f"{run_folder} has no {name}; score the run before writing its report")
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    table = rows(pd.read_csv(run_folder / "table.csv"))
    observations = read_observations(run_folder / "observations.parquet")
    index, inline, unreadable = write_conversations(run_folder, observations)
    data = {
        "agent": manifest["agent"], "baseline": manifest.get("baseline") or "", "clocks": manifest["clocks"],
        "conversations": index, "inline": inline,
        "picture": {clock: latencies(clock, manifest, table, observations) for clock in manifest["clocks"]},
        "wraps": [[wrap.seconds, wrap.words] for wrap in wraps(manifest)],
        "people": {"median": human.FLOOR_TRANSFER_MEDIAN, "belowZero": human.BELOW_ZERO,
                   **human_distance.bins()},
        "titles": {row.metric: [row.title, row.unit] for row in table},
        "pages": page_names(),
    }
    ready = write_readiness(run_folder, manifest, clock_words(manifest["clocks"][0], manifest)["inline"])
    page = run_folder / "report.html"
    found = doubts(run_folder, manifest, observations, unreadable)
    page.write_text(rendered(manifest, table, observations, data, found, ready), encoding="utf-8")
    return page


def write_conversations(run_folder: Path, observations: pd.DataFrame) -> tuple[
        list[dict[str, Any]], list[Any], list[tuple[str, str]]]:
    """The index of all conversations, their details if they are few enough to stand in the page, and which could not be
    read, with the reason."""
    observed: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in observations[observations["metric"].map(is_told)].to_dict("records"):
        observed[identity(row["conversation"])].append({str(name): cell for name, cell in row.items()})
    data_folder = run_folder / "report_data"
    shutil.rmtree(data_folder, ignore_errors=True)
    found = folders(run_folder)
    are_inline = len(found) <= INLINE_CONVERSATIONS
    index: list[dict[str, Any]] = []
    inline, unreadable = [], []
    for folder in found:
        name = identity(folder.as_posix())
        try:
            recording = load(folder)
            without = otherwise(run_folder, name, recording)
        except (ValueError, FileNotFoundError) as error:
            unreadable.append((name, str(error)))
            continue
        conversation = Conversation(name, recording, observed[name], without)
        number = len(index)
        index.append(index_entry(conversation))
        if are_inline:
            inline.append(details(conversation))
        else:
            data_folder.mkdir(exist_ok=True)
            (data_folder / f"{number}.js").write_text(
                f"receiveConversation({number}, {script_json(details(conversation))});\n", encoding="utf-8")
    return index, inline, unreadable


def rendered(manifest: Mapping[str, Any], table: Sequence[Row], observations: pd.DataFrame, data: Mapping[str, Any],
             found: Doubts, ready: Readiness | None = None) -> str:
    longest = max((entry["seconds"] for entry in data["conversations"]), default=0.0)
    return filled(
        "template.html", STYLES, SCRIPTS,
        manifest={"started": "", "commit": "", "command": "", "config": {}, **manifest},
        suite=in_words(manifest.get("suite") or ""), agent=data["agent"], baseline=data["baseline"],
        clocks=[{**on_clock(clock, manifest, table, observations), "lost": lost(clock, manifest, data["conversations"])}
                for clock in manifest["clocks"]], doubts=found,
        verdicts=ready.verdicts if ready else (), num_conversations=len(data["conversations"]), num_metrics=len(METRICS),
        human_median=human.FLOOR_TRANSFER_MEDIAN, human_below_zero=human.BELOW_ZERO,
        explanations={metric.name: metric.explanation for metric in METRICS}, pages=data["pages"],
        tested=[metric(name).title for name in TESTED], definitions=definitions(), longest=longest, wraps=wraps(manifest),
        settings=differences(manifest), facts=facts(manifest), data=Markup(script_json(data)))


def on_clock(clock: str, manifest: Mapping[str, Any], table: Sequence[Row], observations: pd.DataFrame) -> dict[str, Any]:
    """What the page shows of a clock."""
    of_clock = [row for row in table if row.clock == clock]
    return {
        "key": clock, "words": clock_words(clock, manifest),
        "verdict": verdict(of_clock, clock, manifest["agent"], manifest.get("baseline") or ""),
        "headline": headline(of_clock), "groups": groups(of_clock),
        "without": [row for row in of_clock if not row.had_occasions],
        "likenesses": likenesses(clock, manifest, observations), "drifts": drifts(clock, manifest, table),
        "stacks": stacks(clock, manifest, table),
    }


def clock_words(clock: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """How a clock is named in the tabs and in sentences, what it means, and the stages that its profile declares."""
    charged = manifest.get("config", {}).get("clocks", {}).get(clock, {})
    kind = str(charged.get("_target_", clock)).rpartition(".")[2].lower()
    if kind == "ideal":
        return {"tab": "Ideal", "inline": "on the ideal clock", "stages": {},
                "meaning": "Computation takes no time: what remains is what the architecture costs."}
    if kind == "live":
        return {"tab": "Live", "inline": "live", "stages": {},
                "meaning": "Held in real time: all that a listener waited for, but for the sound card's own delay."}
    if kind == "measured":
        return {"tab": "Measured here", "inline": "as measured on this machine", "stages": {},
                "meaning": "Computation costs what it took on the machine that ran this."}
    name = str(charged.get("name", clock)).replace("_", " ")
    is_placed = kind == "placed"
    stages = (charged.get("compute", {}) if is_placed else charged).get("stages", {})
    medians = ", ".join(f"{stage.replace('_', ' ')} {declared['p50']}" for stage, declared in stages.items())
    costs = f"Each stage costs what the profile declares (medians in s: {medians})" if medians else "A declared profile"
    return {"tab": f"Declared: {name}", "inline": f"on the declared profile {name}", "stages": stages,
            "meaning": f"{costs}{whereabouts(charged) if is_placed else ''}; not measured, and the same draws for every system."}


def whereabouts(placed: Mapping[str, Any]) -> str:
    """Where the stages of a placed profile stand."""
    at = ", ".join(f"{stage.replace('_', ' ')} in {region}" for stage, region in placed.get("stages", {}).items())
    return f", and the way there and back from {placed.get('edge')}: {at}"


def facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rest of the manifest in words: durations as people read them, nested facts as lists."""
    seconds_of = {"audio_seconds": "audio simulated", "wall_seconds": "time taken"}
    found: list[tuple[str, str]] = []
    for name, value in manifest.items():
        if name in TOLD_ELSEWHERE or value in (None, "", [], {}):
            continue
        if name in seconds_of:
            found.append((seconds_of[name], duration(float(value))))
        elif name == "speed":
            found.append(("speed", f"{float(value):.1f} \u00d7 real time"))
        elif name == "weights":
            found += [(f"weights of {manifest[role]}", in_words(known)) for role, known in value.items()]
        elif name == "dirty":
            found.append(("checkout", "changed since the commit" if value else "as committed"))
        else:
            found.append((name.replace("_", " "), in_words(value)))
    return found


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(seconds / 60, 60)
    return f"{hours:.0f} h {minutes:.0f} min" if hours else f"{minutes:.1f} min"


def script_json(value: object) -> str:
    """JSON that can stand inside a script element, whatever words it holds."""
    text = json.dumps(plain(value), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
