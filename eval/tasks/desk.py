"""A simulated human desk: reads the packet of a handoff, and says what it knows and what it must ask.

Its text makes "the customer repeats everything" something to see. It is no agent and takes no call.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from duplex.frame import Detail, Word
from eval.tasks.normal import facts_said

SAYS_SORRY: Final = ("upset", "distressed")
ASKS: Final = {"name": "Who am I speaking with?"}


class Desk(NamedTuple):
    """What a person at the desk does first.

    Attributes:
        knows: what it needs and was told, by name.
        asks: the names of what it needs and was not told.
        wrong: of what it knows, what is not so: the caller will have to say it again as well.
        says: sentence by sentence.
    """

    knows: Mapping[str, str]
    asks: tuple[str, ...]
    wrong: tuple[str, ...]
    says: tuple[str, ...]

    @property
    def asked_again(self) -> frozenset[str]:
        """What the caller must say, though somebody may have been told already."""
        return frozenset((*self.asks, *self.wrong))


def desk(packet: Mapping[str, Detail] | None, needs: Mapping[str, str]) -> Desk:
    """What a person does who has this packet, or none, and needs to know `needs`.

    A need is met by the entry of its name, else by an entry of another name with its value: who reads "order number" knows the
    order. Values are compared as they are spoken ("12345" and "one two three four five" are the same).
    """
    given = entries(packet or {})
    knows = {name: known for name, value in needs.items() if (known := looked_up(given, name, value, needs))}
    asks = tuple(name for name in needs if name not in knows)
    wrong = tuple(name for name, known in knows.items() if not alike(known, needs[name]))
    return Desk(knows, asks, wrong, tuple(sentences(packet, knows, asks)))


def entries(packet: Mapping[str, Detail]) -> dict[str, str]:
    """What a packet says, by name: its verified facts as "name=value", and who calls."""
    listed = packet.get("verified") or ()
    parts = [str(one).partition("=") for one in listed] if isinstance(listed, list | tuple) else []
    found = {(name if equals else f"fact {number}").strip(): (value if equals else name).strip()
             for number, (name, equals, value) in enumerate(parts, 1)}
    who = str(packet.get("who") or "")
    return {**found, **({"name": who} if who else {})}


def looked_up(given: Mapping[str, str], name: str, value: str, needs: Mapping[str, str]) -> str:
    """What the packet has for a need, or ""."""
    if given.get(name):
        return given[name]
    return next((said for other, said in given.items() if other not in needs and alike(said, value)), "")


def alike(said: str, value: str) -> bool:
    """Whether one says what the other does."""
    return bool(said and facts_said((Word(said, 0.0, 0.0),), value))


def sentences(packet: Mapping[str, Detail] | None, knows: Mapping[str, str], asks: tuple[str, ...]) -> list[str]:
    if packet is None:
        return ["Hello. How can I help you?", *map(question, asks)]
    who, wants, reason = (str(packet.get(name) or "") for name in ("who", "wants", "reason"))
    said = [f"Hello {who}." if who else "Hello."]
    if str(packet.get("mood") or "") in SAYS_SORRY:
        said.append("I am sorry that this has been so upsetting.")
    if wants or reason:
        said.append(f"I see that this is about {wants or 'your call'}{f' ({reason})' if reason else ''}.")
    said += [f"I have your {plain(name)} as {value}." for name, value in knows.items() if name != "name"]
    tried = packet.get("tried") or ()
    if isinstance(tried, list | tuple) and tried:
        said.append(f"My colleague has already tried to {', '.join(plain(str(one)) for one in dict.fromkeys(tried))}.")
    return [*said, *map(question, asks)]


def question(name: str) -> str:
    return ASKS.get(name, f"What is your {plain(name)}?")


def plain(name: str) -> str:
    return name.replace("_", " ")
