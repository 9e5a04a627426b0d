"""Several inputs, or two models beside each other: complete pages of this room in frames of one page.

What pages have in common (styles, scripts, a photo) is in the file once.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from jumok.files import atomic_write
from jumok.insight.viewer import fill_page

_DATA = re.compile(r'(<script type="application/json" id="data">.*?</script>)', re.S)
_PICTURE = re.compile(r"(data:image/png;base64,[A-Za-z0-9+/=]+)")


class Gallery:
    """Inputs of one model, or two, a page each: add them, then make `page`.

    Args:
        models: the names of the models, one or two.
        kind: what an input is called in the chooser: a photo, or a pair of sentences.
    """

    def __init__(self, models: Sequence[str], kind: str = "photo") -> None:
        self.models, self.kind = list(models), kind
        self.inputs: list[dict[str, object]] = []
        self.parts: dict[str, int] = {}  # text -> its number

    @property
    def size(self) -> int:
        """Characters of the parts, each once; the file is hardly more."""
        return sum(map(len, self.parts))

    def added(self, pages: Sequence[str]) -> int:
        """How many characters these pages would add to `size`."""
        return sum(map(len, {part for page in pages for part in _parts(page)} - self.parts.keys()))

    def add(self, name: str, pages: Sequence[str]) -> None:
        """One input, with the page of each model. Raises `ValueError` if there are more or fewer pages than models."""
        if len(pages) != len(self.models):
            raise ValueError(f"{len(pages)} pages of {len(self.models)} models")
        numbers = [[self.parts.setdefault(part, len(self.parts)) for part in _parts(page)] for page in pages]
        self.inputs.append({"name": name, "pages": numbers})

    def page(self, title: str) -> str:
        """The page of HTML. Raises `ValueError` if nothing was added."""
        if not self.inputs:
            raise ValueError("a page needs at least one input")
        data = {
            "title": title,
            "models": self.models,
            "kind": self.kind,
            "inputs": self.inputs,
            "parts": list(self.parts),
        }
        return fill_page(
            "gallery.html", ["page.css", "gallery.css"], ["common.js", "link.js", "gallery.js"], title, data
        )

    def write(self, path: Path, title: str) -> None:
        """Write `page` to `path`, whole or not at all; `UserError` where that is not possible."""
        atomic_write(path, self.page(title))


def _parts(page: str) -> list[str]:
    """What stands before the data of a page, the data cut at its pictures, and what stands after."""
    before, data, after = _DATA.split(page, maxsplit=1)
    return [before, *_PICTURE.split(data), after]
