"""The pages of `eval.pages` as HTML for the report page, each to be opened where its metric is named.

They are written for GitHub as well; links between them become links within the page.
"""

import re
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from eval.pages import pages

LINK: Final = re.compile(r'href="(?!https?:)([\w.-]+)\.md"')  # from one page to another


def definitions() -> dict[str, Markup]:
    """HTML of each page by its name; what stands in it as HTML is text."""
    write = MarkdownIt("commonmark", {"html": False}).enable("table")
    return {page.name: Markup(LINK.sub(r'href="#definition=\1"', write.render(page.text))) for page in pages().values()}


def page_names() -> dict[str, str]:
    """On which page a metric is defined."""
    return {row.metric: page.name for page in pages().values() for row in page.rows}
