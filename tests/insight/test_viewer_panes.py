"""The page in a browser: links that restore it, decoding word by word, two models side by side, long texts."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.insight.browser import browse
from tests.insight.test_viewer import small, softmax, view

from jumok.insight import maps
from jumok.insight.viewer import AttentionView, attention_page, notebook_frame

HELP = """
const $ = (id) => document.getElementById(id);
const texts = (id) => [...$(id).children].map((node) => node.textContent);
const on = (id) => [...$(id).children].flatMap((node, at) => (node.classList.contains("on") ? [at] : []));
const point = (node) => node.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
const pick = async (id, at) => { $(id).children[at].click(); await wait(); };
const chosen = (id) => [...$(id).children].findIndex((node) => node.getAttribute("aria-checked") === "true");
const go = async (hash) => { location.hash = hash; await new Promise((r) => setTimeout(r, 50)); await wait(); };
"""


def rival() -> AttentionView:
    """A recurrent model on the same words in other pieces, with one layer of cross-attention of one head."""
    source = ["▁어린", "▁소녀", "가", "▁책을", "."]
    target = ["▁A", "▁girl", "▁reads", "</s>"]
    return AttentionView(source, target, {"decoder.cross": softmax(1, 4, 5)}, "x", "z", model="RNN")


@pytest.mark.system("chromium")
def test_the_address_restores_the_view_and_wrong_ones_are_ignored(tmp_path: Path) -> None:
    seen = browse(
        attention_page([small(), small()], "t"),
        tmp_path,
        HELP
        + """
        const out = { start: location.hash };
        $("next").click();
        await wait();
        await pick("layer", 2);
        await pick("head", 3);
        await pick("unit", 1);
        $("rows").children[5].click();
        out.made = location.hash;
        await go("#sentence=1&kind=encoder&layer=1&unit=subwords&cell=3-2");
        const state = (...ids) => [$("sentence").selectedIndex, ...ids.map(chosen), on("rows")];
        out.followed = [...state("kind", "layer", "unit"), on("columns")];
        out.wrong = [];
        const wrong = ["#x", "#sentence=3&kind=cross", "#sentence=-1&kind=cross", "#sentence=1&kind=sideways", "#%%%"];
        for (const part of ["layer=3", "head=1", "cell=9-1", "cell=1", "more=1", "step=8", "side=2", "unit=<b>"]) {
          wrong.push(`#sentence=1&kind=cross&${part}`);
        }
        for (const hash of wrong) {
          await go(hash);
          out.wrong.push([chosen("kind"), chosen("layer"), on("rows")]);
        }
        await go(out.made);
        out.back = state("kind", "layer", "head", "unit");
        $("copy").click();
        await wait();
        out.copied = $("spoken").textContent !== "";
        out.failed = !$("failure").hidden;
        return out;
        """,
    )
    assert seen["start"] == "#sentence=1&kind=cross"
    assert seen["made"] == "#sentence=2&kind=cross&layer=2&head=3&unit=subwords&cell=6-0"
    assert seen["followed"] == [0, 1, 1, 1, [2], [1]]
    assert all(state == [1, 1, [2]] for state in seen["wrong"]), seen["wrong"]
    assert seen["back"] == [1, 0, 2, 3, 1, [5]]
    assert seen["copied"]
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_decoding_is_played_word_by_word_and_heads_show_their_entropy(tmp_path: Path) -> None:
    given = small()
    seen = browse(
        attention_page([given], "t"),
        tmp_path,
        HELP
        + """
        const out = { labels: [], steps: [] };
        const later = () => [...$("strip-rows").children].filter((node) => node.classList.contains("later")).length;
        $("play").click();
        out.playing = $("play").textContent;
        for (let i = 0; i < 8; i++) {
          out.steps.push([on("rows"), later(), location.hash.split("&step=")[1]]);
          await new Promise((r) => setTimeout(r, 900));
        }
        out.ended = $("play").textContent;
        $("step").value = 3;
        $("step").dispatchEvent(new Event("input"));
        const said = $("step").getAttribute("aria-valuetext");
        out.slid = [on("rows"), $("step-word").textContent, said, $("found").textContent];
        $("matrix").dispatchEvent(new KeyboardEvent("keydown", { key: "p", bubbles: true }));
        out.key = on("rows");
        $("matrix").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
        out.free = [on("rows"), later(), $("play").textContent === out.ended];
        await pick("layer", 1);
        out.labels = [...$("head").children].map((node) => node.getAttribute("aria-label"));
        out.bars = [...$("head").querySelectorAll(".spread")].map((node) => Number(node.style.getPropertyValue("--e")));
        await pick("kind", 1);
        out.hidden = $("player").hidden;
        return out;
        """,
    )
    assert "Pause" in seen["playing"]
    assert [step[0] for step in seen["steps"]][:7] == [[row] for row in range(7)]
    assert [step[1] for step in seen["steps"]][:7] == [6, 5, 4, 3, 2, 1, 0]
    assert seen["steps"][2][2] == "3"
    assert "Play" in seen["ended"]
    assert seen["slid"][:3] == [[2], "girl", "step 3 of 7: girl"]
    assert seen["slid"][3].startswith("When it wrote girl it looked at")
    assert seen["key"] == [3]
    assert seen["free"] == [[], 0, True]
    bits = maps.entropy(given.maps["decoder.blocks.0.cross"])
    most = np.log2(len(given.source))
    np.testing.assert_allclose(seen["bars"], [bits.mean() / most, *(bits / most)], atol=0.002)
    said = re.fullmatch(r"Head 2, entropy (\d\.\d\d) of at most (\d\.\d\d) bits", seen["labels"][2])
    assert said, seen["labels"]
    # The page has its weights in steps of 1/255, so the last digit may be the next one.
    assert [float(number) for number in said.groups()] == pytest.approx([bits[1], most], abs=0.002 * most + 0.005)
    assert seen["hidden"]


@pytest.mark.system("chromium")
def test_two_models_stand_side_by_side_and_share_the_source_word(tmp_path: Path) -> None:
    page = attention_page([small(), small()], "t", [rival(), replace(rival(), source=["▁Ein", "▁x", "y", "▁z", "."])])
    seen = browse(
        page,
        tmp_path,
        HELP
        + """
        const out = { columns: [texts("columns"), texts("columns-2")], names: [texts("rows"), texts("rows-2")] };
        out.who = [$("who-2").textContent, $("said-2").textContent];
        point($("columns").children[2]);
        out.key = [on("columns"), on("columns-2"), on("strip-keys-2")];
        point($("columns-2").children[1]);
        out.back = [on("columns"), on("columns-2"), $("found").textContent];
        point($("rows").children[2]);
        out.row = [on("rows-2"), on("columns-2")];
        await pick("layer-2", 1);
        out.layers = [chosen("layer"), chosen("layer-2"), location.hash];
        await pick("unit", 1);
        point($("columns").children[3]);
        out.piece = on("columns-2");
        $("columns-2").children[3].click();
        out.held = location.hash;
        $("step").value = 4;
        $("step").dispatchEvent(new Event("input"));
        out.step = [on("rows"), on("rows-2")];
        await pick("kind", 1);
        out.lacks = [$("lacks").hidden, $("lacks-2").hidden, $("lacks-2").textContent, $("body-2").hidden];
        point($("columns").children[1]);
        await pick("kind", 0);
        $("next").click();
        await wait();
        await pick("unit", 0);
        point($("columns").children[0]);
        out.other = on("columns-2");
        await go("#sentence=1&kind=cross&layer-2=1&head-2=1&cell=2-3&side=2");
        out.link = [chosen("layer"), chosen("layer-2"), chosen("head-2"), on("rows-2"), on("columns-2"), on("columns")];
        const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
        out.twice = ids.filter((id, at) => ids.indexOf(id) !== at);
        out.failed = !$("failure").hidden;
        return out;
        """,
    )
    assert seen["columns"] == [["어린", "소녀가", "책을", "."]] * 2
    assert seen["names"][1] == ["A", "girl", "reads", "</s>"]
    assert seen["who"] == ["RNN", "z"]
    assert seen["key"] == [[2], [2], [2]]
    assert seen["back"][:2] == [[1], [1]]
    assert seen["back"][2].startswith("소녀가 was looked at most for")
    assert seen["row"] == [[], []], "what was written differs"
    assert seen["layers"] == [0, 1, "#sentence=1&kind=cross&layer-2=1"]
    assert seen["piece"] == [1], "가 is the third piece of a word whose first stands second there"
    assert seen["held"].endswith("&unit=subwords&cell=0-4&side=2")
    assert seen["step"] == [[3], [3]]
    assert seen["lacks"] == [True, False, "This model has no encoder self-attention here.", True]
    assert seen["other"] == [], "another word"
    assert seen["link"] == [0, 1, 1, [1], [2], [2]]
    assert seen["twice"] == []
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_a_long_text_is_seen_whole_with_some_of_its_labels(tmp_path: Path) -> None:
    pieces = [f"▁w{i}" for i in range(300)]
    given = AttentionView(pieces, ["</s>"], {"encoder.blocks.0.attention": torch.eye(300)[None]}, "x", "")
    seen = browse(
        attention_page([given], "t"),
        tmp_path,
        HELP
        + """
        const seen = (node) => getComputedStyle(node.firstChild).visibility === "visible";
        const shown = () => [...$("columns").children].filter(seen).length;
        const out = { labels: shown(), paths: $("base").children.length };
        out.sizes = [$("plane").offsetWidth, $("matrix").clientWidth];
        const small = $("head").querySelector("canvas");
        out.thumb = [small.width, small.height];
        point($("columns").children[101]);
        out.pointed = shown();
        out.text = $("found").textContent;
        return out;
        """,
    )
    assert seen["sizes"][0] <= seen["sizes"][1]
    assert 40 <= seen["labels"] <= 80
    assert seen["pointed"] == seen["labels"] + 1
    assert seen["thumb"] == [64, 64]
    assert seen["paths"] < 20
    assert "w101" in seen["text"]


@pytest.mark.system("chromium")
def test_the_page_lives_in_a_notebooks_frame(tmp_path: Path) -> None:
    page = attention_page([view(["▁a", "▁b"], ["▁c", "</s>"])], "t")
    tell = """<script>setInterval(() => {
      const $ = (id) => document.getElementById(id);
      parent.postMessage([$("rows").children.length, $("copy").hidden, $("failure").hidden], "*");
    }, 100)</script></body>"""
    # a sandboxed frame has a process of its own, which the test's virtual time does not reach
    frame = notebook_frame(page.replace("</body>", tell)).replace('sandbox="allow-scripts"', "")
    seen = browse(
        f"<meta charset=utf-8><body data-ready=yes>{frame}</body>",
        tmp_path,
        """const heard = (done) => addEventListener("message", ({ data }) => data[0] && done(data));
        return { said: await new Promise(heard) };""",
    )
    assert seen["said"] == [2, True, True]
