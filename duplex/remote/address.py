"""Where a server is, and what it takes to be let in; nothing here connects."""

import os
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from duplex.wire.messages import PATH

TOKEN: Final = "DUPLEX_TOKEN"  # environment variable


@dataclass(frozen=True)
class Access:
    """What it takes to be let in.

    The token is the environment's, and nobody else's: settings are written into results.

    Attributes:
        verify: the server's certificate is checked; or a PEM file that has the certificate itself.
    """

    verify: bool | str = True

    @property
    def headers(self) -> dict[str, str]:
        token = os.environ.get(TOKEN)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def tls(self, url: str) -> ssl.SSLContext | None:
        if not url.startswith(("wss:", "https:")):
            return None
        context = ssl.create_default_context(cafile=self.verify if isinstance(self.verify, str) else None)
        if self.verify is False:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


CHECKED: Final = Access()


def shown(url: str) -> str:
    """`url` without what only its owner should know: query, user and password."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def asking(url: str, query: dict[str, str]) -> str:
    """`url` with more in its query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **query})))


def websocket_url(url: str) -> str:
    """The url of the conversations of a server that is named as people name servers.

    Raises:
        ValueError: it names none.
    """
    parts = urlsplit(url)
    if "token" in dict(parse_qsl(parts.query)):
        raise ValueError(f"settings are written into results: export {TOKEN}=… in place of ?token=… in the url")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"a server is ws://host:port or wss://host:port, not {shown(url)!r}")
    return urlunsplit(parts._replace(scheme=scheme, path=parts.path if parts.path.strip("/") else PATH))
