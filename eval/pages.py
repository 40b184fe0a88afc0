"""The pages that define the metrics in prose, by the metric that one asks about.

They are Markdown in `eval/definitions`, one for each measured idea; that they agree with `eval.metrics.catalogue` is a
test's business, so nothing is imported here. `python -m eval.pages` writes their index.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent / "definitions"
INDEX: Final = "README.md"
COLUMNS: Final = ("metric", "title", "unit", "better", "statistic", "people")
NONE: Final = "–"  # in the column of people, where nobody knows what they do
ABOUT: Final = """\
# Definitions

A page for each measured idea: what it is in words that a paper could quote, where it is from, what it does not mean.
This index is written by `python -m eval.pages`.
"""


class Row(NamedTuple):
    """What a page says about one of its metrics; see `eval.metrics.metric.Metric`."""

    metric: str
    title: str
    unit: str
    better: str
    statistic: str
    people: str


@dataclass(frozen=True)
class Page:
    """A page of definitions.

    Attributes:
        name: of its file, without the ending.
        title: for people.
        rows: its metrics, in order; none on a page about what they have in common.
        sections: text by heading, in order.
        text: all of it, Markdown.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    sections: Mapping[str, str]
    text: str


@lru_cache(maxsize=1)
def pages() -> dict[str, Page]:
    """All pages by name.

    Raises:
        ValueError: when one has no title, or a row of its table has not all columns.
    """
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*.md")) if path.name != INDEX}


def page_of(metric: str) -> str:
    """The page that defines a metric, as Markdown.

    Raises:
        ValueError: when none does.
    """
    found = next((page for page in pages().values() if metric in (row.metric for row in page.rows)), None)
    if found is None:
        raise ValueError(f"no page defines {metric!r}; those that have one stand in {FOLDER.name}/{INDEX}")
    return found.text


def index() -> str:
    """The index: every metric with its page, in the order of the pages, and the pages about all metrics."""
    about = [f"* [{page.title}]({page.name}.md)" for page in pages().values() if not page.rows]
    table = [f"| `{row.metric}` | {row.title} | {row.unit} | [{page.title}]({page.name}.md) |"
             for page in pages().values() for row in page.rows]
    return "\n".join([ABOUT, *about, "", "| metric | title | unit | page |", "|---|---|---|---|", *table, ""])


def read(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    first, *rest = text.split("\n## ")
    title = first.partition("\n")[0].removeprefix("# ").strip()
    if not first.startswith("# ") or not title:
        raise ValueError(f"{path} begins with {first[:20]!r}, not with a title: '# Switch latency'")
    sections = {heading.strip(): body.strip() for heading, _, body in (part.partition("\n") for part in rest)}
    return Page(path.stem, title, tuple(rows(first, path)), sections, text)


def rows(text: str, path: Path) -> Iterator[Row]:
    """The rows of the table under a title, which come after its head and the line below that."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != len(COLUMNS):
            raise ValueError(f"{path}: a row has the columns {', '.join(COLUMNS)}, unlike {line!r}")
        yield Row(cells[0].strip("`"), *cells[1:])


def main() -> None:
    (FOLDER / INDEX).write_text(index(), encoding="utf-8")
    print(f"{FOLDER / INDEX}: {sum(len(page.rows) for page in pages().values())} metrics on {len(pages())} pages")


if __name__ == "__main__":
    main()
