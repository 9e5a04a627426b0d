"""The page of two sentences: it adds up, needs no network, is safe with any text, and alive in a real browser."""

import base64
import re
import zlib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.insight.browser import HOSTILE, Elements, browse, data_of, unpack

from jumok.insight.maps import Map, as_map, join_words, word_ids
from jumok.insight.pair_viewer import (
    COLORS,
    PairView,
    mean_words,
    pack_signed,
    pair_page,
    pair_png,
    sum_words,
    write_pair_page,
)

FIRST = ["<s>", "▁한", "▁남", "자", "가", "▁말", "을", "."]
SECOND = ["<s>", "▁A", "▁man", "▁on", "▁a", "▁po", "ny"]
LAYERS = ["encoder.blocks.0.attention", "encoder.blocks.1.attention"]


def view(first: list[str] = FIRST, second: list[str] = SECOND, **others: Any) -> PairView:
    """Of mean-pooled random features: contributions are ``x_i . y_j / (|sum x| |sum y|)``."""
    x, y = (torch.randn(len(pieces), 16) + 0.3 for pieces in (first, second))
    adds = x @ y.T / (x.sum(0).norm() * y.sum(0).norm())
    cosines = torch.cosine_similarity(x[:, None], y[None], dim=-1)
    maps = tuple({name: torch.randn(3, n, n).mul(2).softmax(-1) for name in LAYERS} for n in (len(x), len(y)))
    given: Any = {"maps": maps, "rest": 0.125} | others
    return PairView(
        ("한 남자가 말을.", "A man on a pony"), (first, second), adds.sum().item() + 0.125, cosines, adds, **given
    )


def numbers(given: PairView) -> tuple[list[int], list[int]]:
    first, second = given.pieces
    return word_ids(first), word_ids(second)


def unpack_signed(text: str, rows: int, columns: int) -> Map:
    content = zlib.decompress(base64.b64decode(text))
    steps = np.frombuffer(content[4:], "<i2").reshape(rows, columns)
    return as_map(steps * (np.frombuffer(content[:4], "<f4")[0] / 32767.0))


def test_the_page_needs_nothing_but_itself() -> None:
    page = pair_page([view(), view()], "Near")
    for outside in ("http:", "https:", "//cdn", "@import", "src=", "href=", "url(", "fetch(", "XMLHttpRequest"):
        assert outside not in page, outside
    assert "default-src 'none'; style-src" in page


def test_words_still_sum_to_the_similarity_and_cosines_are_means() -> None:
    given = view()
    assert given.contributions is not None
    words = sum_words(given.contributions, *numbers(given))
    assert words.shape == (5, 6)
    assert words.sum() == pytest.approx(given.similarity - given.rest, abs=1e-5)
    adds, cosines = as_map(given.contributions), as_map(given.cosines)
    # 남자가 (pieces 2 to 4) and pony (5 and 6)
    assert words[2, 5] == pytest.approx(adds[2:5, 5:7].sum(), abs=1e-6)
    assert mean_words(cosines, *numbers(given))[2, 5] == pytest.approx(cosines[2:5, 5:7].mean(), abs=1e-6)
    np.testing.assert_array_equal(sum_words(adds, range(8), range(7)), adds)
    ones = np.ones((8, 7), dtype=np.float32)
    np.testing.assert_allclose(mean_words(ones, *numbers(given)), 1, atol=1e-6)


@pytest.mark.parametrize("size", [1e-4, 1.0, 30.0])
def test_signed_values_are_kept_far_below_a_byte(size: float) -> None:
    values = as_map(torch.randn(40, 60) * size)
    values[3] = 0
    kept = unpack_signed(pack_signed(values), 40, 60)
    scale = np.abs(values).max()
    assert np.abs(kept - values).max() <= scale / 65534 + 1e-6 * scale
    assert (kept * values >= 0).all(), "no sign is turned"
    assert not kept[3].any()
    assert not unpack_signed(pack_signed(np.zeros((2, 3), dtype=np.float32)), 2, 3).any()


