"""Clients that others wrote talk to our server unmodified: Kyutai's own from their package, and both web pages where built.

The pages are built from a checkout of kyutai-labs/moshi and NVIDIA/personaplex (`npm install && npx vite build` in
`client/`) and named by KYUTAI_PAGE and PERSONAPLEX_PAGE; nothing of them is kept here.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import sound_card
import soundfile
from browser import browser, needs_chromium

pytest.importorskip("aiohttp")

from serving import serving  # noqa: E402
from test_server import eventually, recordings  # noqa: E402

from duplex.frame import SAMPLE_RATE  # noqa: E402
from duplex.recording import USER, Recording  # noqa: E402

GREETS = ("agent=echo", "agent._target_=greets.Greets")
PROMPT = "You are a wise and friendly teacher. Answer questions or provide advice in a clear and engaging way."


def chirps(rate: int, seconds: float) -> np.ndarray:
    """A sweep in every second, which is found again wherever it went."""
    times = np.arange(round(rate * seconds)) / rate
    return np.where(times % 1.0 < 0.5, 0.3 * np.sin(2 * np.pi * (300 + 800 * (times % 1.0)) * times), 0.0).astype(np.float32)


def likeness(heard: np.ndarray, said: np.ndarray) -> float:
    """The largest normalised cross-correlation of any two seconds of `said` with `heard`, both at SAMPLE_RATE."""
    part = said[SAMPLE_RATE:3 * SAMPLE_RATE]
    size = len(heard) + len(part)
    found = np.abs(np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)), size)).max()
    energy = np.convolve(np.square(heard), np.ones(100), "same")[::100].max() * len(part) / 100
    return float(found / np.sqrt(np.sum(np.square(part)) * max(energy, 1e-9)))


@pytest.mark.slow
@pytest.mark.skipif(sound_card.missing() is not None, reason=str(sound_card.missing()))
def test_moshis_own_client_talks_to_our_server(tmp_path: Path) -> None:
    pytest.importorskip("moshi")
    with serving(tmp_path, *GREETS) as it, sound_card.sound_card() as card:
        host, port = it.host_port.split(":")
        with card.records() as heard:
            client = card.start("-u", "-m", "moshi.client", "--host", host, "--port", port)
            try:
                assert eventually(lambda: len(it.server.taken) == 1, 60.0), client.communicate()
                card.play(chirps(sound_card.CARD_RATE, 5.0))
                time.sleep(0.5)
            finally:
                client.terminate()
                out, err = client.communicate(timeout=20)
        [kept] = recordings(it)
    assert "hello" in out and "there" in out, out + err
    assert err.count("unknown message kind") == err.count("unknown message kind 0")  # its own server's handshake is as new to it
    assert "rror" not in out + err, out + err
    said = chirps(SAMPLE_RATE, 5.0)
    assert likeness(kept.audio[USER], said) > 0.5  # the server heard the microphone
    assert likeness(heard[0].speaker[::2], said) > 0.5  # and the client played what came back
    assert kept.ended_by == "user"


def talked(tmp_path: Path, page: str, button: str) -> tuple[Recording, str, list[str]]:
    """What is kept of a call from a vendor's page, what the page showed, and what it complained of."""
    soundfile.write(tmp_path / "microphone.wav", chirps(SAMPLE_RATE, 6.0), SAMPLE_RATE)
    with serving(tmp_path / "kept", *GREETS, page=Path(page)) as it:
        with browser(tmp_path, tmp_path / "microphone.wav") as tab:
            tab.open(f"http://{it.host_port}/")
            tab.until(f"[...document.querySelectorAll('button')].some(one => one.innerText.includes('{button}'))")
            tab.value(f"[...document.querySelectorAll('button')].find(one => one.innerText.includes('{button}')).click()")
            assert eventually(lambda: len(it.server.taken) == 1, 20.0)
            time.sleep(6.0)
            shown = tab.text("body")
        [kept] = recordings(it)
    return kept, shown, tab.errors


@pytest.mark.slow
@needs_chromium
@pytest.mark.skipif("KYUTAI_PAGE" not in os.environ, reason="KYUTAI_PAGE is not the folder of Kyutai's built page")
def test_kyutais_page_talks_to_our_server(tmp_path: Path) -> None:
    kept, shown, _ = talked(tmp_path, os.environ["KYUTAI_PAGE"], "Connect")
    assert "hello there" in shown and "Audio played" in shown
    assert likeness(kept.audio[USER], chirps(SAMPLE_RATE, 6.0)) > 0.5
    assert kept.seconds > 3.0 and kept.ended_by == "user" and kept.facts["seed"] > 0  # the page's own audio_seed


@pytest.mark.slow
@needs_chromium
@pytest.mark.skipif("PERSONAPLEX_PAGE" not in os.environ, reason="PERSONAPLEX_PAGE is not the folder of PersonaPlex's built page")
def test_personaplexs_page_talks_to_our_server(tmp_path: Path) -> None:
    kept, shown, _ = talked(tmp_path, os.environ["PERSONAPLEX_PAGE"], "Connect")
    assert "hello there" in shown and "Audio played" in shown
    assert likeness(kept.audio[USER], chirps(SAMPLE_RATE, 6.0)) > 0.5
    assert kept.facts["prompt"]["text"] == PROMPT and kept.ended_by == "user"
