"""How often do the 95 % intervals of tasks hold the truth? pass^3, a contrast, and the share of the five commonest paths.

    python scripts/task_interval_coverage.py                 1,000 benches of each
    python scripts/task_interval_coverage.py --benches 200

Tasks are as hard as a logistic-normal draw makes them (spread 1.5); a contrast takes 0.7 off the logit; paths are drawn
in six domains, by Zipf's law of 40, by five that hold 70 % and 60 that hold the rest, or all alike. The other suites'
statistics are in `interval_coverage.py`.

What it printed, 1,000 benches, standard error 0.7 points:

                                                          truth   value   held  width
    pass^3, 10 tasks tried 3 times                        0.416   0.413   98.1  0.575
    pass^3, 30 tasks tried 3 times                        0.416   0.414   97.6  0.345
    pass^3, 30 tasks tried 5 times                        0.416   0.414   96.1  0.293
    pass^3, 60 tasks tried 3 times                        0.416   0.415   95.3  0.247
    contrast, 10 tasks, 1 a side                         -0.118  -0.123   94.8  0.701
    contrast, 30 tasks, 1 a side                         -0.118  -0.116   95.9  0.410
    contrast, 30 tasks, 3 a side                         -0.118  -0.119   95.0  0.244
    contrast, 60 tasks, 3 a side                         -0.118  -0.118   95.5  0.171
    five commonest, by Zipf's law, 10 calls a domain      0.534   0.765  100.0  0.555
    five commonest, by Zipf's law, 30 calls a domain      0.534   0.615   99.9  0.291
    five commonest, by Zipf's law, 100 calls a domain     0.534   0.556   99.5  0.127
    five commonest, five hold 70 %, 10 calls a domain     0.700   0.816  100.0  0.522
    five commonest, five hold 70 %, 30 calls a domain     0.700   0.708   98.8  0.203
    five commonest, five hold 70 %, 100 calls a domain    0.700   0.700   96.6  0.074
    five commonest, all alike, 10 calls a domain          0.125   0.605   91.6  0.580
    five commonest, all alike, 30 calls a domain          0.125   0.393   89.0  0.365
    five commonest, all alike, 100 calls a domain         0.125   0.263   85.1  0.193

So the share of the five commonest is too high in few calls, and its interval knows: it is too wide rather than too narrow,
but for paths that have no commonest, far from any bound that one would ask of them.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from eval.metrics.metric import Statistic
from eval.statistics.bootstrap import Sample
from eval.statistics.estimates import estimate

DRAWS: Final = 1_000_000  # of the truth
EASE, SPREAD, DISTURBANCE = 1.0, 1.5, -0.7  # logits
DOMAINS: Final = 6
PATHS: Final = {
    "by Zipf's law": 1.0 / np.arange(1, 41), "five hold 70 %": np.array([0.14] * 5 + [0.005] * 60), "all alike": np.ones(40)}

Bench = Callable[[np.random.Generator], Sample]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benches", type=int, default=1_000)
    benches = parser.parse_args().benches
    shown = Table(title="How often 95 % intervals hold the truth", title_justify="left")
    for column in ("", "truth", "mean value", "held, %", "mean width"):
        shown.add_column(column, justify="right" if column else "left")
    for name, statistic, truth, bench in cases(np.random.default_rng(0)):
        rng = np.random.default_rng(1)
        found = [estimate(bench(rng), statistic) for _ in range(benches)]
        known = [(one.value, one.low, one.high) for one in found
                 if one.value is not None and one.low is not None and one.high is not None]
        held = np.mean([low - 1e-9 <= truth <= high + 1e-9 for _, low, high in known])
        shown.add_row(name, f"{truth:.3f}", f"{np.mean([value for value, *_ in known]):.3f}", f"{100 * held:.1f}",
                      f"{np.mean([high - low for _, low, high in known]):.3f}")
    Console(width=120).print(shown)


def cases(rng: np.random.Generator) -> Iterator[tuple[str, Statistic, float, Bench]]:
    """What is simulated, with the truth."""
    hard = EASE + SPREAD * rng.normal(size=DRAWS)
    for tasks, tries in ((10, 3), (30, 3), (30, 5), (60, 3)):
        yield f"pass^3, {tasks} tasks tried {tries} times", "pass_hat_3", float((chance(hard) ** 3).mean()), tried(tasks, tries)
    for tasks, tries in ((10, 1), (30, 1), (30, 3), (60, 3)):
        lost = float((chance(hard + DISTURBANCE) - chance(hard)).mean())
        yield f"contrast, {tasks} tasks, {tries} a side", "contrast", lost, contrasted(tasks, tries)
    for name, weights in PATHS.items():
        shares = weights / weights.sum()
        for calls in (10, 30, 100):
            yield (f"five commonest, {name}, {calls} calls a domain", "top_five", float(np.sort(shares)[-5:].sum()),
                   followed(shares, calls))


def chance(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def tried(tasks: int, tries: int) -> Bench:
    def bench(rng: np.random.Generator) -> Sample:
        hard = np.repeat(EASE + SPREAD * rng.normal(size=tasks), tries)
        return sample(rng.random(len(hard)) < chance(hard), np.repeat(np.arange(tasks), tries))
    return bench


def contrasted(tasks: int, tries: int) -> Bench:
    def bench(rng: np.random.Generator) -> Sample:
        hard = np.repeat(EASE + SPREAD * rng.normal(size=tasks), 2 * tries)
        sides = np.tile(np.repeat([1.0, -1.0], tries), tasks)
        succeeded = rng.random(len(hard)) < chance(hard + np.where(sides > 0.0, DISTURBANCE, 0.0))
        return sample(succeeded, np.repeat(np.arange(tasks), 2 * tries))._replace(per=sides)
    return bench


def followed(shares: np.ndarray, calls: int) -> Bench:
    def bench(rng: np.random.Generator) -> Sample:
        return sample(rng.choice(len(shares), DOMAINS * calls, p=shares), np.repeat(np.arange(DOMAINS), calls))
    return bench


def sample(values: np.ndarray, groups: np.ndarray) -> Sample:
    """Each value a conversation of its own."""
    return Sample(values.astype(float), np.zeros(len(values), bool), np.arange(len(values)), groups=groups)


if __name__ == "__main__":
    main()
