"""Sampling: a stream of random numbers for each conversation, without a state."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from duplex.speech_lm.sampling import GREEDY, Sampling, Streams, mixed  # noqa: E402  # after the skip

CARD = 40


def streams(*settings: tuple[int, Sampling]) -> Streams:
    made = Streams(len(settings), 3, CARD, CARD, torch.device("cpu"))
    for row, (seed, sampling) in enumerate(settings):
        made.set(row, seed, sampling)
    return made


def draws(made: Streams, logits: torch.Tensor, num: int = 4000) -> np.ndarray:
    """(num, rows) text tokens, from the same logits at `num` positions."""
    rows = len(made.keys)
    return torch.stack([made.draw_text(logits.expand(rows, -1), torch.full((rows,), at)) for at in range(num)]).numpy()


def test_mixing_is_splitmix64() -> None:
    # The first outputs for seed 0 of the reference implementation (Vigna, splitmix64.c).
    golden = 0x9E3779B97F4A7C15
    states = [(index + 1) * golden % 2**64 for index in range(3)]
    numbers = mixed(torch.tensor([state - 2**64 if state >= 2**63 else state for state in states]))
    assert [int(number) % 2**64 for number in numbers] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_draws_follow_the_softmax() -> None:
    logits = torch.randn(1, CARD, generator=torch.Generator().manual_seed(0)) * 1.5
    found = np.bincount(draws(streams((7, Sampling(text_temperature=0.8, text_top_k=10))), logits)[:, 0], minlength=CARD)
    best = (logits[0] / 0.8).topk(10)
    expected = np.zeros(CARD)
    expected[best.indices] = best.values.softmax(0) * 4000
    assert not found[expected == 0.0].any()
    chosen = expected > 0.0
    chi_squared = ((found - expected)[chosen] ** 2 / expected[chosen]).sum()
    assert chi_squared < 27.9  # 9 degrees of freedom, one in a thousand


def test_codebooks_and_positions_draw_independently() -> None:
    made, flat = streams((3, Sampling(top_k=CARD, text_top_k=CARD))), torch.zeros(1, CARD)
    drawn = []
    for position in range(3000):
        text = made.draw_text(flat, torch.tensor([position]))
        drawn.append([int(text), *(int(made.draw_audio(flat, codebook)) for codebook in range(3))])
    table = np.array(drawn)
    for one in range(4):
        assert np.bincount(table[:, one], minlength=CARD).std() < 2.0 * np.sqrt(3000 / CARD)
        for other in range(one):
            assert abs((table[:, one] == table[:, other]).mean() - 1 / CARD) < 0.012
        assert abs((table[1:, one] == table[:-1, one]).mean() - 1 / CARD) < 0.012


def test_a_row_draws_what_it_would_alone() -> None:
    logits = torch.randn(1, CARD, generator=torch.Generator().manual_seed(1))
    mine = (11, Sampling(text_top_k=12))
    alone = draws(streams(mine), logits, 50)[:, 0]
    beside = draws(streams((4, GREEDY), (5, Sampling(text_temperature=2.0)), mine), logits, 50)
    np.testing.assert_array_equal(beside[:, 2], alone)
    assert set(beside[:, 0]) == {int(logits.argmax())}


@pytest.mark.parametrize("seeds", [(0, 1), (1, -1), (2**62, 2**62 + 1)])
def test_seeds_differ(seeds: tuple[int, int]) -> None:
    drawn = draws(streams(*((seed, Sampling(text_top_k=CARD)) for seed in seeds)), torch.zeros(1, CARD), 200)
    assert (drawn[:, 0] != drawn[:, 1]).mean() > 0.9


@pytest.mark.parametrize("settings, message", [
    ({"temperature": -0.1}, "temperature is 0 or more"),
    ({"text_temperature": float("nan")}, "text_temperature is 0 or more"),
    ({"top_k": 0}, "top_k is 1 to 250, not 0"),
    ({"text_top_k": 251}, "text_top_k is 1 to 250, not 251"),
])
def test_an_impossible_setting_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)  # type: ignore[arg-type]  # wrong on purpose
