"""What does a recording sound like as a voice of PersonaPlex? Makes the `.pt` that agent.voice takes.

    python scripts/make_voice.py carla.wav carla.pt --consent
    python scripts/make_voice.py carla.wav carla.pt --path CHECKPOINT_FOLDER --consent

Give it a few seconds of one person speaking alone, and only with that person's consent. The file holds Mimi's codes,
which any fine-tune understands, and the embeddings of this checkpoint, which NVIDIA's own server wants. Prints what it
wrote and a last line of JSON.
"""

import argparse
import json
from pathlib import Path

from duplex.frame import FRAME_SECONDS
from duplex.speech_lm.checkpoint import find, load
from duplex.speech_lm.voice import recorded_voice, save_voice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, help="wav, flac or ogg")
    parser.add_argument("voice", type=Path, help="the .pt to write")
    parser.add_argument("--path", type=Path, help="folder of the checkpoint, instead of the Hub")
    parser.add_argument("--repo", help="on the Hub, instead of NVIDIA's own")
    parser.add_argument("--dtype", default="bfloat16", help="of the embeddings")
    parser.add_argument("--consent", action="store_true", help="the speaker agreed to be imitated")
    options = parser.parse_args()
    if options.voice.suffix != ".pt":
        parser.error(f"a voice is a .pt file, not {options.voice}")
    if not options.consent:
        parser.error("a voice needs its speaker's consent; if you have it, say so with --consent")
    made = make(options.recording, options.voice, options.path, options.repo, options.dtype)
    print(f"{options.voice} speaks like {options.recording}: {made['seconds']} s in {made['frames']} frames")
    print(json.dumps(made))


def make(recording: Path, voice: Path, path: Path | None = None, repo: str | None = None,
         dtype: str = "bfloat16") -> dict[str, str | int | float]:
    """Writes the voice and returns what it is; `digest` is what results say of it."""
    model = load(find("personaplex", repo, path=path), dtype=dtype)
    heard = recorded_voice(recording, model.mimi, consent=True)
    assert heard.codes is not None  # a recording has codes
    save_voice(voice, heard.codes, model.lm)
    frames = heard.codes.shape[1]
    return {"voice": str(voice), "checkpoint": model.checkpoint.source, "frames": frames,
            "seconds": round(frames * FRAME_SECONDS, 2), "bytes": voice.stat().st_size, "digest": heard.digest}


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        raise SystemExit(f"make_voice: {error}") from error
