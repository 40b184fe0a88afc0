"""An agent elsewhere is the one at home, does what it is asked, or says why not."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

for needed in ("aiohttp", "websockets", "filelock"):
    pytest.importorskip(needed)

from calls import TONE, caller, nobody_else, num_frames, scripted, stepped  # noqa: E402, F401
from relay import Relay  # noqa: E402
from serving import serving  # noqa: E402
from websockets.sync.server import ServerConnection  # noqa: E402

from duplex.agents.remote import Remote  # noqa: E402
from duplex.agents.simple import Echo, Responder  # noqa: E402
from duplex.conversation import ConversationFailed, Prompt, converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES, SILENCE, Frame, frozen  # noqa: E402
from duplex.recording import AGENT, Recording, load  # noqa: E402
from duplex.server.server import Doors  # noqa: E402
from duplex.wire.messages import Kind, message  # noqa: E402


def same(one: Recording, other: Recording) -> bool:
    return bool(np.array_equal(one.audio, other.audio)) and (one.words, one.events) == (other.words, other.events)


# In lockstep.


@pytest.mark.parametrize("name", ["echo", "responder"])
def test_in_lockstep_a_conversation_is_bit_for_bit_the_one_at_home(tmp_path: Path, name: str) -> None:
    home = converse(caller(), {"echo": Echo(), "responder": Responder()}[name], seed=5, max_seconds=6.0)
    with serving(tmp_path, f"agent={name}") as it:
        for _ in range(2):
            there = converse(caller(), Remote(f"ws://{it.host_port}", mode="lockstep"), seed=5, max_seconds=6.0)
            assert same(there, home) and there.facts["tally"]["agent"]["server"]["applied"] == {"seed": 5}


def test_words_and_what_was_told_before_the_call_travel(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo", "agent._target_=greets.Greets", "+agent.hangs_up_at=9") as it:
        there = converse(caller(), Remote(it.url, mode="lockstep", role="You are kind."), max_seconds=6.0)
        assert [word.text for word in there.words[AGENT]] == ["hello", "there"]
        assert there.ended_by == "agent" and num_frames(there) == 9
        time.sleep(0.3)
        assert load(next(it.folder.iterdir())).facts["prompt"]["text"] == "You are kind."


def test_samples_travel_to_the_bit(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-1.0, 1.0, (20, FRAME_SAMPLES)).astype(np.float32)
    with serving(tmp_path, "agent=echo") as it:
        agent = Remote(it.url, mode="lockstep")
        agent.reset(Prompt(), 0)
        said = [agent.step(frame) for frame in (SILENCE, *(Frame(frozen(samples)) for samples in sound))]
        agent.leave()
    assert all(frame is not None and np.array_equal(frame.samples, samples) for frame, samples in zip(said[1:], sound))


def test_a_clock_of_the_server_is_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it:
        converse(caller(), Remote(it.url, mode="lockstep", clock="cloud_typical"), max_seconds=1.0)
        with pytest.raises(ConversationFailed, match="refuses: there is no clock 'lunar'; there are"):
            converse(caller(), Remote(it.url, mode="lockstep", clock="lunar"))


def test_a_broken_connection_fails_a_conversation_in_lockstep(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it, Relay(("127.0.0.1", int(it.host_port.split(":")[1]))) as relay:
        agent = Remote(f"ws://127.0.0.1:{relay.port}", mode="lockstep")
        agent.reset(Prompt(), 0)
        stepped(agent, 5, seconds=0.0)
        relay.cut()
        with pytest.raises(ConnectionError, match="the connection to ws://127.0.0.1:.* was lost: no reason was given"):
            agent.step(TONE)
        agent.leave()


# What is asked of a server.


def test_a_setting_that_the_server_does_not_apply_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it:
        agent = Remote(it.url, mode="lockstep", temperature=0.5)
        with pytest.raises(ValueError, match="did not apply temperature=0.5: its agent has no such setting"):
            agent.reset(Prompt(), 0)
        agent.leave()


def test_settings_travel_by_the_names_that_servers_have_for_them() -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        asked.append((socket.request.path, json.loads(bytes(socket.recv())[1:])))  # type: ignore[arg-type]
        applied = {"seed": 7, "temperature": 0.5, "top_k": 30, "text_top_k": 20, "voice": "NATF0"}
        socket.send(message(Kind.METADATA, json.dumps({"applied": applied})))
        socket.send(message(Kind.HANDSHAKE))
        socket.recv()

    with scripted(handle) as url:
        agent = Remote(url, voice="NATF0.pt", temperature=0.5, top_k=30, text_top_k=20)
        agent.reset(Prompt("be kind", {"orders": {"one": {"day": "friday"}}}, "orders"), 7)
        agent.leave()
    [(path, opening)] = asked
    assert parse_qs(urlsplit(path).query) == {
        "ext": ["1"], "audio": ["pcm"], "voice_prompt": ["NATF0.pt"], "audio_temperature": ["0.5"], "audio_topk": ["30"],
        "text_topk": ["20"]}
    assert opening == {"seed": 7, "clock": None, "prompt": {
        "text": "be kind", "records": {"orders": {"one": {"day": "friday"}}}, "domain": "orders"}}


def test_a_token_is_sent_and_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, "agent=echo", doors=Doors("secret", places=4)) as it:
        with pytest.raises(ValueError, match="lets us not in: this server asks for its token.*export DUPLEX_TOKEN"):
            Remote(it.url, mode="lockstep").reset(Prompt(), 0)
        with pytest.raises(ValueError, match="settings are written into results: export DUPLEX_TOKEN"):
            Remote(f"{it.url}?token=secret", mode="lockstep")
        monkeypatch.setenv("DUPLEX_TOKEN", "secret")
        there = converse(caller(), Remote(it.url, mode="lockstep"), max_seconds=1.0)
    assert there.facts["agent"] == {"url": it.url, "dialect": "duplex", "mode": "lockstep"}
    assert "secret" not in json.dumps(there.facts)


def test_a_server_of_several_is_taken_that_has_a_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(tmp_path / "1", "agent=echo", doors=Doors(places=1)) as one, serving(tmp_path / "2", "agent=echo") as other:
        urls = ["ws://127.0.0.1:9", one.url, other.url]  # nobody listens on the first
        first, second = Remote(urls, mode="lockstep"), Remote(urls, mode="lockstep")
        for agent in (first, second):
            agent.reset(Prompt(), 0)
        assert [agent.tally()["url"] for agent in (first, second)] == [one.url, other.url]
        assert "nobody answers at ws://127.0.0.1:9/api/chat: Connection refused; trying" in caplog.text
        first.leave()
        with pytest.raises(ConnectionError, match="nobody answers"):
            Remote(urls[0]).reset(Prompt(), 0)
        with pytest.raises(ConnectionError, match="is no server of conversations: HTTP 404"):
            Remote(f"{other.url}/else").reset(Prompt(), 0)
        second.leave()


@pytest.mark.parametrize("settings, complaint", [
    ({"url": "gpu:8998"}, "a server is ws://host:port or wss://host:port, not 'gpu:8998'"),
    ({"url": "ws://gpu", "dialect": "moshi", "mode": "lockstep"}, "mode=lockstep needs our own server"),
    ({"url": "ws://gpu", "clock": "ideal"}, "clock=ideal goes with mode=lockstep"),
    ({"url": []}, "at least one server"), ({"url": "ws://gpu", "buffer": -1}, "buffer is a number of frames from 0"),
    ({"url": "ws://gpu", "dialect": "gossip"}, "dialect is one of duplex, moshi, personaplex, not 'gossip'")])
def test_settings_that_do_not_go_together_are_named(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Remote(**settings)


def test_a_certificate_made_here_is_trusted_when_it_is_given(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from duplex.server.certificate import self_signed
    tls = self_signed("127.0.0.1")
    [file] = (tmp_path / "cache/certificates").iterdir()
    with serving(tmp_path / "run", "agent=echo", tls=tls) as it:
        url = it.url.replace("ws:", "wss:")
        for verify in (str(file), False):
            assert num_frames(converse(caller(), Remote(url, mode="lockstep", verify=verify), max_seconds=1.0)) == 12
        with pytest.raises(ConnectionError, match="the certificate of wss://.* is not trusted: .*verify=cert.pem"):
            Remote(url).reset(Prompt(), 0)


@pytest.mark.slow
def test_a_bench_elsewhere_is_charged_by_the_clocks_of_the_bench(tmp_path: Path) -> None:
    from piped import complaint, program
    about = ("agent=remote", "agent@baseline=responder", "scenarios=smooth", "scenarios.only=[hours-then-parking]",
             "report=false")
    with serving(tmp_path / "there", "agent=responder") as it:
        done = program("eval.bench", *about, f"agent.url={it.url}", "agent.mode=lockstep", "~clocks.measured",
                       f"hydra.run.dir={tmp_path}/here")
        assert done.returncode == 0, done.stderr
        asked = {json.loads(log.read_text())["facts"]["clock"] for log in it.folder.glob("*/log.json")}
        assert asked == {"cloud_typical", "ideal"}
        said = complaint(program("eval.bench", *about, f"agent.url={it.url}", f"hydra.run.dir={tmp_path}/live"))
    assert "clock=cloud_typical goes with mode=lockstep" in said and "latency@clocks.live=live" in said
