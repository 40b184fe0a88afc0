"""The talk page in a real Chromium with a wav as its microphone: what is heard, shown, kept and refused."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiohttp")

from browser import Page, browser, needs_chromium  # noqa: E402
from serving import Served, serving  # noqa: E402
from test_server import recordings  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE  # noqa: E402
from duplex.server.server import PAGE, Doors  # noqa: E402
from duplex.wav import read_pcm16, write_pcm16  # noqa: E402
from duplex.wire.messages import Kind, message  # noqa: E402

GREETS = ("agent=echo", "agent._target_=greets.Greets")
FOUR_PLACES = Doors(places=4)
TALKING = "document.body.dataset.state === 'talking'"
# The browser's clean-up makes another waveform of a voice; this one asks for what the page asked for, and takes it as it is.
RAW = """const ask = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = function (wanted) {
  window.wanted = wanted.audio;
  return ask.call(this, { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
};"""
SECONDS = "import('./page.js').then(({ call }) => call.seconds)"


def murmur(folder: Path, *turns: tuple[float, float], seconds: float = 30.0) -> Path:
    """A wav with something like speech in each turn (start, end) in seconds: a voice's harmonics, gliding, in syllables."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros(len(times))
    for number, (start, end) in enumerate(turns):
        inside = (start <= times) & (times < end)
        at = times[inside] - start
        phase = 2 * np.pi * np.cumsum(110 + 20 * number + 40 * np.sin(2 * np.pi * (0.7 + 0.2 * number) * at)) / SAMPLE_RATE
        sound[inside] = (sum(np.sin(k * phase) / k for k in range(1, 16))
                         * 0.15 * np.abs(np.sin(2 * np.pi * 2.1 * at)) ** 0.5)
    write_pcm16(folder / "microphone.wav", np.rint(32_767 * np.clip(sound, -1, 1)).astype(np.int16)[None])
    return folder / "microphone.wav"


def found_in(whole: np.ndarray, microphone: Path, *turns: tuple[float, float]) -> float:
    """How well `whole` holds the turns of the microphone's wav: the median over their quarters of a second.

    A busy machine loses a block of sound now and then, which moves what follows.
    """
    sound, piece = read_pcm16(microphone)[0] / 32_768, SAMPLE_RATE // 4
    return float(np.median([likeness(whole, sound[at:at + piece]) for start, end in turns
                            for at in range(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE) - piece, piece)]))


def likeness(whole: np.ndarray, part: np.ndarray) -> float:
    """The highest normalised cross-correlation of `part` anywhere in `whole`."""
    size = 1 << (len(whole) + len(part)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)[:len(whole)]
    squares = np.concatenate([[0.0], np.cumsum(np.square(np.pad(whole, (0, len(part)))))])
    energy = squares[len(part):len(part) + len(whole)] - squares[:len(whole)]
    return float((products / np.sqrt(np.maximum(energy, 1e-3) * np.square(part).sum())).max())


def kept_by(it: Served) -> np.ndarray:
    """(2, num_samples) int16, the server's own recording of its only conversation."""
    recordings(it)
    [folder] = it.folder.iterdir()
    return read_pcm16(folder / "audio.wav")


def talk(page: Page, it: Served, seconds: float, query: str = "") -> None:
    """Opens the page with headphones on and talks for `seconds`."""
    page.open(f"http://{it.host_port}/{query}")
    page.click("[name=headphones]")
    page.click("#talk")
    page.until(TALKING)
    page.until(f"{SECONDS}.then((seconds) => seconds > {seconds})", seconds=3 * seconds + 10)


def takes_it_raw(page: Page, script: str = "") -> None:
    page.command("Page.addScriptToEvaluateOnNewDocument", source=RAW + script)


def hang_up(page: Page) -> None:
    page.click("#talk")
    page.until("document.body.dataset.state === 'ended'")


@contextmanager
def called(folder: Path, *overrides: str, microphone: Path | None = None, flags: tuple[str, ...] = (),
           doors: Doors = FOUR_PLACES) -> Iterator[tuple[Served, Page]]:
    with serving(folder / "kept", *overrides, doors=doors) as it:
        with browser(folder, microphone or murmur(folder), *flags) as page:
            yield it, page


def test_the_page_asks_nobody_else_and_has_no_code_in_its_markup() -> None:
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)[^>]*>", markup)
    for file in PAGE.iterdir():
        addresses = set(re.findall(r"(?:https?:)?//[a-z$][\w.${}-]*", re.sub(r"(?m)(^|\s)//\s.*$", "", file.read_text())))
        assert addresses <= {"http://localhost", "http://www.w3.org"}, file.name