def test_the_page_holds_the_values_it_was_given() -> None:
    given = view()
    pair = data_of(pair_page([given], "t"))["pairs"][0]
    np.testing.assert_allclose(unpack_signed(pair["cosines"], 8, 7), given.cosines, atol=1e-4)
    np.testing.assert_allclose(unpack_signed(pair["contributions"], 8, 7), as_map(given.contributions), atol=1e-4)
    assert pair["sides"][0]["labels"] == ["<s>", "한", "남자가", "말을", "."]
    assert pair["sides"][1]["special"] == [1, 0, 0, 0, 0, 0, 0]
    assert [layer["name"] for layer in pair["layers"]] == LAYERS
    for side, size in enumerate((8, 7)):
        kept = unpack(pair["layers"][1]["data"][side], 3, size, size)
        np.testing.assert_allclose(kept, given.maps[side][LAYERS[1]], atol=1 / 255)
    own = replace(given, words=(range(8), [0, 0, 1, 1, 1, 1, 1]))
    assert data_of(pair_page([own], "t"))["pairs"][0]["sides"][1]["labels"] == ["<s>A", "manonapony"]


def test_a_model_without_attention_or_without_a_sum_has_a_page() -> None:
    pair = data_of(pair_page([view(maps=({}, {}))], "t"))["pairs"][0]
    assert pair["layers"] == []
    assert data_of(pair_page([replace(view(), contributions=None)], "t"))["pairs"][0]["contributions"] is None


def test_hostile_text_stays_text() -> None:
    given = replace(view(["▁" + HOSTILE, "b"], [HOSTILE]), texts=(HOSTILE, HOSTILE), model=HOSTILE)
    page, plain = pair_page([given], HOSTILE), pair_page([view(["a", "b"], ["c"])], "t")
    assert Elements(page).tags == Elements(plain).tags
    assert page.count("</script>") == plain.count("</script>") == 2
    pair = data_of(page)["pairs"][0]
    assert pair["texts"] == [HOSTILE, HOSTILE]
    assert pair["model"] == pair["sides"][1]["pieces"][0] == HOSTILE


def test_what_does_not_fit_is_refused() -> None:
    given = view()
    with pytest.raises(ValueError, match="at least one pair"):
        pair_page([], "t")
    with pytest.raises(ValueError, match="a piece in each"):
        pair_page([replace(given, pieces=(FIRST, []))], "t")
    with pytest.raises(ValueError, match=r"cosines are \(7, 8\), but must be \(8, 7\)"):
        pair_page([replace(given, cosines=as_map(given.cosines).T)], "t")
    with pytest.raises(ValueError, match=r"contributions are .* finite"):
        pair_page([replace(given, contributions=as_map(given.cosines) * np.nan)], "t")
    with pytest.raises(ValueError, match="contributions and rest sum to"):
        pair_page([replace(given, similarity=given.similarity + 0.1)], "t")
    with pytest.raises(ValueError, match="word numbers"):
        pair_png(replace(given, words=([0, 1], [0])))
    with pytest.raises(ValueError, match="the sentences have maps of"):
        pair_page([replace(given, maps=(given.maps[0], {}))], "t")
    wrong = {name: weights[:, :5] for name, weights in given.maps[1].items()}
    with pytest.raises(ValueError, match=r"is \(3, 8, 8\) and \(3, 5, 7\), but there are \(8, 7\) pieces"):
        pair_page([replace(given, maps=(given.maps[0], wrong))], "t")


def test_it_is_written_whole_and_small(tmp_path: Path) -> None:
    pieces = [f"▁word{i}" for i in range(60)]
    write_pair_page(tmp_path / "a.html", [view(pieces, pieces)], "t")
    assert (tmp_path / "a.html").stat().st_size < 300_000
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


@pytest.mark.parametrize("contributions", [True, False])
def test_the_figure_is_a_png(contributions: bool) -> None:
    given = view(["▁말", "▁$x^", "▁" + "가" * 5], ["▁pony"])
    content = pair_png(given if contributions else replace(given, contributions=None))
    assert content.startswith(b"\x89PNG\r\n\x1a\n")


def test_page_and_figure_have_the_same_colours() -> None:
    style = (resources.files("jumok.insight") / "pair.css").read_text(encoding="utf-8")
    stops = re.findall(r"--(?:less-\d|none|more-\d): (#\w{6})", style)
    assert tuple(stops[:7]) == COLORS


# ---- in the browser


@pytest.mark.system("chromium")
def test_the_page_in_chromium(tmp_path: Path) -> None:
    given = view()
    bare = replace(view(["▁" + HOSTILE, "▁b"], ["▁حصان"], maps=({}, {})), contributions=None, texts=(HOSTILE, "حصان"))
    seen = browse(
        pair_page([given, bare], "Near"),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const all = (selector) => [...document.querySelectorAll(selector)];
        const texts = (selector) => all(selector).map((node) => node.textContent);
        const press = (id, key) => $(id).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        const point = (node) => node.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
        const pick = async (id, at) => { $(id).children[at].click(); await wait(); };
        const numbers = (id) => texts(`#${id} small`).map((text) => Number(text.replace("−", "-")));
        const out = { score: $("score").textContent, sum: $("sum").textContent, start: $("found").textContent };
        out.rows = texts("#matrix .rows div");
        out.columns = texts("#matrix .columns div");
        out.shares = [numbers("left"), numbers("right")];
        out.cells = [];
        const strip = $("strip-0").children;
        for (const node of strip) { point(node); out.cells.push(numbers("right")); }
        point(strip[2]);
        out.word = [$("found").textContent, $("looked-0").textContent, $("looked-1").textContent];
        out.on = all("#left .on").map((node) => node.dataset.row);
        out.dashed = all("#lit path").map((path) => path.classList.contains("minus"));
        point(document.querySelector("h2"));
        out.left = $("found").textContent;
        press("matrix", "ArrowDown"); press("matrix", "ArrowDown"); press("matrix", "ArrowRight");
        out.cell = $("spoken").textContent;
        press("matrix", "Enter");
        point(document.querySelector("h2"));
        out.held = $("found").textContent === out.cell;
        press("matrix", "Escape");
        out.free = $("found").textContent;
        press("self-1", "ArrowDown");
        out.self = $("spoken").textContent;
        await pick("layer", 2);
        await pick("head", 3);
        point($("strip-1").children[5]);
        out.head = $("looked-1").textContent;
        await pick("show", 1);
        await pick("unit", 1);
        out.pieces = texts("#matrix .rows div");
        out.nearest = numbers("left");
        out.note = $("sum").textContent;
        $("language").click();
        await wait();
        out.korean = [document.documentElement.lang, $("matrix-name").textContent, $("self-name").textContent];
        $("next").click(); $("next").click(); $("next").click();
        await wait();
        const hidden = (node) => node.hidden;
        out.bare = [hidden($("self")), hidden($("show").parentNode), $("no-sum").textContent !== ""];
        out.bare.push($("self-axes").textContent);
        out.text = [document.querySelector("main b b") === null, texts("#strip-0 span").length, texts("#texts dd")[0]];
        out.direction = getComputedStyle($("strip-1")).direction;
        out.failed = !hidden($("failure"));
        return out;
        """,
    )
    adds, alike = as_map(given.contributions), as_map(given.cosines)
    words = sum_words(adds, *numbers(given))
    digits = 0.0051 if np.abs(words).max() >= 0.05 else 0.00051
    assert float(seen["score"].replace("−", "-")) == pytest.approx(given.similarity, abs=0.0006)
    parts = [float(text) for text in re.findall(r"-?\d\.\d+", seen["sum"].replace("−", "-"))]
    assert parts == pytest.approx([words.sum(), 0.125, given.similarity], abs=0.0006)
    assert seen["rows"] == ["<s>", "한", "남자가", "말을", "."]
    assert seen["columns"] == ["<s>", "A", "man", "on", "a", "pony"]
    assert "Point at a word" in seen["start"]
    np.testing.assert_allclose(seen["shares"][0], words.sum(1), atol=digits)
    np.testing.assert_allclose(seen["shares"][1], words.sum(0), atol=digits)
    np.testing.assert_allclose(seen["cells"], words, atol=digits)
    told = re.match(r"남자가 (adds|takes away) (0\.\d+): with ", seen["word"][0])
    assert told is not None, seen["word"][0]
    assert float(told[2]) * (1 if told[1] == "adds" else -1) == pytest.approx(words[2].sum(), abs=0.0051)
    looked = join_words(np.mean([as_map(m).mean(0) for m in given.maps[0].values()], axis=0), *[numbers(given)[0]] * 2)
    best = re.fullmatch(r"To understand 남자가 it looked at (\S+) ([\d.]+)\s%.*", seen["word"][1])
    assert best is not None, seen["word"][1]
    assert float(best[2]) == pytest.approx(100 * looked[2].max(), abs=1.5)
    assert seen["word"][2].startswith("Point at a word")
    assert seen["on"] == ["2"]
    strong = np.abs(words[2]) / np.abs(words).max()
    assert abs(sum(seen["dashed"]) - (words[2] < 0)[strong >= 0.01].sum()) <= (np.abs(strong - 0.01) < 0.001).sum()
    assert seen["left"] == seen["free"] == seen["start"]
    # from nothing: down to 0, down to 1; and across, 0 with the first, then 1
    assert re.fullmatch(r"한 with A (adds|takes away) 0\.\d+; their cosine is .*", seen["cell"]), seen["cell"]
    assert float(seen["cell"].split(" is ")[1][:-1].replace("−", "-")) == pytest.approx(alike[1, 1], abs=0.006)
    assert seen["held"]
    assert seen["self"].startswith("To understand <s> it looked at")
    pony = join_words(as_map(given.maps[1][LAYERS[1]])[2], *[numbers(given)[1]] * 2)[5]
    best = re.match(r"To understand pony it looked at (\S+) ", seen["head"])
    assert best is not None, seen["head"]
    assert pony[seen["columns"].index(best[1])] >= pony.max() - 0.02
    assert seen["pieces"] == FIRST
    np.testing.assert_allclose(seen["nearest"], alike.max(1), atol=0.0051)
    assert "do not add up" in seen["note"]
    assert seen["korean"] == ["ko", "행렬", "문장마다 자기 안에서 본 곳"]
    assert seen["bare"][:3] == [True, True, True]
    assert "셀프 어텐션이 없습니다" in seen["bare"][3]
    assert seen["text"] == [True, 2, HOSTILE]
    assert seen["direction"] == "rtl"
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_the_address_holds_what_is_shown_and_another_pair_keeps_it(tmp_path: Path) -> None:
    bare = view(maps=({}, {}))
    seen = browse(
        pair_page([view(), view(), bare], "Near"),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const go = async (hash) => { location.hash = hash; await new Promise((r) => setTimeout(r, 50)); await wait(); };
        const chosen = (id) => $(id).querySelector('[aria-checked="true"]')?.textContent;
        const state = () => [$("sentence").selectedIndex, ...["show", "unit", "layer", "head"].map(chosen)];
        const out = { start: [state(), location.hash] };
        await go("pair=1&show=cosine&unit=subwords&layer=2&head=3");
        out.link = state();
        $("next").click();
        await wait();
        out.next = [state(), location.hash];
        out.wrong = [];
        for (const part of ["layer=3", "head=4", "show=adds", "unit=1", "pair=4", "cell=1-1"]) {
          await go(`${part.startsWith("pair") ? "" : "pair=1&"}${part}`);
          if (JSON.stringify(state()) !== JSON.stringify(out.next[0])) out.wrong.push(part);
        }
        $("next").click();
        await wait();
        out.bare = [state().slice(0, 3), location.hash];
        return out;
        """,
    )
    assert seen["start"] == [[0, "What they add to the similarity", "Words", "Average", "Average"], "#pair=1"]
    assert seen["link"] == [0, "Cosine of their tokens", "Subwords", "2", "3"]
    link = "#pair=2&show=cosine&unit=subwords&layer=2&head=3"
    assert seen["next"] == [[1, *seen["link"][1:]], link]
    assert seen["wrong"] == []
    assert seen["bare"] == [[2, "Cosine of their tokens", "Subwords"], "#pair=3&show=cosine&unit=subwords"]
