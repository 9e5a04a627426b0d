"""One self-contained page of misread words: each crop with its label, what was read, and how surely."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from importlib import resources
from pathlib import Path

from jumok.files import atomic_write

DOUBT = 0.5  # characters less sure than this are marked


@dataclass(frozen=True)
class Mistake:
    """A misread word: the crop as a PNG file, its label, the characters read with their confidences (0-1).

    `confidence` is that of the whole word, `where` the image's path.
    """

    picture: bytes
    label: str
    characters: Sequence[tuple[str, float]]
    confidence: float
    where: str


def write_mistakes_page(path: Path, mistakes: Sequence[Mistake], title: str, summary: str) -> None:
    """Write the page to `path`, whole or not at all; `UserError` where that is not possible.

    Characters that differ from the label are set off, those of which the reader was not sure are dotted.
    """
    parts = {
        "title": escape(title),
        "summary": escape(summary),
        "style": _text("page.css"),
        "words": "\n".join(map(_item, mistakes)),
    }
    # in one pass: what is put in is not looked through for names
    atomic_write(path, re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _text("mistakes.html")))


def _item(mistake: Mistake) -> str:
    picture = base64.b64encode(mistake.picture).decode()
    read = "".join(character for character, _ in mistake.characters)
    right = {
        place
        for block in SequenceMatcher(None, read, mistake.label, autojunk=False).get_matching_blocks()
        for place in range(block.a, block.a + block.size)
    }
    shown = "".join(
        _character(character, sure, place not in right) for place, (character, sure) in enumerate(mistake.characters)
    )
    return (
        f'<li><img alt="" src="data:image/png;base64,{picture}">'
        f'<dl><dt>label</dt><dd dir="auto">{escape(mistake.label)}</dd>'
        f'<dt>read</dt><dd dir="auto">{shown or "(nothing)"}</dd></dl>'
        f"<small>confidence {mistake.confidence:.3f} &middot; {escape(mistake.where)}</small></li>"
    )


def _character(character: str, sure: float, wrong: bool) -> str:
    kinds = [name for name, holds in (("wrong", wrong), ("doubt", sure < DOUBT)) if holds]
    plain = escape(character)
    return f'<span class="{" ".join(kinds)}" title="{sure:.3f}">{plain}</span>' if kinds else plain


def _text(name: str) -> str:
    return resources.files("jumok.insight").joinpath(name).read_text(encoding="utf-8")
