"""Every cell of the book runs, page after page, as its reader would run it; what it prints is a number or a picture."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BOOK = Path(__file__).parents[2] / "docs" / "book"
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.M | re.S)
PAGES = sorted(path.stem for path in BOOK.glob("*.md") if path.stem != "index")


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"^(\w+)$", (BOOK / "index.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == PAGES


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_every_cell_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pictures: list[bytes] = []
    notebook, display = ModuleType("IPython"), ModuleType("IPython.display")
    notebook.version_info = (8, 24)  # type: ignore[attr-defined]
    display.Image = lambda data, width: pictures.append(data)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    cells = CELL.findall(text)
    assert cells
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells, start=1):
        exec(compile(cell, f"{page}.md, cell {number}", "exec"), names)
    assert all(data.startswith(b"\x89PNG") for data in pictures)
    assert len(pictures) == text.count("Image(")
    assert "nan" not in capsys.readouterr().out.lower().replace("nand", "")


@pytest.mark.parametrize("page", [*PAGES, "index"])
def test_the_korean_book_says_what_the_page_says(page: str) -> None:
    catalogue = (BOOK / "locale" / "ko" / "LC_MESSAGES" / f"{page}.po").read_text(encoding="utf-8")
    assert "fuzzy" not in catalogue
    texts = [_plain(entry) for entry in re.findall(r'^msgid ((?:".*"\n)+)', catalogue, re.M)][1:]
    korean = [_plain(entry) for entry in re.findall(r'^msgstr ((?:".*"\n?)+)', catalogue, re.M)][1:]
    assert len(texts) == len(korean)
    assert all(korean)
    prose = " ".join(CELL.sub("", (BOOK / f"{page}.md").read_text(encoding="utf-8")).split())
    assert [text for text in texts if " ".join(text.split()) not in prose] == []
    # every heading and every paragraph is there: none was written after the translation
    blocks = [" ".join(block.split()) for block in CELL.sub("", (BOOK / f"{page}.md").read_text("utf-8")).split("\n\n")]
    paragraphs = [block for block in blocks if re.match(r"^[A-Z\"*\[#]", block)]
    missing = [block for block in paragraphs if not any(" ".join(text.split()) in block for text in texts)]
    assert missing == []


def _plain(entry: str) -> str:
    """The text of a catalogue's entry, which may stand on several lines."""
    return "".join(json.loads(line) for line in entry.splitlines())
