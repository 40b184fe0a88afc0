"""What comes late is heard late or not at all, the delay comes back, and words stay with their sound."""

import numpy as np
import pytest

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SILENCE, Event, Frame, Word
from duplex.remote.fragments import Fragments
from duplex.remote.jitter import JitterBuffer
from duplex.remote.traffic import lateness


def numbered(number: int) -> np.ndarray:
    return np.full(FRAME_SAMPLES, number / 1_000.0, np.float32)


def heard(buffer: JitterBuffer, arrivals: list[int]) -> list[int | None]:
    """What is played when in each frame so many come: numbers of frames, None for silence."""
    coming, played = 0, []
    for count in arrivals:
        for _ in range(count):
            buffer.put(numbered(coming), 0.0)
            coming += 1
        frame = buffer.take()
        played.append(None if frame is None else round(float(frame.samples[0]) * 1_000.0))
    return played


def test_frames_in_time_are_all_heard_with_one_kept_waiting() -> None:
    assert heard(JitterBuffer(1), [1] * 6) == [None, 0, 1, 2, 3, 4]
    assert heard(JitterBuffer(0), [1] * 6) == [0, 1, 2, 3, 4, 5]
    assert heard(JitterBuffer(2), [1] * 6) == [None, None, 0, 1, 2, 3]


def test_one_late_frame_is_not_missed() -> None:
    assert heard(JitterBuffer(1), [1, 1, 1, 0, 2, 1, 1]) == [None, 0, 1, 2, 3, 4, 5]


def test_after_a_second_of_nothing_the_delay_is_what_it_was() -> None:
    buffer = JitterBuffer(1)
    played = heard(buffer, [1, 1, 1] + [0] * 12 + [13] + [1] * 5)
    assert played[:4] == [None, 0, 1, 2] and played[4:15] == [None] * 11
    assert played[15:] == [14, 15, 16, 17, 18, 19]  # as before: frame n of the stream in frame n + 1 of the call
    tally = buffer.tally()
    assert (tally["frames_before_first"], tally["starved"], tally["dropped"]) == (1, 11, 11)


def test_the_delay_never_grows_by_more_than_two_frames() -> None:
    random = np.random.default_rng(0)
    buffer, coming, played = JitterBuffer(1), 0, 0
    for frame in range(2_000):
        due = frame + 1 if random.random() < 0.7 else coming  # three of ten come together with later ones
        for number in range(coming, due):
            buffer.put(numbered(number % 1_000), 0.0)
        coming = max(coming, due)
        assert buffer.end - buffer.start <= 30 * FRAME_SAMPLES
        if buffer.take() is not None:
            played = buffer.start // FRAME_SAMPLES
            assert coming - played <= 3
    assert buffer.starved > 0


def test_words_come_with_the_frame_that_they_begin_in_and_go_with_it() -> None:
    buffer = JitterBuffer(0)
    for number in range(6):
        buffer.tell(buffer.end, (Word(str(number), 0.0, 0.04),), (Event("did", detail={"number": number}),), 0.01 * number)
        buffer.put(numbered(number), 10.0 + number)
    frame = buffer.take()  # of the six, the oldest five are too many
    assert frame is not None
    assert [word.text for word in frame.words] == ["5"]
    assert [event.detail["number"] for event in frame.events] == [0, 1, 2, 3, 4, 5]  # what was done was done
    assert (frame.seconds, frame.at) == (0.05, 15.0)


def test_sound_in_pieces_makes_frames_stamped_when_they_were_whole() -> None:
    buffer = JitterBuffer(0)
    for piece, at in enumerate((1.0, 2.0, 3.0)):
        buffer.put(np.full(FRAME_SAMPLES * 2 // 3, piece, np.float32), at)
    first, second = buffer.take(), buffer.take()
    assert first is not None and second is not None and (first.at, second.at) == (2.0, 3.0)
    assert buffer.take() is buffer.rest() is None
    assert not first.samples.flags.writeable


def test_lateness_forgets_a_clock_that_drifts() -> None:
    due = FRAME_SECONDS * np.arange(1_000)
    at = due * 1.001 + 7.0  # 80 ms in 80 s
    at[::100] += 0.03
    late = lateness(at.tolist(), due.tolist())
    assert late[::100].min() == pytest.approx(0.03, abs=0.006) and np.delete(late, np.arange(0, 1_000, 100)).max() < 0.006
    assert len(lateness([], [])) == 0


def told(fragments: list[str]) -> list[Word]:
    """The words of fragments that come each behind the sound of its frame; "" for a frame without one."""
    reader, buffer, words = Fragments(), JitterBuffer(0), []
    for fragment in [*fragments, "", "", ""]:
        buffer.put(SILENCE.samples, 0.0)
        buffer.tell(*reader.listen(buffer.end))
        if fragment:
            buffer.tell(*reader.read(fragment, buffer.end))
        start = buffer.start / (FRAME_SAMPLES / FRAME_SECONDS)
        frame = buffer.take() or Frame(SILENCE.samples)
        words += [Word(word.text, round(start + word.start, 2), round(start + word.end, 2)) for word in frame.words]
    return words


def test_a_leading_space_begins_a_word() -> None:
    assert told([" Hel", "lo", ",", " there"]) == [Word("hello", 0.0, 0.24), Word("there", 0.24, 0.32)]


def test_a_word_is_over_when_nothing_follows() -> None:
    assert told([" yes", "", "", "", " and", " no"]) == [Word("yes", 0.0, 0.08), Word("and", 0.32, 0.40), Word("no", 0.4, 0.48)]


def test_bytes_of_a_sign_are_joined_and_special_tokens_are_not_said() -> None:
    assert told([" caf", "<0xC3>", "<0xA9>", "</s>", " two"])[0] == Word("café", 0.0, 0.24)
    assert [word.text for word in told(["<s>", " a b c", "</s>"])] == ["a", "b", "c"]
