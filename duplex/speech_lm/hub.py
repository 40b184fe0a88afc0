"""Where the files of a checkpoint come from: a folder, or a repository on the Hugging Face Hub at one commit.

What the files are called and mean is `duplex.speech_lm.checkpoint`'s business.
"""

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

import huggingface_hub
import yaml
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from requests.exceptions import RequestException

NOT_STATED = "not stated"


class Source(Protocol):
    """Where files come from.

    Attributes:
        name: a repository's name, or a folder.
        revision: the commit the files are of, None in a folder.
    """

    name: str
    revision: str | None

    def file(self, name: str) -> Path | None:
        """The file of this name, None where the source has none."""


class Folder:
    """Files that lie in one folder."""

    revision: str | None = None

    def __init__(self, path: Path):
        self.name = str(path)
        self.path = path.expanduser()
        if not self.path.is_dir():
            raise FileNotFoundError(f"there is no folder {path}; path is a folder with the files of a checkpoint")

    def file(self, name: str) -> Path | None:
        path = self.path / plain(name)
        return path if path.is_file() else None


class Repository:
    """Files of one commit of a repository: what `revision` names when the first of them is asked for."""

    def __init__(self, name: str, revision: str | None):
        self.name, self.revision, self.asked = name, revision, revision

    def file(self, name: str) -> Path | None:
        token = os.environ.get("HF_TOKEN") or False  # never one that lies about on the disk
        try:
            path = Path(huggingface_hub.hf_hub_download(self.name, plain(name), revision=self.revision, token=token))
        except (RequestException, OfflineModeIsEnabled, HFValidationError) as error:
            if type(error) is EntryNotFoundError or self.is_known_to_lack(name):
                return None
            raise OSError(self.complaint(error, name)) from error
        if path.parent.parent.name == "snapshots":
            self.revision = path.parent.name
        return path

    def is_known_to_lack(self, name: str) -> bool:
        """Whether the Hub said so when it was last asked."""
        try:
            return huggingface_hub.try_to_load_from_cache(self.name, name, revision=self.revision) is (
                huggingface_hub._CACHED_NO_EXIST)
        except HFValidationError:
            return False

    def complaint(self, error: Exception, name: str) -> str:
        """What is wrong and what would be right; the Hub's own words run over many lines."""
        page = f"https://huggingface.co/{self.name}"
        if isinstance(error, GatedRepoError):
            return (f"{self.name} is gated: accept its licence at {page} and set HF_TOKEN to a token of your account, or give "
                    "path=folder with its files")
        if isinstance(error, RepositoryNotFoundError | HFValidationError):
            return (f"there is no repository {self.name!r} on the Hub, or it is private and HF_TOKEN is not a token that may "
                    "read it; a repository is named owner/name")
        if isinstance(error, RevisionNotFoundError):
            return f"{self.name} has no revision {self.asked!r}: give a branch, tag or commit that {page}/commits lists"
        if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled):
            why = ("HF_HUB_OFFLINE is set: unset it" if huggingface_hub.constants.HF_HUB_OFFLINE
                   else "the Hub can not be reached: go online")
            return f"{name} of {self.name} is not in the Hub's cache and {why}, or give path=folder with its files"
        status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else None
        said = f"status {status}" if status else type(error).__name__
        return f"the Hub did not give {name} of {self.name} ({said}): try again, or give path=folder with its files"


def plain(name: str) -> str:
    """`name` if it is that of a file, not a way to one: configs are downloaded, and must not lead elsewhere.

    Raises:
        ValueError: naming it.
    """
    if name in ("", ".", "..") or PurePosixPath(name).name != name or PureWindowsPath(name).name != name:
        raise ValueError(f"{name!r} is no plain file name; the files of a checkpoint lie side by side")
    return name


def licence(source: Source) -> str:
    """What the model card states, else the first line of the licence, else "not stated"."""
    try:
        card, text = source.file("README.md"), None
        stated = front_matter(card) if card else {}
        named = stated.get("license_name") if stated.get("license") in (None, "other") else stated["license"]
        named = named or stated.get("license")
        if not named:
            text = source.file("LICENSE")
    except OSError:  # offline, with the weights cached and the card not
        return NOT_STATED
    if isinstance(named, list):
        return ", ".join(map(str, named))
    lines = text.read_text(encoding="utf-8", errors="replace").split("\n") if text else []
    return str(named) if named else next((line.strip() for line in lines if line.strip()), NOT_STATED)


def front_matter(card: Path) -> dict[str, object]:
    """The YAML between the first two lines of `---`, empty where there is none that can be read."""
    opening, _, rest = card.read_text(encoding="utf-8", errors="replace").lstrip("\ufeff").partition("\n")
    if opening.strip() != "---":
        return {}
    try:
        found = yaml.safe_load(rest.split("\n---", 1)[0])
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
