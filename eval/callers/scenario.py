"""Scenarios: who calls, what they say and when, and what the call must achieve; read from YAML.

A scenario is a template. `drawn` fills it with values of a seed, so that a suite can be made anew with numbers that
nobody has tuned to. Who speaks it is `eval.callers.caller`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from duplex.conversation import Prompt
from duplex.stages.language.domain import SLOT, Domain, domain
from duplex.stages.language.role import role_of
from eval.callers.task import About, Task, about_of, known, phrases, task

FOLDER: Final = Path(__file__).parents[1] / "scenarios"
ACTS: Final = (
    "turn", "interruption", "correction", "backchannel", "cough", "noise", "side_talk", "background_talk")
WORDLESS: Final = ("cough", "noise")
CLAIM_FLOOR: Final = ("turn", "interruption", "correction")
CUES: Final = ("at", "into_agent_turn", "after_agent_turn", "after_silence")
TURN_GAP: Final = 0.6  # seconds of silence after which a caller takes an agent's turn for over
PAUSE: Final = re.compile(r"<(\d+(?:\.\d+)?)>")
MARK: Final = "|"  # where a listener may say "uh huh"
LINE_KEYS: Final = {*CUES, "say", "act", "expects", "answer", "trigger"}
ANSWER_KEYS: Final = {"to", "say", "act", "times", "expects", "trigger"}
SCENARIO_KEYS: Final = {"name", "lines", "answers", "draw", "records", "expect", "voice", "rate", "domain", "difficulty", "base",
                        "disturbed", "mood", "line", "goal"}
OPENING: Final = "opening"  # the branch of a call's lines; others are called by the question that is answered


@dataclass(frozen=True)
class Line:
    """Something the caller says on cue.

    Attributes:
        say: the words; "<0.8>" is a pause of 0.8 s inside the turn, "|" a place where a listener may say "uh huh".
        cue: one of CUES.
        seconds: of the cue: the time, how far into the agent's turn, how long after it, how long a silence.
        act: one of ACTS.
        expects: phrases, one of which an answer to this line contains (see `eval.metrics`).
        answer: whether an answer is due.
        trigger: whether it is what the call is about: the question that has no answer, the reason for a handoff.
    """

    say: str
    cue: str
    seconds: float
    act: str
    expects: tuple[str, ...] = ()
    answer: bool = True
    trigger: bool = False
    branch: str = OPENING


@dataclass(frozen=True)
class Response:
    """Something the caller says when the agent's turn contained one of `to`.

    Attributes:
        say: wordings, the next one each time it is asked for: who was not understood says it in other words.
        times: how often at most.
        trigger: as of a line.
        branch: what the question is called, in a path through the call: the first of `to`, its $names unfilled.
    """

    to: tuple[str, ...]
    say: tuple[str, ...]
    act: str = "turn"
    times: int = 3
    expects: tuple[str, ...] = ()
    trigger: bool = False
    branch: str = ""


@dataclass(frozen=True)
class Scenario:
    """A call.

    Attributes:
        name: unique in its suite.
        category: what is tried: smooth, pause, interruption, optician, orders, handoff, ...
        lines: said in order, each on its cue.
        responses: said whenever the agent asks for it, once the lines are done.
        draw: name -> kind of value in the domain; values of one kind differ.
        records: what the agent's records hold, table -> key -> field -> value.
        task: what the call must achieve.
        voice: name of a caller's voice, or "" to draw one.
        rate: slow, normal, fast, or "" to draw one.
        about: how it is hard, and what a caller who thinks wants.
    """

    name: str
    category: str
    domain: str
    lines: tuple[Line, ...]
    responses: tuple[Response, ...] = ()
    draw: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    task: Task = Task()
    voice: str = ""
    rate: str = ""
    about: About = About()

    @property
    def prompt(self) -> Prompt:
        """What the agent is told: its role, and its records as prose and as data."""
        return Prompt(role_of(domain(self.domain), self.records), self.records, self.domain)

    @property
    def drawn_as(self) -> str:
        """Scenarios that share it are the same task, with the same values, in the same voice."""
        return self.about.base or self.name


def suite(files: list[str]) -> tuple[Scenario, ...]:
    """The scenarios of several files, by name in `eval/scenarios` or by path.

    Raises:
        ValueError: for whatever cannot be played, with the file, the scenario and what would be right.
    """
    scenarios = [scenario for file in files for scenario in read(file)]
    names = [scenario.name for scenario in scenarios]
    if doubles := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"scenario names must differ in a suite: {', '.join(sorted(doubles))}")
    for one in scenarios:
        if one.about.base and one.about.base not in names:
            raise ValueError(f"scenario {one.name!r}: there is no scenario {one.about.base!r} in the suite to be its base")
    return tuple(replace(one, about=replace(one.about, counterparts=counterparts(one, scenarios))) for one in scenarios)


def counterparts(base: Scenario, scenarios: list[Scenario]) -> tuple[str, ...]:
    return tuple(sorted({one.about.disturbed for one in scenarios if one.about.base == base.name and one.about.disturbed}))


def read(file: str) -> tuple[Scenario, ...]:
    path = Path(file) if file.endswith(".yaml") else FOLDER / f"{file}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in FOLDER.glob("*.yaml")))
        raise ValueError(f"no scenarios {file!r}: there are {known}, or give a path that ends in .yaml")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict) or not {"category", "domain", "scenarios"} <= data.keys():
        raise ValueError(f"{path} needs category, domain and scenarios")
    if not isinstance(data["scenarios"], list) or not data["scenarios"]:
        raise ValueError(f"{path}: scenarios is a list of at least one")
    return tuple(scenario(given, data["category"], data["domain"], path) for given in data["scenarios"])


def scenario(given: dict[str, Any], category: str, domain_name: str, path: Path) -> Scenario:
    name = given.get("name", "?") if isinstance(given, dict) else given
    where = f"{path.name}, scenario {name!r}"
    known(given, SCENARIO_KEYS, where)
    about = domain(given.get("domain", domain_name))
    if not given.get("name") or not isinstance(given.get("lines"), list) or not given["lines"]:
        raise ValueError(f"{where} needs a name and at least one line")
    made = Scenario(
        str(given["name"]), category, str(given.get("domain", domain_name)),
        tuple(line(one, index, where) for index, one in enumerate(given["lines"])),
        tuple(response(one, where) for one in given.get("answers", ())),
        given.get("draw", {}), given.get("records", {}),
        task(given.get("expect", {}), f"{where}, expect"),
        given.get("voice", ""), given.get("rate", ""), about_of(given, where))
    at = [one.seconds for one in made.lines if one.cue == "at"]
    if at != sorted(at):
        raise ValueError(f"{where}: lines are said in order, so their times at {', '.join(f'{time:g}' for time in at)} "
                         "must grow")
    check_draw(made, about, set(SLOT.findall(str(given))), where)
    return made


def check_draw(made: Scenario, about: Domain, used: set[str], where: str) -> None:
    for name, kind in made.draw.items():
        if kind not in about.values:
            raise ValueError(f"{where}: cannot draw {name!r}: domain {about.name!r} has no {kind!r}, only "
                             f"{', '.join(about.values)}")
        there_are = len(about.values[kind].choices)
        if there_are and list(made.draw.values()).count(kind) > there_are:
            raise ValueError(f"{where}: cannot draw {list(made.draw.values()).count(kind)} different values of "
                             f"{kind!r}, there are {there_are}")
    if undrawn := used - made.draw.keys():
        raise ValueError(f"{where}: {', '.join(sorted(undrawn))} stands behind a $ but is not drawn")


def line(given: dict[str, Any], index: int, where: str) -> Line:
    where = f"{where}, line {index + 1}"
    known(given, LINE_KEYS, where)
    cues = [cue for cue in CUES if cue in given]
    if len(cues) != 1:
        raise ValueError(f"{where}: cue {given.get('say', '')!r} needs one of {', '.join(CUES)}, "
                         f"not {' and '.join(cues) or 'none'}")
    cue = cues[0]
    seconds = cue_seconds(cue, given[cue], index, where)
    act = act_of(given, "interruption" if cue == "into_agent_turn" else "turn", where)
    say = "" if act in WORDLESS else spoken(given.get("say"), act, where)
    return Line(say, cue, seconds, act, phrases(given, "expects", where), bool(given.get("answer", act in CLAIM_FLOOR)),
                bool(given.get("trigger", False)))


def cue_seconds(cue: str, seconds: object, index: int, where: str) -> float:
    """The time of a cue, if a caller can keep it."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.0 <= seconds < float("inf"):
        raise ValueError(f"{where}: {cue} is seconds >= 0, not {seconds!r}")
    if cue == "after_agent_turn" and seconds < TURN_GAP:
        raise ValueError(f"{where}: a caller knows that a turn is over after {TURN_GAP} s of silence, "
                         f"so after_agent_turn: {seconds} cannot be played; use into_agent_turn to be earlier")
    if cue in ("into_agent_turn", "after_agent_turn") and index == 0:
        raise ValueError(f"{where}: the first line cannot wait for the agent's turn: the caller opens the call; "
                         "use at or after_silence")
    return float(seconds)