@pytest.mark.slow
@needs_chromium
def test_the_microphone_reaches_the_agent_and_the_agent_is_heard(tmp_path: Path) -> None:
    microphone = murmur(tmp_path, (1.5, 3.0), (3.6, 5.2))
    with called(tmp_path, "agent=echo", microphone=microphone) as (it, page):
        takes_it_raw(page)
        talk(page, it, seconds=6.0)
        assert page.value("wanted") == {
            "echoCancellation": False, "noiseSuppression": True, "autoGainControl": True, "channelCount": 1}
        counts = page.value("import('./page.js').then(({ call }) => call.player.counts)")
        hang_up(page)
        wav, log = page.download("#wav", tmp_path / "got"), page.download("#log", tmp_path / "got")
        assert page.errors == []
    [recording] = recordings(it)
    kept, got = kept_by(it), read_pcm16(wav)
    assert recording.ended_by == "user"
    assert found_in(recording.audio[0], microphone, (1.5, 3.0), (3.6, 5.2)) > 0.95
    assert counts["played"] > 60 and counts["dropped"] < SAMPLE_RATE / 2
    assert got.shape[0] == 2 and abs(got.shape[1] - kept.shape[1]) <= 3 * FRAME_SAMPLES
    common = min(got.shape[1], kept.shape[1])
    assert np.abs(got[:, :common].astype(int) - kept[:, :common]).max() <= 1
    np.testing.assert_array_equal(got[1, FRAME_SAMPLES:], got[0, :-FRAME_SAMPLES])  # an echo comes a frame later
    assert json.loads(log.read_text())["ended"] == "you hung up" and log.stem == wav.stem == recording.facts["scenario"]


@pytest.mark.slow
@needs_chromium
def test_frames_that_came_too_late_for_the_server_are_left_out_of_the_recording_too(tmp_path: Path) -> None:
    microphone = murmur(tmp_path, (1.0, 8.0))
    stalls = ("agent.slow_frames=[25,40]", "agent.slow_seconds=0.2")
    with called(tmp_path, *GREETS, *(f"+{one}" for one in stalls), microphone=microphone) as (it, page):
        talk(page, it, seconds=7.0)
        assert float(page.text("#dropped").split()[0]) > 0.3 and float(page.text("#starved").split()[0]) > 0.3
        assert float(page.text("#round-trip").split()[0]) < 100.0
        hang_up(page)
        got = read_pcm16(page.download("#wav", tmp_path / "got"))
    kept = kept_by(it)
    common = min(got.shape[1], kept.shape[1])
    assert common > 3 * SAMPLE_RATE and np.abs(got[:, :common].astype(int) - kept[:, :common]).max() <= 1


@pytest.mark.slow
@needs_chromium
def test_the_last_switch_is_the_agents_delay_and_the_browsers(tmp_path: Path) -> None:
    with called(tmp_path, "agent=responder", microphone=murmur(tmp_path, (2.0, 3.0))) as (it, page):
        talk(page, it, seconds=3.0)
        page.until("document.querySelector('#latency').textContent !== '–'")
        assert 0.55 < float(page.text("#latency").split()[0]) < 1.0  # the agent's 0.5 s, a round trip and the buffers
        hang_up(page)
        assert page.text("#state").startswith("ended after 0:0") and page.text("#talk") == "Talk again"
        assert page.errors == []


@pytest.mark.slow
@needs_chromium
def test_words_appear_as_they_come(tmp_path: Path) -> None:
    with called(tmp_path, *GREETS) as (it, page):
        talk(page, it, seconds=1.0)
        assert page.text("#transcript li.agent .said") == "hello there"
        hang_up(page)
        log = json.loads(page.download("#log", tmp_path / "got").read_text())
    assert log["words"]["agent"] == [["hello", 0.16, 0.24], ["there", 0.24, 0.32]]


