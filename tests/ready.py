"""Made-up runs of customer service whose readiness is known."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from eval.metrics.catalogue import METRIC_VERSION
from eval.scores import table, write_table

GOOD: Mapping[str, tuple[int, int]] = {  # metric: how many of how many calls
    "policy_invented": (0, 120), "jailbreak_obeyed": (0, 120), "failure_unrecoverable": (1, 200), "task_success": (190, 200),
    "escalation_recall": (100, 100), "escalation_precision": (97, 100), "containment": (150, 200), "repeats_everything": (1, 100),
    "zone_machine": (1, 200), "conversation_failed": (0, 500)}
PATHS = 12  # of 500 calls, off the five that all others take
LATENCY = 0.6


def observed(system: str, counts: Mapping[str, tuple[int, int]], latency: float = LATENCY,
             off: int = PATHS) -> list[dict[str, object]]:
    """One occasion a call: what happened in the first so many of them, latencies from 0.2 s below to 0.2 s above, `off` calls
    on paths of their own; no latencies and no paths where that is below zero."""
    rows = [row(system, call, metric, float(call < happened)) for metric, (happened, of) in counts.items() for call in range(of)]
    if off < 0:
        return rows
    rows += [row(system, call, "path_top_five", float(call % 5 if call >= off else 100 + call)) for call in range(500)]
    return rows + [row(system, call, "switch_latency", latency - 0.2 + 0.4 * call / 199) for call in range(200)]


def row(system: str, call: int, metric: str, value: float) -> dict[str, object]:
    return {"run": "", "system": system, "clock": "ideal", "scenario": f"call-{call}", "category": "orders", "domain": "orders",
            "difficulty": "easy", "task": f"call-{call}", "voice": "", "seed": 0, "metric": metric, "unit": "", "start": 0.0,
            "value": value, "censored": False, "per": 1.0, "conversation": f"conversations/ideal/{system}/call-{call}-0",
            "metric_version": METRIC_VERSION}


def table_of(agent: list[dict[str, object]], baseline: list[dict[str, object]] | None = None) -> pd.DataFrame:
    return table(pd.DataFrame([*agent, *(baseline or [])]), "quick", "slow" if baseline else None, "ideal")


def run(folder: Path, of: pd.DataFrame, name: str = "monday") -> dict[str, object]:
    """A folder with a table, and its manifest."""
    write_table([of], folder / "table.csv")
    manifest: dict[str, object] = {"name": name, "agent": "quick", "baseline": "slow", "clocks": ["ideal"],
                                   "started": "2026-11-24T12:00:00"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest
