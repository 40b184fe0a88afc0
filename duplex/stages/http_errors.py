"""What the HTTP library under the openai client raises in mid-answer: httpx, or httpx2 under the client's newer versions.

What the client itself raises it says in its own words.
"""

from importlib import import_module
from importlib.util import find_spec


def http_errors() -> tuple[type[Exception], ...]:
    """Whatever may go wrong on the line."""
    return named("HTTPError")


def timeouts() -> tuple[type[Exception], ...]:
    """Those of them that are silence."""
    return named("TimeoutException")


def named(error: str) -> tuple[type[Exception], ...]:
    return tuple(getattr(import_module(library), error) for library in ("httpx2", "httpx") if find_spec(library) is not None)
