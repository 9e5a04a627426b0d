"""Which words are drawn: those of a list in several cases, numbers as signs have them, strings of any characters."""

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from jumok.data.text import read_lines
from jumok.errors import UserError

LONGEST = 25  # characters of a word that is drawn by itself

# how often words of 1, 2, 3 .. characters stand in photos; dictionaries are full of long ones
_LENGTHS = (2, 8, 14, 17, 15, 13, 11, 8, 5, 3, 2, 1, 0.6, 0.4, 0.3, 0.2)
_CASES: tuple[tuple[float, Callable[[str], str]], ...] = ((0.42, str.upper), (0.66, str.capitalize), (0.82, str.lower))
_NUMBERS = 0.08  # share of numbers, dates, prices, codes
_STRINGS, _MANY_STRINGS = 0.05, 0.2  # share of strings without sense; where there are many characters to be learned
_MANY = 200
_MARKED, _MARKS = 0.05, ".,!?:;"  # share of words with a mark behind them
_POSSESSIVE = 0.15  # share of "'s" that stays; dictionaries list them all
_TRIES = 20


def read_word_list(path: Path) -> list[str]:
    """The words of `path` in NFC, one a line, empty lines left out; of a hunspell dictionary (.dic) without its flags.

    Raises `UserError` where it cannot be read or holds none.
    """
    lines = list(read_lines(path).lines)
    if path.suffix.lower() == ".dic":
        lines = [line.split("/")[0] for line in lines if not line.split("/")[0].isdigit()]
    words = [word for line in lines if (word := unicodedata.normalize("NFC", line).strip())]
    if not words:
        raise UserError(f"{path} holds no words; write one a line")
    return words


class WordSource:
    """An endless supply of words: `source.word(numbers)` is a pure function of `numbers` and what is given here.

    Most come from `words`, in capitals, small, as a title, as listed, by the lengths that words in photos have; some
    are numbers, prices, dates or codes; some are strings of `characters` without sense, many where these are many
    (Hangul), so that each of them is seen. `spelling` is what labels are brought to: a word is used if every character
    of its spelling is one of `characters`. `left_out` counts the words of the list of which no case is.

    Raises `UserError` where nothing is left to draw.
    """

    def __init__(self, words: Sequence[str], characters: str, spelling: Callable[[str], str] = str) -> None:
        self.characters, self.spelling = frozenset(characters), spelling
        plain = (unicodedata.normalize("NFC", word).strip() for word in words)
        self.words = [word for word in plain if 0 < len(word) <= LONGEST and any(map(self._fits, _cased(word)))]
        self.left_out = len(words) - len(self.words)
        by_length: dict[int, list[str]] = {}
        for word in self.words:
            by_length.setdefault(min(len(word), len(_LENGTHS)), []).append(word)
        # a length of which the list has few words is drawn less, so that these few are not worn out
        self._by_length = [
            (_LENGTHS[length - 1] * len(some) ** 0.25, some) for length, some in sorted(by_length.items())
        ]
        self._total = sum(weight for weight, _ in self._by_length)
        self._scripts = _scripts(characters)
        if not self.words and not self._scripts:
            raise UserError("no words to draw: none of the list can be written with the characters; give other words")
        self._strings = _MANY_STRINGS if len(characters) > _MANY else _STRINGS

    def word(self, numbers: tuple[int, ...]) -> str:
        """The word that belongs to `numbers`, for example (seed, epoch, index)."""
        rng = Random(f"{numbers} word")
        for _ in range(_TRIES):
            kind = rng.random()
            if kind < _NUMBERS:
                word = _FORMS[int(rng.random() * len(_FORMS))](rng)
            elif self._scripts and (kind < _NUMBERS + self._strings or not self.words):
                word = self._string(rng)
            elif self.words:
                word = self._listed(rng)
            else:
                continue
            if self._fits(word):
                return word
        # few characters, or none of the cases that were drawn: what is sure to fit
        if not self.words:
            return self._string(rng)
        word = self.words[int(rng.random() * len(self.words))]
        return next(form for form in _cased(word) if self._fits(form))

    def _fits(self, word: str) -> bool:
        spelled = self.spelling(word)
        return bool(spelled) and self.characters.issuperset(spelled)

    def _listed(self, rng: Random) -> str:
        left = rng.random() * self._total
        words = self._by_length[-1][1]
        for weight, some in self._by_length:
            if left < weight:
                words = some
                break
            left -= weight
        word = words[int(rng.random() * len(words))]
        if word.endswith("'s") and len(word) > 2 and rng.random() >= _POSSESSIVE:
            word = word[:-2]
        case = rng.random()
        word = next((form(word) for below, form in _CASES if case < below), word)
        if rng.random() < _MARKED:
            word += _MARKS[int(rng.random() * len(_MARKS))]
        return word

    def _string(self, rng: Random) -> str:
        scripts = self._scripts
        script = scripts[int(rng.random() * len(scripts))]
        length = 1 + int(6 * rng.random())
        return "".join(script[int(rng.random() * len(script))] for _ in range(length))


