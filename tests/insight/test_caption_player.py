"""The page of a caption played: a look a word, a link that restores the view, stillness for those who ask for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.insight.browser import browse
from tests.insight.test_caption_viewer import GRID, by_word, view

from jumok.insight.caption_viewer import CaptionView, caption_attention_page
from jumok.insight.image_figures import overlay
from jumok.insight.maps import Map

GREY = 150
HELP = """
const $ = (id) => document.getElementById(id);
const buttons = (id) => [...$(id).querySelectorAll("button")];
const chosen = (id) => buttons(id).findIndex((button) => button.getAttribute("aria-checked") === "true");
const later = () => buttons("written").filter((button) => button.classList.contains("later")).length;
const press = async (target, key, more = {}) => {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
  await wait();
};
const sleep = (time) => new Promise((done) => setTimeout(done, time));
const sample = () => {
  const { width, height } = $("canvas");
  const { data } = $("canvas").getContext("2d").getImageData(0, 0, width, height);
  const places = [...Array(Math.floor(data.length / 4 / 997)).keys()].map((at) => 4 * 997 * at);
  return places.map((at) => [...data.slice(at, at + 3)]);
};
"""


def grey(**others: object) -> CaptionView:
    return replace(view(**others), photo=np.full((48, 64, 3), GREY, dtype=np.uint8))


def drawn(heat: Map) -> Map:
    """What `sample` should give for weights of the places of the grid."""
    pixels = overlay(np.full((480, 640, 3), GREY, dtype=np.uint8), heat.reshape(GRID)).reshape(-1, 3)
    return np.asarray(pixels[::997][: len(pixels) // 997], dtype=np.float32)


def before(page: str, script: str) -> str:
    """The page with a script that runs before its own."""
    return page.replace("<body>", f"<body><script>{script}</script>")


@pytest.mark.system("chromium")
def test_the_photo_changes_with_each_word_that_is_played(tmp_path: Path) -> None:
    given = grey()
    seen = browse(
        caption_attention_page(given, "photo.jpg"),
        tmp_path,
        HELP
        + """
        const out = { steps: [] };
        const note = () => out.steps.push([chosen("written"), chosen("reel"), later(), location.hash, sample()]);
        note();
        $("play").click();
        out.playing = $("play").textContent;
        for (let step = 1; step < 5; step++) {
          await wait();
          note();
          await sleep(900);
        }
        await sleep(2000);
        out.ended = [chosen("written"), $("play").textContent, $("spoken").textContent];
        $("play").click(); // at the end: again from the start
        await sleep(1000);
        $("play").click();
        await sleep(2000);
        out.paused = [chosen("written"), $("play").textContent];
        await press($("photo"), "p");
        out.photo = [chosen("written"), $("play").textContent];
        await press(buttons("written")[2], "ArrowRight"); // a step by hand ends it
        out.hand = [chosen("written"), $("play").textContent, document.activeElement === buttons("written")[3]];
        await press(buttons("reel")[3], "P"); // to the last word, where it ends
        out.reel = [chosen("written"), $("play").textContent];
        await press($("photo"), "Home");
        await press(document.body, "p"); // a letter is a key of the pictures only
        await press($("photo"), "p", { ctrlKey: true }); // to print
        out.other = [chosen("written"), $("play").textContent];
        await press(document.body, "ArrowRight");
        await press(document.body, "ArrowDown"); // the page scrolls
        await press(document.body, "ArrowLeft", { altKey: true }); // the page before
        out.body = chosen("written");
        $("step").value = 4;
        $("step").dispatchEvent(new Event("input"));
        await wait();
        out.slid = [chosen("written"), $("step-word").textContent, $("step").getAttribute("aria-valuetext")];
        out.slid.push([...document.querySelectorAll("#player button")].map((each) => each.getAttribute("aria-label")));
        out.failed = !$("failure").hidden;
        return out;
        """,
    )
    heat = np.mean([by_word(weights).mean(0) for weights in given.maps.values()], axis=0)[:, 1:]
    assert [step[:4] for step in seen["steps"]] == [[at, at, 4 - at, f"#step={at + 1}"] for at in range(5)]
    for step, own in zip(seen["steps"], heat, strict=True):
        np.testing.assert_allclose(step[4], drawn(own), atol=4)
    assert seen["playing"] == "❚❚ Pause"
    assert seen["ended"][:2] == [4, "▶ Play"]
    assert seen["ended"][2].startswith("</s> (Mean of all layers and heads) gave ")
    assert seen["paused"] == [1, "▶ Play"]
    assert seen["photo"] == [2, "❚❚ Pause"]
    assert seen["hand"] == [3, "▶ Play", True]
    assert seen["reel"] == [4, "▶ Play"]
    assert seen["other"] == [0, "▶ Play"]
    assert seen["body"] == 1
    assert seen["slid"] == [3, ".", "step 4 of 5: .", ["Previous step", None, "Next step"]]
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_the_address_restores_the_view_and_wrong_ones_are_ignored(tmp_path: Path) -> None:
    given = grey()
    page = caption_attention_page(given, "photo.jpg")
    seen = browse(
        before(page, "history.replaceState(null, '', '#step=2&layer=2&head=3&heat=60&edges=sharp')"),
        tmp_path,
        HELP
        + """
        const state = () => [chosen("written"), chosen("sheet"), $("strength").value, $("smooth").checked];
        const go = async (hash) => { location.hash = hash; await sleep(50); await wait(); };
        const out = { opened: [...state(), $("found").textContent, location.hash] };
        await go("#step=3&layer=1");
        out.followed = [...state(), sample()];
        buttons("sheet")[1 + 4 + 2].click();
        $("after").click();
        await wait();
        $("smooth").click();
        $("strength").value = 35;
        $("strength").dispatchEvent(new Event("input"));
        await wait();
        out.made = location.hash;
        out.wrong = [];
        const parts = ["layer=3", "head=1", "layer=1&head=4", "heat=101", "heat=x", "edges=soft", "more=1"];
        for (const wrong of ["x", "step=0", "step=6", "layer=1", "%%%", ...parts.map((part) => `step=1&${part}`)]) {
          await go(`#${wrong}`);
          out.wrong.push(state());
        }
        await go("#step=1");
        out.plain = state();
        await go(out.made);
        out.back = state();
        $("play").click();
        await wait();
        await go("#step=1"); // a place chosen ends the playing
        await sleep(2000);
        out.quiet = [...state(), $("play").textContent];
        $("copy").click();
        await wait();
        out.copied = $("spoken").textContent !== "";
        out.failed = !$("failure").hidden;
        return out;
        """,
    )
    assert seen["opened"][:4] == [1, 1 + 4 + 3, "60", False]
    assert seen["opened"][4].startswith("brown (Layer 2, head 3) gave ")
    assert seen["opened"][5] == "#step=2&layer=2&head=3&heat=60&edges=sharp"
    assert seen["followed"][:4] == [2, 1, "100", True]
    looked = by_word(given.maps["decoder.blocks.0.cross"]).mean(0)[2, 1:]
    np.testing.assert_allclose(seen["followed"][4], drawn(looked), atol=4)
    assert seen["made"] == "#step=4&layer=2&head=2&heat=35&edges=sharp"
    made = [3, 1 + 4 + 2, "35", False]
    assert seen["wrong"] == [made] * 12
    assert seen["plain"] == [0, 0, "100", True]
    assert seen["back"] == made
    assert seen["quiet"] == [0, 0, "100", True, "▶ Play"]
    assert seen["copied"]
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_nothing_moves_by_itself_where_that_is_asked_for_and_arabic_goes_left(tmp_path: Path) -> None:
    given = replace(
        view(layers=1, heads=1, words=range(6)), pieces=["▁كلبان", "▁يركضان", "▁على", "▁العشب", ".", "</s>"]
    )
    still = """const real = matchMedia.bind(window);
    const reduced = Object.assign(new EventTarget(), { matches: true });
    window.matchMedia = (query) => query.includes("reduced-motion") ? reduced : real(query);"""
    seen = browse(
        before(caption_attention_page(given, "photo.jpg"), still),
        tmp_path,
        HELP
        + """
        const out = { hidden: $("play").hidden, direction: getComputedStyle($("written")).direction };
        await press($("photo"), "p");
        await sleep(2500);
        out.pressed = chosen("written");
        $("after").click();
        await wait();
        out.after = chosen("written");
        await press(buttons("written")[2], "ArrowLeft");
        out.left = chosen("written");
        await press(buttons("written")[3], "ArrowRight");
        out.right = chosen("written");
        out.hash = location.hash;
        return out;
        """,
    )
    assert seen["hidden"]
    assert seen["pressed"] == 1, "a press is a step"
    assert seen["after"] == 2
    assert seen["direction"] == "rtl"
    assert (seen["left"], seen["right"]) == (3, 2)
    assert seen["hash"] == "#step=3", "one layer, one head: nothing was chosen"
