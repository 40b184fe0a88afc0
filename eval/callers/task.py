"""What a call must achieve, and how hard that is made: the part of a scenario that only an evaluation reads.

An agent never sees it. Whether it was achieved is measured in `eval.tasks`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

Fact: TypeAlias = tuple[str, ...]  # wordings of the same thing, one of which is enough

HANDOFF: Final = ("", "should", "should_not")
MOODS: Final = ("calm", "hesitant", "upset")
DIFFICULTIES: Final = ("", "easy", "medium", "hard")
DISTURBANCES: Final = ("", "interruption", "correction", "hesitation", "backchannel", "noise")
DISTRESS: Final = ("", "words", "voice")
SEVERITIES: Final = (1, 3, 10)


@dataclass(frozen=True)
class Task:
    """What must be true when the call is over.

    Attributes:
        said: facts that the agent must speak.
        not_said: facts that it must not.
        state: what the records are in the end, as a change to what they were: table -> key -> field -> value. None where it
            does not matter; empty where nothing may change.
        handoff: whether a person should take over: "should", "should_not", or "" where it does not matter.
        needs: what that person must know, by name, to spare the caller saying it again.
        invented: what would be made up, in answer to a question that the agent has no facts for.
        obeyed: what shows that the agent was talked into something.
        severity: of a failure: 1 harmless, 3 costly, 10 harmful.
        distress: what tells that the caller is distressed: "words", "voice", or "" for one who is not.
    """

    said: tuple[Fact, ...] = ()
    not_said: tuple[Fact, ...] = ()
    state: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None
    handoff: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    invented: tuple[Fact, ...] = ()
    obeyed: tuple[Fact, ...] = ()
    severity: int = 1
    distress: str = ""

    def filled(self, fill: Callable[[str], str]) -> "Task":
        """With values in place of $names."""
        def facts(of: tuple[Fact, ...]) -> tuple[Fact, ...]:
            return tuple(tuple(map(fill, wordings)) for wordings in of)

        state = None if self.state is None else {
            table: {fill(key): {name: fill(value) for name, value in fields.items()} for key, fields in rows.items()}
            for table, rows in self.state.items()}
        return replace(self, said=facts(self.said), not_said=facts(self.not_said), state=state,
                       needs={name: fill(value) for name, value in self.needs.items()},
                       invented=facts(self.invented), obeyed=facts(self.obeyed))

    @property
    def facts(self) -> dict[str, Any]:
        """As a recording keeps it: what is expected, JSON-like, less what is not."""
        listed = {name: [list(wordings) for wordings in getattr(self, name)] for name in FACTS}
        kept = {"state": self.state, "handoff": self.handoff, "needs": dict(self.needs), "severity": self.severity,
                "distress": self.distress}
        return {**{name: found for name, found in listed.items() if found or name in ("said", "not_said")},
                **{name: value for name, value in kept.items() if value or name == "state" and value is not None}}


FACTS: Final = ("said", "not_said", "invented", "obeyed")
TASK_KEYS: Final = {*FACTS, "state", "handoff", "needs", "severity", "distress"}


@dataclass(frozen=True)
class About:
    """How a scenario is hard, and what its caller wants.

    Attributes:
        difficulty: easy, medium, hard, or "".
        base: the scenario that is the same task undisturbed, or "".
        disturbed: by what this one differs from it: one of DISTURBANCES.
        mood: how the caller sounds: calm, hesitant, upset.
        noise: on the line, signal to noise in dB; None for a quiet one.
        goal: what a caller who thinks is told; "" where the lines say it all.
        counterparts: of an undisturbed one, by what its disturbed counterparts in the suite differ from it.
    """

    difficulty: str = ""
    base: str = ""
    disturbed: str = ""
    mood: str = "calm"
    noise: float | None = None
    goal: str = ""
    counterparts: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """As a recording keeps it."""
        return {"difficulty": self.difficulty, "base": self.base, "disturbed": self.disturbed, "mood": self.mood,
                "counterparts": list(self.counterparts), "line": {} if self.noise is None else {"noise": self.noise}}


def task(given: dict[str, Any], where: str) -> Task:
    """From the `expect` of a scenario's YAML."""
    known(given, TASK_KEYS, where)
    said, not_said, invented, obeyed = (alternatives(given, name, where) for name in FACTS)
    made = Task(said, not_said, state_of(given.get("state"), where), given.get("handoff", ""), given.get("needs", {}),
                invented, obeyed, given.get("severity", 1), given.get("distress", ""))
    for name, value, there_are in (("handoff", made.handoff, HANDOFF), ("severity", made.severity, SEVERITIES),
                                   ("distress", made.distress, DISTRESS)):
        one_of(name, value, there_are, where)
    if not isinstance(made.needs, dict) or not all(isinstance(value, str) for value in made.needs.values()):
        raise ValueError(f"{where}: needs is name: value, not {made.needs!r}")
    return made


def about_of(given: dict[str, Any], where: str) -> About:
    """From the other keys of a scenario's YAML."""
    line = given.get("line", {})
    known(line, {"noise"}, f"{where}, line")
    made = About(given.get("difficulty", ""), given.get("base", ""), given.get("disturbed", ""), given.get("mood", "calm"),
                 line.get("noise"), given.get("goal", ""))
    for name, value, there_are in (("difficulty", made.difficulty, DIFFICULTIES), ("mood", made.mood, MOODS),
                                   ("disturbed", made.disturbed, DISTURBANCES)):
        one_of(name, value, there_are, where)
    if made.noise is not None and (isinstance(made.noise, bool) or not isinstance(made.noise, int | float)):
        raise ValueError(f"{where}: the noise on the line is a signal-to-noise ratio in dB, not {made.noise!r}")
    return made


def one_of(name: str, value: object, there_are: tuple[object, ...], where: str) -> None:
    if value not in there_are or isinstance(value, bool):
        raise ValueError(f"{where}: {name} {value!r} is not one of {', '.join(repr(one) for one in there_are)}")


def state_of(given: object, where: str) -> Mapping[str, Mapping[str, Mapping[str, str]]] | None:
    if given is None:
        return None
    rows = [fields for table in given.values() if isinstance(table, dict) for fields in table.values()] if isinstance(
        given, dict) and all(isinstance(table, dict) for table in given.values()) else [None]
    if not isinstance(given, dict) or not all(
            isinstance(fields, dict) and all(isinstance(value, str) for value in fields.values()) for fields in rows):
        raise ValueError(f"{where}: state is table: key: field: value, of words, not {given!r}")
    return given


def alternatives(given: Mapping[str, Any], key: str, where: str) -> tuple[Fact, ...]:
    """Facts: each a phrase, or a list of phrases that say the same."""
    listed = given.get(key, ())
    if not isinstance(listed, list | tuple):
        raise ValueError(f"{where}: {key} is a list of phrases, not {listed!r}")
    return tuple(phrases({key: [one] if isinstance(one, str) else one}, key, where) for one in listed)


def known(given: object, keys: set[str], where: str) -> None:
    """Complains about whatever a part of a scenario has beyond `keys`."""
    if not isinstance(given, dict):
        raise ValueError(f"{where}: {given!r} needs keys, of {', '.join(sorted(keys))}")
    if unknown := {str(key) for key in given} - keys:
        raise ValueError(f"{where}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(keys))}")


def phrases(given: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    listed = given.get(key, ())
    if not isinstance(listed, list | tuple) or not all(isinstance(one, str) and one for one in listed):
        raise ValueError(f"{where}: {key} is a list of phrases, not {listed!r}")
    return tuple(listed)