def _cased(word: str) -> tuple[str, ...]:
    return word, word.lower(), word.upper(), word.capitalize()


def _scripts(characters: str) -> list[str]:
    """The letters and digits of `characters` that may stand in one string: capitals, small letters, syllables, all."""
    letters = [char for char in characters if char.isalnum()]
    upper = "".join(char for char in letters if char == char.upper())
    small = "".join(char for char in letters if char.islower())
    syllables = "".join(char for char in letters if "가" <= char <= "힣")
    latin = "".join(char for char in upper if char not in syllables)
    found = [script for script in (latin, small, "".join(letters)) if script]
    # of many syllables each is rare, so most strings are of them
    return [syllables] * 6 + found[:1] if len(syllables) > _MANY else found


def _digits(rng: Random, length: int) -> str:
    return "".join(str(int(10 * rng.random())) for _ in range(length))


def _number(rng: Random) -> str:
    return str(int(10 ** (6 * rng.random())))


def _grouped(rng: Random) -> str:
    return f"{int(10 ** (3 + 3 * rng.random())):,}"


def _price(rng: Random) -> str:
    sign = "$$$£€₩"[int(6 * rng.random())]
    if sign == "₩" or rng.random() < 0.4:
        return f"{sign}{int(10 ** (1 + 3 * rng.random())):,}"
    return f"{sign}{int(100 * rng.random())}.{'05' if rng.random() < 0.5 else '9'}{'09'[int(2 * rng.random())]}"


def _won(rng: Random) -> str:
    return f"{100 * int(10 ** (1 + 2 * rng.random())):,}원"


def _share(rng: Random) -> str:
    return f"{5 * int(1 + 20 * rng.random())}%"


def _time(rng: Random) -> str:
    return f"{int(24 * rng.random())}:{int(6 * rng.random())}{'05'[int(2 * rng.random())]}"


def _hour(rng: Random) -> str:
    return f"{1 + int(12 * rng.random())}{('am', 'pm', 'AM', 'PM')[int(4 * rng.random())]}"


def _year(rng: Random) -> str:
    return str(1900 + int(140 * rng.random()))


def _date(rng: Random) -> str:
    mark = "/.-"[int(3 * rng.random())]
    parts = [f"{1 + int(30 * rng.random()):02d}", f"{1 + int(12 * rng.random()):02d}"]
    return mark.join([*parts, _year(rng)[2:]] if rng.random() < 0.4 else parts)


def _phone(rng: Random) -> str:
    return "-".join(_digits(rng, length) for length in ((3, 4), (4, 4), (2, 3, 4))[int(3 * rng.random())])


def _code(rng: Random) -> str:
    letter = chr(ord("A") + int(26 * rng.random()))
    forms = f"{letter}{_digits(rng, 1)}", f"#{_digits(rng, 2)}-{_digits(rng, 2)}", f"{letter}{letter}{_digits(rng, 3)}"
    return forms[int(len(forms) * rng.random())]


def _ordinal(rng: Random) -> str:
    number = 1 + int(40 * rng.random())
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 != 1 else "th"
    return f"{number}{ending}"


_FORMS = (
    _number, _number, _number, _grouped, _price, _price, _won, _share, _time, _hour, _year, _date, _phone, _code,
    _code, _ordinal,
)  # fmt: skip
