"""The page of misread words: every one is there, nothing it says is taken for markup, nothing is fetched."""

import base64
from pathlib import Path

from jumok.insight.mistakes import Mistake, write_mistakes_page

PICTURE = b"\x89PNG not really"


def test_the_page_holds_every_mistake_as_it_is(tmp_path: Path) -> None:
    mistakes = [
        Mistake(PICTURE, "<b>&</b>", [("<", 0.9), ("i", 0.2), ("&", 0.9)], 0.3, "a/<1>.png"),
        Mistake(PICTURE, "한글", [], 0.01, "{{words}}.png"),
    ]
    write_mistakes_page(tmp_path / "page.html", mistakes, "runs/<x>", "{{style}} stays")
    page = (tmp_path / "page.html").read_text()
    assert page.count(base64.b64encode(PICTURE).decode()) == 2
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page
    assert "<b>&" not in page
    assert '<span class="wrong doubt" title="0.200">i</span>' in page
    assert "(nothing)" in page
    assert "runs/&lt;x&gt;" in page
    assert "{{words}}.png" in page
    assert "{{style}} stays" in page
    assert page.count("<li>") == 2
    assert "http" not in page.replace("http-equiv", "")
