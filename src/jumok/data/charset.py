"""Character sets of readers: named ones or the data's own, what labels are brought to, and characters as numbers."""

import string
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator

from jumok.config import Config
from jumok.data.stored import Stored
from jumok.data.tokenizer import SPECIALS, UNKNOWN
from jumok.errors import UserError

DATA = "data"
LOST = "\ufffd"  # what is written for the token UNKNOWN: something is there, and it is none of the characters

_SYLLABLES = range(0xAC00, 0xAC00 + 11172)  # every syllable of Unicode
_INITIALS, _VOWELS, _FINALS = 19, 21, 27  # letters that a syllable is made of; a final one may lack
LETTERS = _INITIALS + _VOWELS + _FINALS


def _hangul2350() -> str:
    """The syllables of KS X 1001: rows 16 to 40 of its table, in its order (which is Unicode's)."""
    return "".join(bytes((0xA1 + row - 1, 0xA1 + cell)).decode("euc-kr") for row in range(16, 41) for cell in range(94))


NAMED: dict[str, Callable[[], str]] = {
    "latin36": lambda: string.digits + string.ascii_lowercase,
    "latin94": lambda: string.digits + string.ascii_letters + string.punctuation,
    "hangul2350": _hangul2350,
    "hangul11172": lambda: "".join(map(chr, _SYLLABLES)),
}


class Spelling(Config):
    """What labels are brought to before anything is learned of them; all of it in the Unicode form NFC."""

    case: Literal["keep", "lower"] = Field("keep", description="lower: all letters are made small")
    punctuation: Literal["keep", "strip"] = Field("keep", description="strip: punctuation and symbols are left out")
    spaces: Literal["keep", "strip"] = Field("keep", description="strip: spaces inside a label are left out")

    def __call__(self, text: str) -> str:
        """`text` in this spelling; runs of white space are one space, and none stands at the ends."""
        text = " ".join(unicodedata.normalize("NFC", text).split())
        if self.case == "lower":
            text = unicodedata.normalize("NFC", text.lower())
        if self.punctuation == "strip":
            text = "".join(character for character in text if unicodedata.category(character)[0] not in "PS")
        return "".join(text.split()) if self.spaces == "strip" else " ".join(text.split())


class Charset(Stored):
    """The characters that a reader can write, each a token: `characters[i]` is the number ``len(SPECIALS) + i``.

    Before them stand PAD 0 (CTC's blank), BEGIN 1, END 2 and UNKNOWN 3, as in every vocabulary of Jumok.
    """

    FILE: ClassVar = "charset.json"

    name: str = Field(description="latin36, latin94, hangul2350, hangul11172, some of them joined by +, or data")
    spelling: Spelling = Field(description="what labels are brought to")
    characters: str = Field(min_length=1, description="the characters, in the order of their numbers")

    @field_validator("characters")
    @classmethod
    def _once(cls, value: str) -> str:
        if len(set(value)) < len(value):
            raise ValueError("a character stands in it twice")
        return value

    @classmethod
    def make(cls, name: str, spelling: Spelling, texts: Iterable[str] = ()) -> Self:
        """The set called `name`; ``data`` is that of all characters in `texts`, which are in `spelling` already.

        Named sets are brought to the spelling as labels are, and get a space where spaces are kept. Raises `UserError`
        for an unknown name, and if nothing is left.
        """
        parts = [part.strip() for part in name.split("+")]
        unknown = [part for part in parts if part not in NAMED and part != DATA]
        if unknown:
            raise UserError(
                f"data.charset = {name}: {', '.join(map(repr, unknown))} is no character set; choose {DATA} or one of "
                f"{', '.join(NAMED)}, several joined by +, as in latin94+hangul2350"
            )
        characters: dict[str, None] = {}
        for part in parts:
            found = "".join(sorted(set().union(*texts))) if part == DATA else NAMED[part]()
            spelled = found if part == DATA else "".join(map(spelling, found))
            characters |= dict.fromkeys(spelled)
        if spelling.spaces == "keep":
            characters |= {" ": None}
        if not set(characters) - {" "}:
            raise UserError(f"data.charset = {name} is empty with this data; are the labels empty?")
        return cls(name=name, spelling=spelling, characters="".join(characters))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {character: len(SPECIALS) + place for place, character in enumerate(self.characters)}

    @property
    def vocab_size(self) -> int:
        """Tokens: the four special ones and the characters."""
        return len(SPECIALS) + len(self.characters)

    def vocabulary(self) -> list[str]:
        """Every token as text, in the order of their numbers: what the members of an ensemble must share."""
        return [*SPECIALS, *self.characters]

    def encode(self, text: str) -> list[int]:
        """The tokens of a text in this set's spelling; UNKNOWN for what the set lacks."""
        return [self._numbers.get(character, UNKNOWN) for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """The characters of tokens: U+FFFD for UNKNOWN, nothing for the other special ones."""
        return "".join(self.character(token) for token in tokens)

    def character(self, token: int) -> str:
        """The character of one token; U+FFFD for UNKNOWN, empty for the other special ones."""
        place = token - len(SPECIALS)
        return self.characters[place] if place >= 0 else LOST if token == UNKNOWN else ""

    def letters(self) -> list[tuple[int, int, int]] | None:
        """Of each token the letters of its syllable, numbered 1 to `LETTERS` in Unicode's order, 0 for none.

        Initial consonants, vowels and final consonants are letters of their own. None where no syllable of Hangul is in
        the set. Source: The Unicode Standard, section 3.12, "Hangul Syllable Decomposition".
        """
        found = [_letters(character) for character in self.characters]
        return [(0, 0, 0)] * len(SPECIALS) + found if any(map(any, found)) else None

    def outside(self, text: str) -> list[str]:
        """The characters of a spelled text that this set lacks, as often as they stand there."""
        return [character for character in text if character not in self._numbers]


def _letters(character: str) -> tuple[int, int, int]:
    if ord(character) not in _SYLLABLES:
        return 0, 0, 0
    rest, final = divmod(ord(character) - _SYLLABLES.start, _FINALS + 1)
    initial, vowel = divmod(rest, _VOWELS)
    return 1 + initial, 1 + _INITIALS + vowel, _INITIALS + _VOWELS + final if final else 0
