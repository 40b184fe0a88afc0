"""A language model's text as a synthesiser can say it: sentence by sentence, and nothing that only an eye can read.

Figures stay figures, less the signs in them; how they are read is the synthesiser's business.
"""

import re
import unicodedata
from typing import Final

# An end before white space and what does not go on in lower case; a line's end; never after "Dr." and the like.
SENTENCE_END: Final = re.compile(r"(?<=[.?!…])[\"'”’)\]*_]*\s+(?=[^\sa-z])|\s*\n\s*(?=\S)")
ABBREVIATED: Final = re.compile(r"\b(?:dr|mr|mrs|ms|prof|st|vs|approx)\.$|^\s*\d+\.$", re.IGNORECASE)
FENCE: Final = re.compile(r"```\w*")
LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
ADDRESS: Final = re.compile(r"\b(?:https?://)?(?:www\.)?((?:[\w-]+\.)+[a-z]{2,})((?:/[\w./%-]*)?)(?:[?#]\S*)?", re.IGNORECASE)
STARTS_LINE: Final = re.compile(r"^\s*(?:[#>]+|[-*+•]|\d+[.)])\s+")
FIGURES: Final = tuple((re.compile(sign), words) for sign, words in (
    (r"(?<=\d),(?=\d{3}\b)", ""), (r"\$(\d+)\.(\d\d)\b", r"\1 dollars and \2 cents"), (r"\$1\b", "1 dollar"),
    (r"\$(\d+)", r"\1 dollars"), (r"(?<=\d)\s?%", " percent"), (r"\b(\d{1,2}):00\b", r"\1"), (r"\b(\d{1,2}):(\d\d)\b", r"\1 \2")))
MARKS: Final = str.maketrans({"_": " ", "|": " ", "’": "'", "‘": "'", "“": '"', "”": '"', "&": " and ", "–": ", ", "—": ", ",
                              **dict.fromkeys("*#`~<>{}[]\\\ufe0f")})
UNSPEAKABLE: Final = ("So", "Sk", "Cc", "Cf", "Co", "Cs", "Cn")  # Unicode's categories: emoji, control characters, the unassigned


class Sentences:
    """Cuts text that comes in pieces. A sentence is whole when the next one begins."""

    def __init__(self) -> None:
        self.text = ""

    def feed(self, text: str) -> list[str]:
        """The sentences that are whole now."""
        self.text += text
        whole = []
        start = 0
        for end in SENTENCE_END.finditer(self.text):
            before = self.text[start: end.start()]
            if "\n" in end[0] or not ABBREVIATED.search(before):
                whole.append(before)
                start = end.end()
        self.text = self.text[start:]
        return said(whole)

    def rest(self) -> list[str]:
        """What is left when nothing more comes."""
        left, self.text = self.text, ""
        return said([left])


def said(texts: list[str]) -> list[str]:
    return [sentence for text in texts if (sentence := speakable(text))]


def speakable(text: str) -> str:
    """`text` without marks, emoji and addresses' slashes; "" where nothing of it can be said."""
    text = STARTS_LINE.sub("", LINK.sub(r"\1", FENCE.sub(" ", unicodedata.normalize("NFC", text))))
    text = ADDRESS.sub(address_in_words, text).translate(MARKS)
    for sign, words in FIGURES:
        text = sign.sub(words, text)
    text = "".join(" " if unicodedata.category(sign) in UNSPEAKABLE else sign for sign in text)
    text = re.sub(r"\s+([,.?!;:])", r"\1", " ".join(text.split())).strip(", ")
    return text if any(map(str.isalnum, text)) else ""


def address_in_words(found: re.Match[str]) -> str:
    """"example.com/help" as one reads it out; a full stop behind it stays one."""
    path = found[2].rstrip("/.")
    read = (found[1] + path).replace(".", " dot ").replace("/", " slash ").replace("-", " dash ")
    return read + ("." if found[2].endswith(".") else "")