def response(given: dict[str, Any], where: str) -> Response:
    where = f"{where}, answers"
    known(given, ANSWER_KEYS, where)
    if not given.get("to") or not given.get("say"):
        raise ValueError(f"{where}: each needs to (phrases of the agent) and say")
    act = act_of(given, "turn", where)
    wordings = given["say"] if isinstance(given["say"], list) else [given["say"]]
    times = given.get("times", 3)
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise ValueError(f"{where}: times is how often at most, 1 or more, not {times!r}")
    return Response(phrases(given, "to", where), tuple(spoken(say, act, where) for say in wordings), act, times,
                    phrases(given, "expects", where), bool(given.get("trigger", False)), phrases(given, "to", where)[0])


def act_of(given: Mapping[str, Any], usual: str, where: str) -> str:
    act = given.get("act", usual)
    if act not in ACTS:
        raise ValueError(f"{where}: act {act!r} is not one of {', '.join(ACTS)}")
    return str(act)


def spoken(say: object, act: str, where: str) -> str:
    """What is said, if a synthesiser can say it: "<0.8>" stands between words."""
    if say is None or say == "":
        raise ValueError(f"{where}: a {act} needs something to say")
    if not isinstance(say, str):
        raise ValueError(f"{where}: say is words, not {say!r}; put quotes around yes, no and numbers")
    parts = PAUSE.split(say)[::2]
    if not all(part.strip() for part in parts) or any(mark in part for part in parts for mark in "<>"):
        raise ValueError(f"{where}: in {say!r}, a pause stands between words and is written <0.8>, in seconds")
    if not all(piece.strip() for part in parts for piece in part.split(MARK)):
        raise ValueError(f"{where}: in {say!r}, an opportunity for a backchannel stands between words and is written {MARK}")
    return say


def drawn(template: Scenario, seed: int) -> Scenario:
    """`template` with the values of `seed` in place of its $names."""
    random = Random(f"{template.drawn_as} {seed}")
    about = domain(template.domain)
    values: dict[str, str] = {}
    for name, kind in template.draw.items():
        taken = {values[other] for other in values if template.draw[other] == kind}
        while (value := about.values[kind].draw(random)) in taken:
            pass
        values[name] = value

    def filled(text: str) -> str:
        return SLOT.sub(lambda slot: values[slot[1]], text)

    def all_filled(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filled(text) for text in texts)

    return replace(
        template,
        lines=tuple(replace(one, say=filled(one.say), expects=all_filled(one.expects)) for one in template.lines),
        responses=tuple(replace(one, to=all_filled(one.to), say=all_filled(one.say), expects=all_filled(one.expects))
                        for one in template.responses),
        records={table: {filled(key): {name: filled(value) for name, value in fields.items()}
                         for key, fields in rows.items()} for table, rows in template.records.items()},
        task=template.task.filled(filled), about=replace(template.about, goal=filled(template.about.goal)))
