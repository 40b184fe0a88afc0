"""A server with an OpenAI-compatible interface: what it streams, as long as it comes in time. Needs the extra `llm`.

Whatever goes wrong on the way is one line that says what would be right; what is asked, and what the answer means, its user
knows (`language.openai_chat`, `speaking.openai_speech`). Nothing is tried again unless that is asked for.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")
U = TypeVar("U")
NO_KEY: Final = "none"  # servers of one's own want none, the client library does
ADVICE: Final = {
    401: "export a valid key as {key}",
    403: "does the key in {key} open this model?",
    429: "too many requests, or no credit: play with fewer processes, or raise max_retries",
}


class Serves(NamedTuple):
    """What a server is asked for, in the words of its complaints.

    Attributes:
        failure: what is raised.
        what: "model".
        unit: of its answers: "sentence".
        first_seconds: name of the setting for how long it may be silent.
        less: how an answer gets shorter.
        advice: by status, beside ADVICE.
        wrong: what reading an answer raises that is none, with what to say of it.
    """

    failure: type[OSError]
    what: str
    unit: str
    first_seconds: str
    less: str
    advice: Mapping[int, str]
    wrong: Mapping[type[Exception], str] = {}


class Server:
    """One server.

    Args:
        model: whose, for complaints.
        base_url: as in http://localhost:8000/v1; None for OpenAI's own, or what OPENAI_BASE_URL says.
        api_key_env: the environment variable that holds the key; it may be unset where the server wants none.
        first_seconds: how long it may be silent, at first and between any two pieces.
        total_seconds: how long one answer may be waited for.
        max_retries: of a request that failed before anything came.

    Attributes:
        client: the openai library's.
        name: of model and server.

    Raises:
        ImportError: openai is missing.
    """

    def __init__(self, serves: Serves, model: str, base_url: str | None, api_key_env: str, first_seconds: float,
                 total_seconds: float, max_retries: int):
        from openai import OpenAI
        self.serves = serves
        self.client = OpenAI(api_key=os.environ.get(api_key_env) or NO_KEY, base_url=base_url, timeout=first_seconds,
                             max_retries=max_retries)
        self.api_key_env = api_key_env
        self.first_seconds, self.total_seconds = first_seconds, total_seconds
        self.name = f"{model} at {self.client.base_url}"

    def streamed(self, ask: Callable[[], AbstractContextManager[T]], read: Callable[[T], Iterator[U]]) -> Iterator[U]:
        """What comes in answer to a request, piece by piece; whoever reads no further hangs up.

        Raises:
            OSError: `serves.failure`, with what went wrong and what would be right.
        """
        from openai import OpenAIError
        wrong: tuple[type[Exception], ...] = (OpenAIError, *http("HTTPError"), *self.serves.wrong)
        started, answers = perf_counter(), False
        try:
            with ask() as answer:
                answers, pieces = True, read(answer)
                waited = perf_counter() - started
                while waited <= self.total_seconds:
                    started = perf_counter()
                    piece = next(pieces, None)
                    waited += perf_counter() - started  # not the time in which nobody reads on
                    if piece is None:
                        return
                    yield piece
        except wrong as error:
            raise self.failed(self.complaint(error, answers)) from error
        raise self.failed(f"no end after {self.total_seconds:g} s; raise total_seconds, or {self.serves.less}")

    def complaint(self, error: Exception, answers: bool) -> str:
        """What went wrong, and what would be right; `answers` if the server had begun to."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError
        serves = self.serves
        if isinstance(error, (APITimeoutError, *http("TimeoutException"))):
            return f"silent for {self.first_seconds:g} s; raise {serves.first_seconds}, or use a faster {serves.what}"
        if isinstance(error, APIStatusError):
            advice = {**ADVICE, **serves.advice}.get(error.status_code, "the server failed; its log may say why")
            said: Any = error.body.get("message") if isinstance(error.body, Mapping) else None
            return f"{error.status_code}, {said or error.message} ({advice.format(key=self.api_key_env)})"
        if isinstance(error, (APIConnectionError, *http("HTTPError"))):
            why = error.__cause__ or error  # newer clients wrap what the line says, older ones do not
            if answers:
                return f"the stream broke off in mid-{serves.unit} ({why})"
            return f"can not be reached ({why}); does a server run there?"
        said = next((words for kind, words in serves.wrong.items() if isinstance(error, kind)), None)
        return f"{said} ({error}); is base_url right?" if said else f"the server gave up in mid-{serves.unit}: {error}"

    def failed(self, why: str) -> OSError:
        return self.serves.failure(f"{self.name}: {why}")


def http(name: str) -> tuple[type[Exception], ...]:
    """An exception of the HTTP library under the client: httpx, or httpx2 under newer versions."""
    return tuple(getattr(import_module(library), name) for library in ("httpx2", "httpx") if find_spec(library) is not None)
