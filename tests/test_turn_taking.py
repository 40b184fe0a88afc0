"""Pauses, gaps, overlaps, turns and floor transfers, by drawings."""

from drawing import drawn
from sounds import recording, sound

from duplex.recording import AGENT, USER
from eval.timeline import timeline
from eval.turn_taking import gaps, overlaps, pauses, transfers, turns


def test_units_gaps_and_transfers_of_the_notes() -> None:
    """Vector 7 of the notes: units closer than 0.2 s merge; gap 0.4, overlap 0.2, offsets +0.4 and -0.2."""
    a, b = sound((0, 2), (2.15, 3), (4.8, 6)), sound((3.4, 5))
    found = timeline(recording(a, b))
    assert found.user == ((0.0, 3.0), (4.8, 6.0))
    assert [(gap.start, gap.end) for gap in gaps(found)] == [(3.0, 3.4)]
    assert [(both.party, both.start, both.end) for both in overlaps(found)] == [(AGENT, 4.8, 5.0)]
    assert [(transfer.party, transfer.offset) for transfer in transfers(found)] == [(AGENT, 0.4), (USER, -0.2)]
    assert pauses(found) == ()


def test_a_silence_with_the_same_party_on_both_sides_is_a_pause() -> None:
    found = drawn("..###...###....", ".............##")
    assert [(pause.party, pause.start, pause.end) for pause in pauses(found)] == [(USER, 0.5, 0.8)]
    assert [(gap.party, gap.start, gap.end) for gap in gaps(found)] == [(USER, 1.1, 1.3)]


def test_a_silence_between_double_talk_is_no_ones() -> None:
    found = drawn("###..###", "###..###")
    assert pauses(found) == gaps(found) == ()
    assert [(both.party, both.start) for both in overlaps(found)] == [(USER, 0.0), (USER, 0.5)]


def test_a_backchannel_takes_no_floor() -> None:
    found = drawn("##############################...............",
                  "............####...............##############")
    assert [(turn.party, turn.start, turn.end) for turn in turns(found)] == [(USER, 0.0, 3.0), (AGENT, 3.1, 4.5)]
    assert [transfer.offset for transfer in transfers(found)] == [0.1]


def test_units_of_one_party_are_one_turn_until_the_other_speaks() -> None:
    found = drawn("##############...##############...............",
                  "................................##############")
    assert [(turn.start, turn.end) for turn in turns(found)] == [(0.0, 3.1), (3.2, 4.6)]
