"""What a server says of itself at `/api/state`, asked over HTTP and timed, without taking a place.

Servers that are not ours answer something else; that they answer is known all the same.
"""

import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import perf_counter
from urllib.parse import urlsplit

TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
class State:
    """An answer.

    Attributes:
        told: in words, who serves what.
        places, taken: conversations at a time, and how many there are; None where the server does not say.
        step_seconds: 95th percentile of the agent's steps of late, if any.
        round_trip: seconds from asking to the answer.
        clock_offset: by how many seconds the server's wall clock is ahead, if it says what time it has.
    """

    told: str
    places: int | None
    taken: int
    step_seconds: float | None
    round_trip: float
    clock_offset: float | None


def asked(url: str, token: str | None = None) -> State:
    """Asks a server, ws(s):// or http(s)://, with or without a path.

    Raises:
        OSError: nobody answers.
        ValueError: no address of a server; or it asks for a token, or does not speak HTTP.
    """
    connection = connected(url)
    try:
        connection.connect()
        wall, began = datetime.now(UTC).timestamp(), perf_counter()
        connection.request("GET", "/api/state", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        body = answer.read()
        seconds = perf_counter() - began
    except HTTPException as error:
        raise ValueError(f"answers, but not in HTTP ({type(error).__name__})") from error
    finally:
        connection.close()
    if answer.status == 401:
        raise ValueError("asks for its token: export DUPLEX_TOKEN=…")
    try:
        told = json.loads(body) if answer.status == 200 else {}
    except ValueError:
        told = {}
    if not isinstance(told, dict) or told.get("server") != "duplex-harness":
        return State("answers, and is not duplex-serve: if it is moshi.server or PersonaPlex's, agent.dialect says which",
                     None, 0, None, seconds, None)
    step = told.get("step_p95")
    return State(f"duplex-serve {told['version']} with {told['agent']}, {told['taken']} of {told['places']} places taken",
                 int(told["places"]), int(told["taken"]), None if step is None else float(step), seconds,
                 float(told["utc_seconds"]) - (wall + seconds / 2.0))


def connected(url: str) -> HTTPConnection:
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        raise ValueError(f"a server is ws://host:port or wss://host:port, not {url!r}")
    if parts.scheme in ("wss", "https"):
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE  # nothing secret is asked but the token's validity
        return HTTPSConnection(parts.hostname, parts.port or 443, timeout=TIMEOUT, context=anybody)
    return HTTPConnection(parts.hostname, parts.port or 8998, timeout=TIMEOUT)
