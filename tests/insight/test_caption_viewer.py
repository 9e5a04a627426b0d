"""The page of a caption: one file without a network, true to the weights, alive in a real browser."""

import base64
from dataclasses import replace
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.insight.browser import HOSTILE, Elements, browse, data_of, unpack

from jumok.errors import UserError
from jumok.insight.caption_viewer import CaptionView, caption_attention_page, words_png, write_caption_page
from jumok.insight.image_figures import overlay
from jumok.insight.maps import Map, as_map

GRID = (3, 4)
PIECES = ["▁a", "▁bro", "wn", "▁개", ".", "</s>"]
NUMBERS = [0, 1, 1, 2, 3, 4]


def view(layers: int = 2, heads: int = 3, prefix: int = 1, **others: Any) -> CaptionView:
    size = (heads, len(PIECES), prefix + GRID[0] * GRID[1])
    maps = {f"decoder.blocks.{n}.cross": torch.randn(size).mul(2).softmax(-1) for n in range(layers)}
    photo = np.random.randint(0, 256, (48, 64, 3), dtype=np.uint8)
    return CaptionView(photo, PIECES, maps, prefix, GRID, "a brown 개.", **others)


def by_word(weights: Any) -> Map:
    """The mean over the pieces of each word, ``(H, words, K)``."""
    rows = as_map(weights)
    return np.stack([rows[:, [n == word for n in NUMBERS]].mean(1) for word in range(5)], axis=1)


def decoded(url: str) -> Any:
    return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_the_page_needs_nothing_but_itself() -> None:
    page = caption_attention_page(view(), "photo.jpg")
    for outside in ("http:", "https:", "//cdn", "@import", "src=", "href=", "url(", "fetch(", "XMLHttpRequest"):
        assert outside not in page, outside
    assert "default-src 'none'; img-src data:" in page


@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_every_weight_is_kept_to_one_part_in_255_of_its_row(prefix: int) -> None:
    given = view(prefix=prefix)
    data = data_of(caption_attention_page(given, "t"))
    assert [layer["name"] for layer in data["layers"]] == list(given.maps)
    for layer, weights in zip(data["layers"], given.maps.values(), strict=True):
        wanted = by_word(weights)
        kept = unpack(layer["rows"], 3 * 5, 1, prefix + 12).reshape(3, 5, -1)
        assert (np.abs(kept - wanted) <= wanted.max(-1, keepdims=True) / 255 + 1e-7).all()
    assert data["words"] == [["a", False, True], ["brown", False, True], ["개", False, True], [".", False, False],
                             ["</s>", True, False]]  # fmt: skip


def test_a_readers_characters_are_words_of_their_own() -> None:
    given = view(words=range(6))
    data = data_of(caption_attention_page(replace(given, pieces=[*"주목-ab", "</s>"]), "t"))
    assert [label for label, _, _ in data["words"]] == [*"주목-ab", "</s>"]


def test_of_several_kinds_the_look_at_the_photo_is_drawn() -> None:
    given = view()
    others = {"encoder.blocks.0.attention": torch.rand(3, 13, 13), "decoder.blocks.0.attention": torch.rand(3, 6, 6)}
    page = caption_attention_page(given, "t")
    assert caption_attention_page(replace(given, maps=others | dict(given.maps)), "t") == page
    rows = {"encoder.transformer.blocks.1.attention": torch.rand(3, 6, 13).softmax(-1)}
    alone = data_of(caption_attention_page(replace(given, maps=rows), "t"))
    assert [layer["name"] for layer in alone["layers"]] == list(rows)


def test_the_photo_is_on_the_page_as_it_was_or_smaller() -> None:
    given = view()
    data = data_of(caption_attention_page(given, "t"))
    np.testing.assert_array_equal(decoded(data["photo"]), given.photo)
    wide = replace(given, photo=np.zeros((100, 1600, 1), dtype=np.uint8))
    assert data_of(caption_attention_page(wide, "t"))["size"] == [50, 800]


def test_hostile_text_stays_text() -> None:
    pieces = [HOSTILE, *PIECES[1:]]
    given = replace(view(), pieces=pieces, words=NUMBERS, caption=HOSTILE, truth=HOSTILE, model=HOSTILE)
    page, plain = caption_attention_page(given, HOSTILE), caption_attention_page(view(), "t")
    assert Elements(page).tags == Elements(plain).tags
    assert page.count("</script>") == plain.count("</script>") == 2
    data = data_of(page)
    assert data["words"][0][0] == data["truth"] == data["model"] == data["caption"] == HOSTILE
    assert words_png(given).startswith(b"\x89PNG")


def test_the_page_and_its_strip_are_written(tmp_path: Path) -> None:
    given = view()
    folder = write_caption_page(tmp_path / "look.html", given, "photo.jpg")
    assert folder == tmp_path / "look_figures"
    assert (folder / "words.png").read_bytes() == words_png(given)
    assert (tmp_path / "look.html").read_text(encoding="utf-8") == caption_attention_page(given, "photo.jpg")
    (tmp_path / "taken_figures").write_text("")
    with pytest.raises(UserError, match="cannot make the folder"):
        write_caption_page(tmp_path / "taken.html", given, "photo.jpg")


def test_the_strip_shows_the_mean_look_for_each_word() -> None:
    """The photo first, then as many pictures as words, the brightest where the mean of the weights is largest."""
    from jumok.insight.image_figures import draw_words

    given = view(words=NUMBERS)
    mean = np.mean([by_word(weights).mean(0) for weights in given.maps.values()], axis=0)[:, 1:].reshape(5, *GRID)
    figure = draw_words(given.photo, list(mean), ["a", "$brown$", "개", ".", "</s>"], columns=4)
    drawn = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in drawn][:3] == ["", "a", "$brown$"]
    assert len(drawn) == 6
    shown = drawn[0].images[0].get_array()
    for axis, heat in zip(drawn[1:], mean, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), overlay(np.asarray(shown), heat))


def test_a_notebook_gets_a_frame_that_holds_the_page() -> None:
    given = view()
    frame = given._repr_html_()
    assert Elements(frame).tags == ["iframe"]
    assert unescape(frame).split('srcdoc="', 1)[1].startswith(caption_attention_page(given, given.caption))


def test_what_does_not_fit_is_refused() -> None:
    given = view()
    with pytest.raises(ValueError, match="at least one layer"):
        caption_attention_page(replace(given, maps={}), "t")
    with pytest.raises(ValueError, match="a piece that was written"):
        caption_attention_page(replace(given, pieces=[]), "t")
    with pytest.raises(ValueError, match=r"decoder\.blocks\.0\.cross is \(3, 6, 13\), .* 6 pieces and 10 places"):
        caption_attention_page(replace(given, grid=(3, 3)), "t")
    maps = dict(given.maps) | {"decoder.blocks.2.cross": torch.rand(2, 6, 13)}
    with pytest.raises(ValueError, match="as many heads"):
        caption_attention_page(replace(given, maps=maps), "t")


