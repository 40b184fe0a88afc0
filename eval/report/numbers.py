"""Numbers as a page prints them: with units, true minus signs, and no more digits than 10 ms or one percent.

What they mean, and whether they may be printed at all, is decided in `eval.report.table`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

MINUS: Final = "\u2212"
NOTHING: Final = "\u2013"
SHARE: Final = "share"  # alone, or per something


def shown(value: float, unit: str) -> str:
    """`value` with its unit: seconds to 10 ms, shares in percent."""
    if not math.isfinite(value):
        return NOTHING
    return f"{bare(value, unit)}\u00a0{unit_words(unit)}".rstrip()


def bare(value: float, unit: str) -> str:
    """`value` as in `shown`, without the unit."""
    if not math.isfinite(value):
        return NOTHING
    return minus(f"{100 * value:.0f}" if unit.startswith(SHARE) else f"{value:.2f}")


def signed(value: float, unit: str) -> str:
    """A difference: with its sign, and shares in percentage points."""
    if not math.isfinite(value):
        return NOTHING
    text = bare(abs(value), unit)
    sign = "" if float(text) == 0.0 else MINUS if value < 0 else "+"
    return f"{sign}{text}\u00a0{unit_words(unit, of_difference=True)}".rstrip()


def unit_words(unit: str, of_difference: bool = False) -> str:
    """A unit as it is printed; a share is in percent, a difference of shares in percentage points."""
    if not unit.startswith(SHARE):
        return unit
    return ("pp" if of_difference else "%") + unit.removeprefix(SHARE)


def p_words(p: float) -> str:
    """A p value, adjusted for several tests if it says so; "" where there is none."""
    if not math.isfinite(p):
        return ""
    return "p\u00a0<\u00a00.001" if p < 0.001 else f"p\u00a0=\u00a0{p:.3f}" if p < 0.1 else f"p\u00a0=\u00a0{p:.2f}"


def minus(digits: str) -> str:
    return digits.replace("-", MINUS) if float(digits) else digits.replace("-", "")


def number(cell: object, missing: float = math.nan) -> float:
    """A cell of a table as a number; `missing` where it is empty."""
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        return missing
    return float(cell)


def uncapitalised(title: str) -> str:
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def in_words(value: object) -> str:
    """Nested facts as a list that can be read."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {in_words(item)}" for name, item in value.items() if item is not None)
    if isinstance(value, list):
        return ", ".join(in_words(item) for item in value)
    return str(value)
