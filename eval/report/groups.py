"""The table in an order that a reader can find something in: the headline, our groups, other people's rules.

Which metric belongs where is the catalogue's business; what each says, that of `eval.report.table`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eval.metrics.catalogue import GROUPS
from eval.report.numbers import signed
from eval.report.table import Row, scaled

HEADLINE: Final = "Headline metrics"
ABOUT: Final = {
    "Taking the floor": "When the agent answers, whether it does, and whether it waits.",
    "Interruptions": "The caller takes the floor while the agent speaks.",
    "What claims nothing": "Backchannels, coughs, noise and talk to others, which should stop nobody.",
    "Listening": "What the agent does while the floor is the caller\u2019s.",
    "Turn-taking beside people": "Units, pauses, gaps and overlaps, beside those of Switchboard.",
    "Did it do the job": "Facts told and withheld, records as they should be, a decent end; and where it was lost.",
    "The part for people": "Who should have been handed to a person, who was, and what they had to say again.",
    "Before shipping": "Invented policy, jailbreaks, paths through the calls, and what a failure costs.",
    "Time and cost": "Where a latency comes from, and what computing costs.",
    "What could be measured": "How many occasions there were, and how far the recordings can be trusted.",
    "Full-Duplex-Bench v1": "By the rules of Lin et al. (2025, arXiv 2503.04721): clamped latencies, one number for a file.",
    "Full-Duplex-Bench v1.5": "By the rules of Lin et al. (2025, arXiv 2507.23159): what an agent does when it is talked over.",
    "tau-voice": "By the rules of Sierra\u2019s tau2-bench (interaction panel 1.0), on ticks of 0.2 s.",
    "EVA": "By the rules of ServiceNow\u2019s EVA (turn-taking 0.2, arXiv 2605.13841), which would fault people\u2019s timing.",
    "VAP events": "The events that Ekstedt & Skantze (2022) judge voice activity projection by.",
    "dGSLM": "The corpus statistics of Nguyen et al. (2023), of both parties together.",
}


@dataclass(frozen=True)
class Group:
    """Rows under one heading.

    Attributes:
        about: a sentence: what they are about or whose rules they are.
        rows: with an occasion, those in the headline left out.
        above: which of the group stand in the headline.
        is_ours: whether the rules are ours.
    """

    title: str
    about: str
    rows: tuple[Row, ...]
    above: tuple[Row, ...] = ()
    is_ours: bool = True

    @property
    def has_people(self) -> bool:
        return any(row.human == row.human for row in self.rows)

    @property
    def bounds(self) -> str:
        """Up to where the differences are drawn, by unit."""
        of_units = {row.unit: row for row in self.rows if not row.is_few and row.difference.exists}
        words = {"share": "shares", "s": "seconds"}
        return ", ".join(f"{words.get(unit, unit)} to \u00b1{signed(row.bound, unit).removeprefix('+')}"
                         for unit, row in of_units.items())


def headline(of_clock: Sequence[Row]) -> Group:
    """The short table of a clock."""
    return Group(HEADLINE, "", tuple(scaled([row for row in of_clock if row.headline and row.had_occasions])))


def groups(of_clock: Sequence[Row]) -> list[Group]:
    """All other rows of a clock that had an occasion: ours as in the catalogue, then each benchmark's."""
    present = [row for row in of_clock if row.had_occasions]
    of_title = {title: {metric.name for metric in metrics} for title, metrics in GROUPS.items()}
    families = dict.fromkeys(row.family for row in present if row.family)
    found = [group(title, [row for row in present if row.metric in names]) for title, names in of_title.items()]
    found += [group(family, [row for row in present if row.family == family], is_ours=False) for family in families]
    return [one for one in found if one.rows]


def group(title: str, members: Sequence[Row], is_ours: bool = True) -> Group:
    return Group(title, ABOUT.get(title, ""), tuple(scaled([row for row in members if not row.headline])),
                 tuple(row for row in members if row.headline), is_ours)
