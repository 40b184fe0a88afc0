"""A model of the Moshi family behind the server: slots are handed out, and each caller's wishes hold for one conversation."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from says import Says, bursts

for needed in ("moshi", "aiohttp", "websockets", "filelock"):
    pytest.importorskip(needed)

from serving import serving  # noqa: E402
from test_server import close_of  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from duplex.agents.personaplex import personaplex  # noqa: E402
from duplex.agents.remote import Remote  # noqa: E402
from duplex.conversation import Prompt, converse  # noqa: E402
from duplex.recording import AGENT, Recording  # noqa: E402
from duplex.server.server import Doors  # noqa: E402

Tiny = Callable[[str], Path]
WISHES = ({"voice": "NATF0", "temperature": 0.9, "text_temperature": 0.8}, {"voice": "NATM0", "temperature": 0.0, "top_k": 50})
PROMPTS = (Prompt("You are a teacher."), Prompt("You sell glasses."))


def call(agent: object, number: int) -> Recording:
    return converse(Says(bursts((0.2, 0.8))), agent, prompt=PROMPTS[number], seed=number, max_seconds=1.6)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def overrides(tiny: Tiny) -> list[str]:
    return ["agent=personaplex", f"agent.path={tiny('personaplex')}", "agent.slots=2", "agent.live=true"]


@pytest.mark.slow
def test_voice_role_seed_and_temperatures_hold_for_one_conversation(tmp_path: Path, tiny: Tiny, overrides: list[str]) -> None:
    home = [call(personaplex(path=str(tiny("personaplex")), **wishes), number)  # type: ignore[arg-type]
            for number, wishes in enumerate(WISHES)]
    with serving(tmp_path, *overrides, doors=Doors(places=2)) as it:
        agents = [Remote(it.url, mode="lockstep", **wishes) for wishes in WISHES]  # type: ignore[arg-type]
        with ThreadPoolExecutor(2) as pool:  # both at the same time, in one batch
            there = list(pool.map(call, agents, (0, 1)))
    for at_home, away in zip(home, there, strict=True):
        tokens = [[event.detail["token"] for event in one.events[AGENT] if event.kind == "text_token"] for one in (at_home, away)]
        assert tokens[0] == tokens[1] and len(tokens[0]) > 3
        np.testing.assert_allclose(away.audio[AGENT], at_home.audio[AGENT], atol=2e-4)
    assert not np.array_equal(there[0].audio[AGENT], there[1].audio[AGENT])


@pytest.mark.slow
def test_slots_are_places(tmp_path: Path, overrides: list[str]) -> None:
    with serving(tmp_path, *overrides, doors=Doors(places=2)) as it:
        with connect(it.url + "?voice_prompt=NATF0.pt&text_prompt=hi") as one, connect(it.url) as two:
            assert one.recv(timeout=20) == b"\0" and two.recv(timeout=20) == b"\0"
            with connect(it.url) as third:
                assert close_of(third)[:2] == (1013, "no place of 2 is free; try again later")
        assert it.server.house.agents.voices[0] == "NATF0"


@pytest.mark.slow
def test_a_voice_that_is_not_there_and_a_role_that_is_too_long_are_refused(tmp_path: Path, overrides: list[str]) -> None:
    with serving(tmp_path, *overrides) as it:
        with connect(it.url + "?voice_prompt=NOBODY") as caller:
            code, reason, _ = close_of(caller)
        assert code == 1008 and reason.startswith("there is no voice 'NOBODY'; there are NATF0")
        with connect(it.url + "?text_prompt=" + "%20you".join(["be"] * 900)[:3_900]) as caller:
            code, _, last = close_of(caller)
        assert code == 1011 and "tokens with its tags, at most 200 fit" in last[1:].decode()
    logs = [json.loads(log.read_text()) for log in tmp_path.glob("*/log.json")]
    assert len(logs) == 1 and "at most 200 fit" in logs[0]["failure"]
