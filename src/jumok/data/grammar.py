"""A grammar whose sentences know what each of their words says, so that two wordings of one meaning come aligned."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

Values = Mapping[str, int]  # a meaning: slot -> value, {"hour": 15, "minute": 5}


class Link(NamedTuple):
    """Characters ``source[start:end]`` say what characters ``target[start:end]`` say."""

    source: tuple[int, int]
    target: tuple[int, int]


@dataclass(frozen=True)
class Example:
    """A sentence, its normal form and the gold alignment between their characters."""

    source: str
    target: str
    links: tuple[Link, ...]


class Piece(NamedTuple):
    """A stretch of text and the slots of the meaning it expresses; none: a word that only holds others together."""

    text: str
    slots: tuple[str, ...] = ()


Phrase = list[Piece]


class Spelling(NamedTuple):
    """One way to write some slots: ``say`` of the values of `reads`, None where they are not said this way."""

    reads: tuple[str, ...]
    slots: tuple[str, ...]
    say: Callable[..., str | None]


def spell(slots: str, say: Callable[..., str | None]) -> Spelling:
    """Words that express the slots they read: ``spell("hour minute", ...)``."""
    names = tuple(slots.split())
    return Spelling(names, names, say)


def aside(reads: str, say: Callable[..., str | None]) -> Spelling:
    """Words that express nothing new (a weekday), or an empty word that stands only where a condition holds."""
    return Spelling(tuple(reads.split()), (), say)


class Grammar:
    """Rules from a name to its templates, written as one reads them.

    In a template ``{name}`` is another rule or a spelling, ``{slot=word}`` a word that expresses a slot (several:
    ``{hour,minute=to}``), and all else stands as it is. Raises `ValueError` for a name that is neither.
    """

    def __init__(self, rules: Mapping[str, Sequence[str]], spellings: Mapping[str, Spelling]) -> None:
        self.spellings = spellings
        self.rules = {name: [_parse(template) for template in templates] for name, templates in rules.items()}
        if both := rules.keys() & spellings.keys():
            raise ValueError(f"rule and spelling at once: {sorted(both)}")
        used = {part for templates in self.rules.values() for parts in templates for part in parts}
        if unknown := {part for part in used if isinstance(part, str)} - rules.keys() - spellings.keys():
            raise ValueError(f"neither a rule nor a spelling: {sorted(unknown)}")

    def write(self, name: str, values: Values, random: Random) -> Phrase:
        """One wording of `values` by rule `name`, each template as likely as the next among those that can say them.

        Raises `ValueError` if none can.
        """
        phrase = self._write(name, values, random)
        if phrase is None:
            raise ValueError(f"no wording of {dict(values)} as {name}")
        return phrase

    def _write(self, name: str, values: Values, random: Random) -> Phrase | None:
        if name in self.spellings:
            reads, slots, say = self.spellings[name]
            text = say(*(values[slot] for slot in reads))
            return None if text is None else [Piece(text, slots)]
        templates = self.rules[name]
        for parts in random.sample(templates, len(templates)):
            phrase = self._fill(parts, values, random)
            if phrase is not None:
                return phrase
        return None

    def _fill(self, parts: list[str | Piece], values: Values, random: Random) -> Phrase | None:
        phrase: Phrase = []
        for part in parts:
            if isinstance(part, Piece):
                phrase.append(part)
            elif (inner := self._write(part, values, random)) is None:
                return None
            else:
                phrase += inner
        return phrase


def _parse(template: str) -> list[str | Piece]:
    """A template as names (`str`) and words (`Piece`)."""
    parts: list[str | Piece] = []
    for place, text in enumerate(re.split(r"\{([^}]*)\}", template)):
        slots, equals, word = text.partition("=")
        if place % 2 == 0:
            parts += [Piece(text)] if text else []
        else:
            parts.append(Piece(word, tuple(slots.split(","))) if equals else text)
    return parts


def align(source: Phrase, target: Phrase) -> Example:
    """Two wordings of one meaning, linked wherever their pieces express the same slot."""
    links = [
        Link((start, end), (other_start, other_end))
        for start, end, slots in _spans(source)
        for other_start, other_end, other_slots in _spans(target)
        if set(slots) & set(other_slots)
    ]
    return Example(_text(source), _text(target), tuple(links))


def _text(phrase: Phrase) -> str:
    return "".join(piece.text for piece in phrase)


def _spans(phrase: Phrase) -> list[tuple[int, int, tuple[str, ...]]]:
    """Where each piece that expresses something stands; neighbours that say the same are one, the space between too."""
    spans: list[tuple[int, int, tuple[str, ...]]] = []
    position, apart = 0, False  # apart: a word that says nothing stands since the last span
    for text, slots in phrase:
        end = position + len(text)
        if slots and text:
            if spans and not apart and spans[-1][2] == slots:
                spans[-1] = (spans[-1][0], end, slots)
            else:
                spans.append((position, end, slots))
            apart = False
        else:
            apart = apart or bool(text.strip())
        position = end
    return spans
