"""Pages in frames of one page: nothing is lost or kept twice, and it is usable by all, light and dark."""

from importlib import resources
from pathlib import Path

import pytest
from tests.insight import test_caption_viewer as captions
from tests.insight import test_image_viewer as images
from tests.insight.browser import HOSTILE, Elements, browse, data_of
from tests.insight.test_accessibility import RULES

from jumok.insight.caption_viewer import caption_attention_page
from jumok.insight.gallery import Gallery


def two_models() -> tuple[Gallery, list[list[str]]]:
    """Two photos, each seen by a classifier and by a captioner."""
    pages = [
        [images.page_of(images.full(), HOSTILE), caption_attention_page(captions.view(model=HOSTILE), HOSTILE)]
        for _ in range(2)
    ]
    gallery = Gallery([HOSTILE, "캡션"])
    for number, each in enumerate(pages):
        gallery.add(f"{number}{HOSTILE}", each)
    return gallery, pages


def test_pages_come_back_as_they_were_and_what_they_share_is_kept_once() -> None:
    gallery, pages = two_models()
    page = gallery.page(HOSTILE)
    data = data_of(page)
    put = [[["".join(data["parts"][part] for part in parts)] for parts in each["pages"]] for each in data["inputs"]]
    assert put == [[[one] for one in each] for each in pages]
    assert [each["name"] for each in data["inputs"]] == [f"{number}{HOSTILE}" for number in range(2)]
    assert len(set(data["parts"])) == len(data["parts"])
    assert gallery.size == sum(map(len, data["parts"])) < sum(len(one) for each in pages for one in each)
    assert gallery.added(pages[0]) == 0
    for outside in ("http:", "https:", "//cdn", "@import", " src=", "href=", "url(", "fetch("):
        assert outside not in page, outside
    assert Elements(page).tags.count("script") == 2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one input"):
        Gallery(["a"]).page("t")
    with pytest.raises(ValueError, match="1 pages of 2 models"):
        Gallery(["a", "b"]).add("x", ["page"])


@pytest.mark.system("chromium")
def test_axe_finds_nothing_in_it_and_in_its_frames(tmp_path: Path) -> None:
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    seen = browse(
        two_models()[0].page("photos").replace("</body>", f'<script id="axe">{axe}</script></body>'),
        tmp_path,
        f"""
        const out = {{ broken: [], passed: 0 }};
        const check = async (page, when) => {{
          const {{ violations, passes }} = await page.axe.run(page.document, {{ runOnly: {RULES}, iframes: false }});
          out.passed += passes.length;
          for (const {{ id, nodes }} of violations) out.broken.push(`${{when}}: ${{id}}: ${{nodes[0].html}}`);
        }};
        for (const theme of ["light", "dark"]) {{
          while (document.documentElement.dataset.theme !== theme) document.getElementById("theme").click();
          await check(window, theme);
          for (const frame of document.querySelectorAll("iframe")) {{
            const script = frame.contentDocument.createElement("script");
            script.textContent = document.getElementById("axe").textContent;
            frame.contentDocument.body.append(script);
            await check(frame.contentWindow, `${{theme}}, in a frame`);
          }}
        }}
        return out;
        """,
    )
    assert seen["passed"] > 60, "axe saw the pages"
    assert seen["broken"] == []
