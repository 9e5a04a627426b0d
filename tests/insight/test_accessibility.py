"""No page of the house breaks a rule of WCAG 2 (A and AA) that axe-core checks: at rest and in use, light and dark."""

import re
from collections.abc import Callable
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.insight import test_caption_viewer as captions
from tests.insight import test_image_viewer as images
from tests.insight import test_pair_viewer as pairs
from tests.insight import test_viewer as texts
from tests.insight.browser import browse
from tests.insight.test_viewer_panes import rival

from jumok.insight.caption_viewer import caption_attention_page
from jumok.insight.gallery import Gallery
from jumok.insight.mistakes import Mistake, write_mistakes_page
from jumok.insight.pair_viewer import pair_page
from jumok.insight.viewer import AttentionView, attention_page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def mistakes(folder: Path) -> str:
    """Of this page scripts are forbidden; axe is one, and needs to be told that the page is there."""
    picture = BytesIO()
    Image.fromarray(np.full((32, 90, 3), 150, dtype=np.uint8)).save(picture, "PNG")
    wrong = Mistake(picture.getvalue(), "주목", [("주", 0.9), ("옥", 0.2)], 0.3, "word.png")
    write_mistakes_page(folder / "mistakes.html", [wrong, wrong], "Misread", "2 of 9 words")
    page = (folder / "mistakes.html").read_text(encoding="utf-8")
    return re.sub("<meta http-equiv[^>]*>", "", page).replace("<body>", "<body data-ready=yes>")


def gallery(_: Path) -> str:
    """Of the pages in its frames each kind is checked on its own."""
    made = Gallery(["one", "two"])
    for name in ("a.jpg", "개.jpg"):
        made.add(name, [caption_attention_page(captions.view(), name)] * 2)
    return made.page("Photos")


def shaded(*kinds: str) -> AttentionView:
    """Every weight from 0 to 1 stands in a column, and the tokenizer's own pieces have some of them."""
    pieces = ["▁A", "▁young", "▁girl", ",", "▁read", "ing", ".", "</s>"]
    rows = np.linspace(0, 1, len(pieces))[:, None]
    weights = np.concatenate([rows, (1 - rows) / 7 * np.ones(7)], axis=1)[None]
    maps = {name: np.concatenate([weights, weights[..., ::-1]]) for name in kinds}
    return AttentionView(pieces, pieces, maps, "A young girl, reading.", "A young girl", "어린 소녀", "model")


# page -> how it is made, and how it is brought to show what it does not show at rest
PAGES: dict[str, tuple[Callable[[Path], str], str]] = {
    "text": (
        lambda _: attention_page([shaded("encoder.0"), texts.small()], "Attention"),
        """$("columns").children[0].click(); await wait();""",
    ),
    "text played": (
        lambda _: attention_page([shaded("decoder.cross")], "Attention"),
        """$("unit").children[1].click(); await wait();
        $("step").value = 3; $("step").dispatchEvent(new Event("input"));""",
    ),
    "two models": (
        lambda _: attention_page([shaded("decoder.cross")], "Attention", [rival()]),
        """$("columns").children[0].click(); await wait();""",
    ),
    "image": (
        lambda _: images.page_of(images.full(truth="fox", model="ViT")),
        """$("from").lastChild.click(); await wait(); light($("photo"));""",
    ),
    "caption": (
        lambda _: caption_attention_page(captions.view(truth="a grey 개", model="captioner"), "photo.jpg"),
        """document.querySelectorAll("#sheet button")[4].click(); await wait();
        document.querySelectorAll("#reel button")[2].click(); await wait(); light($("photo"));""",
    ),
    "reading": (
        lambda _: caption_attention_page(captions.view(1, 1, words=range(6)), "word.png"),
        """document.querySelectorAll("#written button")[5].click();""",
    ),
    "pair": (
        lambda _: pair_page([pairs.view(), pairs.view(model="DAN")], "Near"),
        """$("layer").children[1].click(); await wait(); $("strip-0").children[0].click(); light($("matrix"));""",
    ),
    "gallery": (gallery, """$("next").click();"""),
    "mistakes": (mistakes, ""),
}


@pytest.mark.system("chromium")
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, tmp_path: Path) -> None:
    make, use = PAGES[name]
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    seen = browse(
        make(tmp_path).replace("</body>", f"<script>{axe}</script></body>"),
        tmp_path,
        f"""
        const $ = (id) => document.getElementById(id);
        const light = (node) => node.dispatchEvent(new PointerEvent("pointermove", {{ bubbles: true }}));
        const out = {{ broken: [], passed: 0 }};
        const check = async (when) => {{
          await wait();
          const options = {{ runOnly: {RULES}, resultTypes: ["violations"], iframes: false }};
          const {{ violations, passes }} = await axe.run(options);
          out.passed += passes.length;
          for (const {{ id, nodes }} of violations) {{
            out.broken.push(...nodes.map((node) => `${{when}}: ${{id}}: ${{node.failureSummary}} ${{node.html}}`));
          }}
        }};
        const dress = (theme) => (document.documentElement.dataset.theme = theme);
        dress("light");
        await check("at rest, light");
        for (const details of document.querySelectorAll("details")) details.open = true;
        $("language")?.click();
        await wait();
        {use}
        await check("in use, light");
        dress("dark");
        await check("in use, dark");
        return out;
        """,
    )
    assert seen["passed"] > 20, "axe saw the page"
    assert seen["broken"] == []


@pytest.mark.system("chromium")
def test_figures_are_read_on_every_colour_of_the_matrix(tmp_path: Path) -> None:
    """Axe does not see what a canvas shows: contrast there is reckoned here, by the formula of WCAG 2."""
    seen = browse(
        pair_page([pairs.view()], "Near"),
        tmp_path,
        """
        const cells = [];
        for (const theme of ["light", "dark"]) {
          while (document.documentElement.dataset.theme !== theme) document.getElementById("theme").click();
          await wait();
          const canvas = document.querySelector("#matrix canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          [...document.querySelectorAll("#matrix .figures span")].forEach((figure, at) => {
            const text = getComputedStyle(figure).color.match(/[0-9]+/g).map(Number);
            cells.push([text, [...data.slice(4 * at, 4 * at + 3)]]);
          });
        }
        return { cells };
        """,
    )
    colours = np.asarray(seen["cells"]) / 255  # cells, text and ground, channels
    assert len(colours) == 2 * 5 * 6
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    light = np.sort(linear @ [0.2126, 0.7152, 0.0722], axis=1) + 0.05
    assert (light[:, 1] / light[:, 0]).min() >= 4.5
