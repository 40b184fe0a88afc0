"""What a server says of itself at `/api/state`, asked over HTTP and timed, without taking a place.

Servers that are not ours answer something else; that they answer is known all the same.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from duplex.remote.address import CHECKED, TOKEN, Access, websocket_url

TIMEOUT: Final = 5.0  # seconds


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


def asked(url: str, access: Access = CHECKED) -> State:
    """Asks a server, ws(s):// or http(s)://, with or without a path.

    Raises:
        OSError: nobody answers.
        ValueError: no address of a server; or it asks for a token, or does not speak HTTP.
    """
    connection = connected(url, access)
    try:
        connection.connect()
        wall, began = datetime.now(UTC).timestamp(), perf_counter()
        connection.request("GET", "/api/state", headers=access.headers)
        answer = connection.getresponse()
        body = answer.read()
        seconds = perf_counter() - began
    except HTTPException as error:
        raise ValueError(f"answers, but not in HTTP ({type(error).__name__})") from error
    finally:
        connection.close()
    if answer.status == 401:
        raise ValueError(f"asks for its token: export {TOKEN}=…")
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


def connected(url: str, access: Access) -> HTTPConnection:
    parts = urlsplit(websocket_url(url if "://" in url else f"ws://{url}"))
    if (tls := access.tls(parts.geturl())) is not None:
        return HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT, context=tls)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