@pytest.mark.slow
@needs_chromium
def test_both_sides_are_written_down_where_the_agent_understands(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("espeakng_loader")
    from duplex.stages.speaking.voices import voice
    said = voice("jo").synthesise("i want to change my appointment").samples
    sound = np.zeros(30 * SAMPLE_RATE, np.float32)
    sound[4 * SAMPLE_RATE:4 * SAMPLE_RATE + len(said)] = said
    write_pcm16(tmp_path / "asks.wav", np.rint(32_767 * sound).astype(np.int16)[None])
    with called(tmp_path, "agent=incremental", microphone=tmp_path / "asks.wav") as (it, page):
        talk(page, it, seconds=4.0)
        page.until("document.querySelector('#transcript li.agent .said')?.textContent.split(' ').length > 2", seconds=30)
        assert "appointment" in page.text("#transcript li.user .said")
        assert not {"text_token", "user_nats"} & set(page.value(
            "import('./page.js').then(({ call }) => call.recording.events.agent.map(({ kind }) => kind))"))
        hang_up(page)
        assert page.errors == []


@pytest.mark.slow
@needs_chromium
def test_the_prompt_is_heard_before_the_microphone_is(tmp_path: Path) -> None:
    with called(tmp_path, *GREETS, "+agent.reset_seconds=1.0") as (it, page):
        page.open(f"http://{it.host_port}/?text_prompt=You+are+kind.&seed=9&audio_temperature=0.5")
        assert page.value("document.querySelector('[name=audio_temperature]').value") == "0.5"
        page.click("#talk")
        page.until("document.querySelector('#state').textContent === 'hearing the prompt'")
        page.until(TALKING)
        assert "no temperature to set" in page.text("#notice")  # Greets has none
        hang_up(page)
    [recording] = recordings(it)
    assert recording.facts["applied"]["seed"] == 9
    assert recording.facts["tally"]["user"]["before_handshake_samples"] == 0


@pytest.mark.slow
@needs_chromium
def test_a_voice_is_chosen_from_those_there_are(tmp_path: Path) -> None:
    with called(tmp_path, "agent=echo") as (it, page):
        page.open(f"http://{it.host_port}/")
        assert page.value("document.querySelector('.voice').hidden")
        it.server.house.agents.voices = ["NATF0", "NATM1"]
        page.open(f"http://{it.host_port}/?voice_prompt=NATM1.pt")
        page.until("!document.querySelector('.voice').hidden")
        assert page.value("document.querySelector('[name=voice_prompt]').value") == "NATM1"


@pytest.mark.slow
@needs_chromium
def test_the_keyboard_calls_and_hangs_up(tmp_path: Path) -> None:
    with called(tmp_path, "agent=echo") as (it, page):
        page.open(f"http://{it.host_port}/")
        page.look(390, 844, dark=True, calm=True)
        for until in (TALKING, "document.body.dataset.state === 'ended'"):
            page.value("document.querySelector('#talk').focus()")
            for kind in ("keyDown", "keyUp"):
                page.command("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
            page.until(until)
        assert page.value("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
@needs_chromium
def test_a_microphone_with_another_rate_is_resampled(tmp_path: Path) -> None:
    microphone = murmur(tmp_path, (1.5, 3.0), (3.6, 5.2))
    with called(tmp_path, "agent=echo", microphone=microphone) as (it, page):
        takes_it_raw(page, """
            const allowed = AudioContext.prototype.createMediaStreamSource;
            AudioContext.prototype.createMediaStreamSource = function (stream) {  // as Firefox has it
              if (this.sampleRate === 24000) throw new DOMException("different sample-rate", "NotSupportedError");
              return allowed.call(this, stream);
            };""")
        talk(page, it, seconds=6.0)
        assert page.value("import('./page.js').then(({ call }) => call.microphone.context.sampleRate)") != SAMPLE_RATE
        hang_up(page)
        assert page.errors == []
    assert found_in(recordings(it)[0].audio[0], microphone, (1.5, 3.0), (3.6, 5.2)) > 0.95


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000])
def test_resampling_keeps_a_voice_and_drops_what_24_kHz_cannot_hold(tmp_path: Path, rate: int) -> None:
    with called(tmp_path, "agent=echo") as (it, page):
        page.open(f"http://{it.host_port}/")
        spoken, above = (np.array(page.value(f"""import('./resampler.js').then(({{ Resampler }}) => {{
            const stream = new Resampler({rate}, 24000), made = [];
            for (let block = 0; block < {rate} / 128; block += 1) {{
              made.push(...stream.resampled(Float32Array.from(
                {{ length: 128 }}, (_, at) => Math.sin(2 * Math.PI * {pitch} * (block * 128 + at) / {rate}))));
            }}
            return made; }})""")) for pitch in (1_000, 15_000))
    assert abs(len(spoken) - SAMPLE_RATE) < 200
    expected = np.sin(2 * np.pi * 1_000 * np.arange(len(spoken)) / SAMPLE_RATE)
    delay = int(np.argmax([np.dot(spoken[2_000:20_000], expected[2_000 - late:20_000 - late]) for late in range(24)]))
    assert np.abs(spoken[2_000:20_000] - expected[2_000 - delay:20_000 - delay]).max() < 0.15  # up to half a sample between
    assert np.sqrt(np.square(spoken[2_000:20_000]).mean()) == pytest.approx(np.sqrt(0.5), rel=0.01)
    if rate > 2 * 15_000:
        assert np.abs(above[2_000:20_000]).max() < 0.01


@pytest.mark.slow
@needs_chromium
def test_whoever_may_not_talk_is_told_why(tmp_path: Path) -> None:
    with called(tmp_path, "agent=echo", doors=Doors(token="secret", places=1)) as (it, page):
        page.open(f"http://{it.host_port}/?token=wrong")
        page.until("document.querySelector('#notice').textContent.includes('asks for its token')")
        page.click("#talk")
        page.until("document.body.dataset.state === 'failed'")
        assert "asks for its token" in page.text("#notice") and page.text("#state") == "ended"
        with connect(f"{it.url}?ext=1&audio=pcm&token=secret") as other:
            other.send(message(Kind.METADATA, "{}"))
            other.recv()
            page.open(f"http://{it.host_port}/?token=secret")
            page.click("#talk")
            page.until("document.body.dataset.state === 'failed'")
            assert page.text("#notice") == "No place of 1 is free; try again later."


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("agent, state, notice", [
    ("+agent.fails_at=20", "failed", "lost my voice"), ("+agent.hangs_up_at=20", "ended", "")])
def test_a_call_that_the_other_end_ends_says_so(tmp_path: Path, agent: str, state: str, notice: str) -> None:
    with called(tmp_path, *GREETS, agent) as (it, page):
        page.open(f"http://{it.host_port}/")
        page.click("#talk")
        page.until(f"document.body.dataset.state === '{state}'")
        assert notice in page.value("document.querySelector('#notice').textContent")
        assert page.text("#state") == {"failed": "ended after 0:01", "ended": "ended after 0:01: the agent hung up"}[state]
        assert read_pcm16(page.download("#wav", tmp_path / "got")).shape[1] >= 18 * FRAME_SAMPLES


@pytest.mark.slow
@needs_chromium
def test_without_a_microphone_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path / "kept", "agent=echo") as it:
        with browser(tmp_path / "none", None) as page:
            page.open(f"http://{it.host_port}/")
            page.command("Browser.setPermission", permission={"name": "microphone"}, setting="granted")
            page.click("#talk")
            page.until("document.body.dataset.state === 'failed'")
            assert page.text("#notice") == "There is no microphone. Plug one in, then press Talk again."
        with browser(tmp_path / "denied", murmur(tmp_path), "--use-fake-ui-for-media-stream=deny") as page:
            page.open(f"http://{it.host_port}/")
            page.click("#talk")
            page.until("document.body.dataset.state === 'failed'")
            assert page.text("#notice").startswith("The microphone is blocked for this page.")
        assert list(tmp_path.glob("kept/*")) == []  # nobody took a place
        with browser(tmp_path / "far", murmur(tmp_path), "--host-resolver-rules=MAP gpu-box 127.0.0.1") as page:
            port = it.host_port.split(":")[1]
            page.open(f"http://gpu-box:{port}/")
            page.until("!document.querySelector('#notice').hidden")
            assert f"ssh -L {port}:localhost:{port} gpu-box" in page.value("document.querySelector('#notice').textContent")
            assert page.value("document.querySelector('#talk').disabled")
