"""Pages in frames of one page: nothing is lost or kept twice, and it is usable by all, light and dark."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from tests.insight import test_caption_viewer as captions
from tests.insight import test_image_viewer as images
from tests.insight import test_pair_viewer as pairs
from tests.insight.browser import HOSTILE, Elements, browse, data_of
from tests.insight.test_accessibility import RULES

from jumok.insight.caption_viewer import caption_attention_page
from jumok.insight.gallery import Gallery
from jumok.insight.maps import as_map
from jumok.insight.pair_viewer import pair_page


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


SAID = """
const $ = (id) => document.getElementById(id);
const pages = () => [...document.querySelectorAll("iframe")].map((frame) => frame.contentDocument);
const at = (page, id) => page.getElementById(id).querySelector('[aria-checked="true"]');
const click = async (button) => { button.click(); await wait(); };
const go = async (hash) => { location.hash = hash; await new Promise((r) => setTimeout(r, 50)); await wait(); };
"""


@pytest.mark.system("chromium")
def test_another_photo_is_shown_as_the_last_one_was(tmp_path: Path) -> None:
    """Of a classifier and a captioner: layer, head, who looks, heat, word; as far as the next photo has them."""
    gallery = Gallery(["a", "b"])
    for count in (6, 4, 6):  # pieces: 5 words, 3, 5
        shown = captions.view(3, 2)
        maps = {name: as_map(weights)[:, :count] for name, weights in shown.maps.items()}
        shown = replace(shown, pieces=captions.PIECES[:count], maps=maps)
        gallery.add("photo", [images.page_of(images.full()), caption_attention_page(shown, "t")])
    seen = browse(
        gallery.page("photos"),
        tmp_path,
        SAID
        + """
        const state = () => {
          const [image, caption] = pages();
          const { layer, head } = at(image, "sheet").dataset;
          const own = at(caption, "sheet").dataset;
          return [
            [at(image, "from").textContent, layer, head, image.getElementById("strength").value],
            [at(caption, "written").dataset.word, own.layer, own.head, caption.getElementById("smooth").checked],
            location.hash,
          ];
        };
        const out = { start: state() };
        const cell = (page, layer, head) => page.querySelector(`#sheet [data-layer="${layer}"][data-head="${head}"]`);
        await click(cell(pages()[0], 0, 1));
        const heat = pages()[0].getElementById("strength");
        heat.value = 40;
        heat.dispatchEvent(new Event("input"));
        await wait();
        await click(cell(pages()[1], 1, 0));
        await click(pages()[1].getElementById("smooth"));
        await click(pages()[1].getElementById("written").children[1]);
        out.chosen = state();
        await click($("next"));
        out.next = state();
        await click(pages()[1].getElementById("written").lastElementChild);
        await click($("next"));
        const last = pages()[1].getElementById("written").children.length;
        await click(pages()[1].getElementById("written").lastElementChild);
        out.last = [Number(state()[1][0]), last];
        await click($("previous"));
        out.fewer = state();
        await click(pages()[0].getElementById("from").children[2]);
        await click($("previous"));
        out.patch = [at(pages()[0], "from").textContent, pages()[0].getElementById("asked").style.cssText];
        out.patch.push(state()[2]);
        await click(pages()[0].getElementById("from").children[1]);
        await click($("next"));
        out.rollout = state();
        await go("photo=3&layer=2&head=1&step-2=2&layer-2=3&head-2=2");
        out.link = [$("sentence").selectedIndex, ...state()];
        await go("photo=3&layer=9&nonsense=1&step-2=99&head-2=7");
        out.wrong = [$("sentence").selectedIndex, ...state()];
        await go("photo=1");
        out.bare = state();
        out.copy = $("copy").textContent;
        out.framed = pages().map((page) => page.getElementById("copy").hidden);
        return out;
        """,
    )
    assert seen["start"] == [["Class token", "2", "-1", "100"], ["0", "-1", "-1", True], "#photo=1&step-2=1"]
    parts = "layer=1&head=2&heat=40&step-2=2&layer-2=2&head-2=1&edges-2=sharp"
    assert seen["chosen"] == [["Class token", "0", "1", "40"], ["1", "1", "0", False], f"#photo=1&{parts}"]
    assert seen["next"] == [*seen["chosen"][:2], f"#photo=2&{parts}"]
    assert seen["last"][0] == seen["last"][1] - 1
    assert seen["fewer"][0] == seen["chosen"][0]
    assert seen["fewer"][1] == ["0", "1", "0", False], "no such word: the first; but the same layer and head"
    assert seen["patch"][0] == "One patch"
    assert seen["patch"][1]
    assert "patch=" in seen["patch"][2]
    assert seen["rollout"][0][:3] == ["Rollout, all layers", "0", "-1"]
    assert "from=rollout" in seen["rollout"][2]
    assert seen["link"][0] == 2
    assert seen["link"][1:] == [
        ["Class token", "1", "0", "100"],
        ["1", "2", "1", True],
        "#photo=3&layer=2&head=1&step-2=2&layer-2=3&head-2=2",
    ]
    assert seen["wrong"] == [2, *seen["start"][:2], "#photo=3&step-2=1"]
    assert seen["bare"] == seen["start"]
    assert seen["copy"] == "Copy link"
    assert seen["framed"] == [True, True]


@pytest.mark.system("chromium")
def test_another_pair_is_shown_as_the_last_one_was(tmp_path: Path) -> None:
    gallery = Gallery(["a", "b"], "pair")
    for _ in range(2):
        gallery.add("pair", [pair_page([pairs.view()], "t"), pair_page([pairs.view(maps=({}, {}))], "t")])
    seen = browse(
        gallery.page("pairs"),
        tmp_path,
        SAID
        + """
        const [page] = pages();
        await click(page.getElementById("layer").children[2]);
        await click(page.getElementById("head").children[3]);
        await click(pages()[1].getElementById("unit").children[1]);
        await click($("next"));
        const chosen = (page, ...ids) => ids.map((id) => at(page, id).textContent);
        const out = { next: [...chosen(pages()[0], "layer", "head", "unit"), ...chosen(pages()[1], "unit")] };
        out.hash = location.hash;
        return out;
        """,
    )
    assert seen == {
        "next": ["2", "3", "Words", "Subwords"], "hash": "#pair=2&layer=2&head=3&unit-2=subwords",
    }  # fmt: skip
