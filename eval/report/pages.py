"""Pages that open from disk: a template filled, with our own styles and scripts written into it.

What stands on a page is decided by whoever fills it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from eval.report.numbers import bare, joined, p_words, shown, signed, uncapitalised, unit_words

FOLDER: Final = Path(__file__).parent / "html"
FILTERS: Final = {"shown": shown, "bare": bare, "signed": signed, "p": p_words, "unit": unit_words,
                  "uncapitalised": uncapitalised, "joined": joined, "to_json": lambda value: json.dumps(value, indent=1)}


def filled(template: str, styles: Sequence[str], scripts: Sequence[str], **values: Any) -> str:
    """A page: everything is escaped but our own files and what is `Markup`.

    Args:
        template, styles, scripts: names of files in `html/`; the last two come as `css` and `scripts`.
        values: by the names that the template has for them; a name without one is an error.
    """
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined,
                                     trim_blocks=True, lstrip_blocks=True)
    environment.filters |= FILTERS
    return environment.get_template(template).render(
        css=Markup("\n").join(map(own_file, styles)), scripts=[own_file(name) for name in scripts], **values)


def own_file(name: str) -> Markup:
    """A part of a page as it is written; it must not close the element it stands in."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert "</script" not in text and "</style" not in text, name
    return Markup(text)
