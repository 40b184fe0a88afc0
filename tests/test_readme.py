"""What the README shows works: its snippets are run, its commands name things that exist."""

import re
from pathlib import Path

import in_text
import numpy as np
import pytest
from says import Says, bursts

from duplex.agents.simple import Responder
from duplex.conversation import converse
from duplex.frame import FRAME_SAMPLES
from duplex.recording import USER
from eval.callers.scenario import drawn, suite
from eval.timeline import timeline

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def defined(source: str, name: str) -> object:
    names: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), names)  # the README's own code, to see that it runs
    return names[name]


def test_the_readme_begins_with_the_two_commands() -> None:
    assert README.index("make bench") < README.index("make test") < README.index("## Talk")


def test_every_snippet_is_under_20_lines() -> None:
    assert all(snippet.count("\n") <= 20 for snippet in snippets("python") + snippets("yaml"))


def test_the_agent_of_the_readme_converses() -> None:
    parrot = defined(snippets("python")[0], "Parrot")()  # type: ignore[operator]  # a class made by exec
    recording = converse(Says(bursts((0.0, 0.4))), parrot, max_seconds=2.0)
    late = np.roll(recording.audio[USER], 2 * FRAME_SAMPLES)
    np.testing.assert_array_equal(recording.audio[1][2 * FRAME_SAMPLES:], late[2 * FRAME_SAMPLES:])


def test_the_metric_of_the_readme_measures() -> None:
    monologue = defined(snippets("python")[1], "monologue")
    recording = converse(Says(bursts((0.0, 0.8))), Responder(delay=0.8, seconds=1.5), max_seconds=5.0)
    [observation] = monologue(timeline(recording))  # type: ignore[operator]  # a function made by exec
    assert abs(observation.value - 1.5) <= 0.01


def test_the_scenario_of_the_readme_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(snippets("yaml")[0], encoding="utf-8")
    [scenario] = suite([str(path)])
    assert len(drawn(scenario, 0).lines[2].say.split()) == len("my order number is".split()) + 5


def test_the_domain_of_the_readme_does_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, snippet in (("library.yaml", snippets("yaml")[1]), ("library.py", snippets("python")[2]),
                          ("my.yaml", snippets("yaml")[2])):
        (tmp_path / name).write_text(snippet, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for seed in range(5):
        call = drawn(suite(["my.yaml"])[0], seed)
        found = in_text.read(call)
        assert in_text.complaints(call, found) == [], found.turns
        assert [event.kind for event in found.events] == ["tool_call", "answer"]


def test_every_group_and_value_of_the_readme_exists() -> None:
    rows = re.findall(r"^\| `(\w+)[^|]*\|[^|]*\|(.*)\|$", README, re.MULTILINE)
    assert len(rows) >= 5
    for group, values in rows:
        folder = CHECKOUT / "configs" / group
        if group != "stt":
            missing = [name for name in re.findall(r"`(\w+)`", values)
                       if not (folder / f"{name}.yaml").is_file() and name != "duplex"]
            assert not missing, f"{group}: {missing}"


def test_the_file_tree_names_what_exists() -> None:
    blocks = README.split("```")[1::2]
    tree = next(block.strip("\n") for block in blocks if block.startswith("\nduplex/"))
    folder = ""
    for line in tree.splitlines():
        names = line.split("  ")[0 if not line.startswith(" ") else 1].strip()
        if not line.startswith(" "):
            folder = names
        else:
            for name in names.rstrip(",").split(", "):
                found = list((CHECKOUT / folder).glob(f"{name.strip().rstrip('/')}*"))
                assert found, f"{folder}{name} does not exist"