@pytest.mark.system("chromium")
def test_the_page_in_chromium(tmp_path: Path) -> None:
    given = replace(view(truth="a grey 개"), photo=np.full((48, 64, 3), 150, dtype=np.uint8))
    seen = browse(
        caption_attention_page(given, "photo.jpg"),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const buttons = (id) => [...$(id).querySelectorAll("button")];
        const chosen = (id) => buttons(id).findIndex((button) => button.getAttribute("aria-checked") === "true");
        const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        const now = () => [chosen("written"), chosen("reel"), $("step").value];
        const out = { written: $("written").textContent, truth: $("truth").textContent };
        out.start = [...now(), chosen("sheet"), $("found").textContent, $("most").textContent];
        out.cells = [buttons("sheet").length, buttons("reel").length];
        const canvas = $("canvas");
        const read = () => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
        const whole = read();
        out.size = [canvas.width, canvas.height];
        out.sample = [];
        for (let at = 0; at < whole.length; at += 4 * 997) out.sample.push(whole.slice(at, at + 3));
        buttons("reel")[1].click();
        await wait();
        out.clicked = now();
        buttons("sheet")[1 + 1 * 4 + 3].click(); // the mean, a row of layer 1; then layer 2, head 3
        await wait();
        out.head = [$("found").textContent, chosen("sheet")];
        press(buttons("written")[1], "ArrowRight");
        await wait();
        out.right = [...now(), $("spoken").textContent, document.activeElement.textContent];
        press(buttons("reel")[1], "End");
        $("after").click(); // there is none
        await wait();
        out.end = now();
        press($("strength"), "Home"); // a key of the slider is the slider's
        $("before").click();
        await wait();
        out.before = now();
        buttons("sheet")[4].focus();
        press(buttons("sheet")[4], "ArrowUp"); press(buttons("sheet")[4], "ArrowUp");
        await wait();
        out.top = [chosen("sheet"), buttons("sheet").indexOf(document.activeElement)];
        $("strength").value = 0;
        $("strength").dispatchEvent(new Event("input"));
        $("language").click();
        await wait();
        out.bare = read().slice(0, 3);
        out.korean = [document.documentElement.lang, $("reel-name").textContent, $("written").textContent];
        out.failed = !$("failure").hidden;
        return out;
        """,
    )
    mean = np.mean([by_word(weights).mean(0) for weights in given.maps.values()], axis=0)[:, 1:]
    assert seen["written"] == "a brown 개.</s>"
    assert seen["truth"] == "Wanted: a grey 개"
    assert seen["start"][:4] == [0, 0, "1", 0]
    assert number(seen["start"][4], "heads) gave ") == pytest.approx(100 * mean[0].sum(), abs=0.6)
    assert number(seen["start"][5], "") == pytest.approx(100 * mean[0].max(), abs=0.6)
    assert seen["cells"] == [1 + 2 * 4, 5]
    assert seen["size"] == [640, 480]
    expected = overlay(np.full((480, 640, 3), 150, dtype=np.uint8), mean[0].reshape(GRID)).reshape(-1, 3)[::997]
    np.testing.assert_allclose(seen["sample"], expected, atol=4)
    assert seen["clicked"] == [1, 1, "2"]
    looked = by_word(given.maps["decoder.blocks.1.cross"])[2]
    assert seen["head"][0].startswith("brown (Layer 2, head 3) gave ")
    assert number(seen["head"][0], "gave ") == pytest.approx(100 * looked[1, 1:].sum(), abs=0.6)
    assert seen["head"][1] == 8
    assert seen["right"][:3] == [2, 2, "3"]
    assert number(seen["right"][3], "개 (Layer 2, head 3) gave ") == pytest.approx(100 * looked[2, 1:].sum(), abs=0.6)
    assert seen["right"][4] == "개"
    assert seen["end"] == [4, 4, "5"]
    assert seen["before"] == [3, 3, "4"]
    assert seen["top"] == [0, 0], "the sheet is drawn anew, the chosen cell keeps the focus"
    assert seen["bare"] == [150, 150, 150]
    assert seen["korean"] == ["ko", "낱말마다 본 곳", "a brown 개.</s>"]
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_one_map_is_no_choice_and_characters_are_named_so(tmp_path: Path) -> None:
    given = replace(view(layers=1, heads=1, words=range(6)), pieces=[*"word!", "</s>"])
    seen = browse(
        caption_attention_page(given, "word.png"),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        return { choices: $("choices").hidden, found: $("found").textContent, reel: $("reel-name").textContent };
        """,
    )
    assert seen["choices"]
    assert seen["found"].startswith("w gave ")
    assert seen["reel"] == "Character by character"


def number(text: str, before: str) -> float:
    return float(text.partition(before)[2].partition("\u00a0")[0] if before else text.partition("\u00a0")[0])
