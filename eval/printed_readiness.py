"""The criteria on a terminal: each with its bound and what every system's interval says, and the verdicts in sentences.

What they come to is decided in `eval.readiness`.
"""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.readiness import Line, Readiness
from eval.report.numbers import shown

STYLES: Final = {"yes": "green", "no": "red", "open": "yellow"}
WORDS: Final = {"ship": "green", "do not ship": "red", "not known yet": "yellow"}


def print_readiness(found: Readiness, console: Console) -> None:
    table = Table(title=f"Ready for customers? {found.clock} clock", title_justify="left", caption_justify="left",
                  caption="yes or no: the whole 95 % interval lies on one side of the bound (configs/readiness.yaml)")
    table.add_column("", min_width=20)
    table.add_column("may be")
    for system in found.lines:
        table.add_column(system)
    for lines in zip(*found.lines.values(), strict=True):
        criterion = lines[0].criterion
        table.add_row(Text(criterion.question or criterion.title, style="bold" if criterion.question else ""),
                      criterion.words, *map(told, lines))
    console.print(table)
    for verdict in found.verdicts:
        console.print(Text(f"{verdict.system}: {verdict.word}", style=WORDS[verdict.word]), soft_wrap=True)
        for reason in verdict.reasons:
            console.print(f"  {reason}.", markup=False, highlight=False, soft_wrap=True)


def told(line: Line) -> Text:
    answer = Text(line.answer, style=STYLES[line.answer])
    if line.is_few:
        return answer.append(f"  {line.needs}", "dim")
    answer.append(f"  {shown(line.value, line.criterion.unit)}", "default")
    answer.append(f" [{line.interval}]" if line.interval else "", "default")
    return answer.append(f"  {line.needs}", "dim") if line.answer == "open" else answer
