"""The page: one file that needs no network, safe with any text, true to the weights, alive in a real browser."""

import re
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.insight.browser import HOSTILE, Elements, browse, data_of, unpack

from jumok.insight import maps
from jumok.insight.maps import Map, as_map
from jumok.insight.recorded import kind_of
from jumok.insight.viewer import AttentionView, attention_page, write_attention_page


def softmax(*shape: int, causal: bool = False) -> Map:
    scores = torch.randn(shape) * 2
    if causal:
        scores = scores.masked_fill(torch.ones(shape[-2:]).triu(1).bool(), -torch.inf)
    return as_map(scores.softmax(-1))


def view(source: list[str], target: list[str], layers: int = 2, heads: int = 3, **texts: str) -> AttentionView:
    made = {}
    for i in range(layers):
        made[f"encoder.blocks.{i}.attention"] = softmax(heads, len(source), len(source))
        made[f"decoder.blocks.{i}.attention"] = softmax(heads, len(target), len(target), causal=True)
        made[f"decoder.blocks.{i}.cross"] = softmax(heads, len(target), len(source))
    return AttentionView(source, target, made, **({"source_text": "x", "output_text": "y"} | texts))


def small() -> AttentionView:
    source = ["▁어린", "▁소", "녀", "가", "▁책", "을", "."]
    return view(source, ["▁A", "▁young", "▁girl", ",", "▁read", "ing", ".", "</s>"])


def test_the_page_needs_nothing_but_itself() -> None:
    page = attention_page([small(), small()], "Attention")
    for outside in ("http:", "https:", "//cdn", "@import", "src=", "href=", "url(", "fetch(", "XMLHttpRequest"):
        assert outside not in page, outside
    assert "default-src 'none'" in page


@pytest.mark.parametrize("layers", [1, 6])
def test_every_weight_is_kept_to_one_part_in_255_and_zeros_stay_zero(layers: int) -> None:
    given = view([f"▁s{i}" for i in range(17)], [f"▁t{i}" for i in range(11)], layers, 4)
    kinds = data_of(attention_page([given], "t"))["models"][0][0]["kinds"]
    seen = {layer["name"]: layer for kind in kinds for layer in kind["layers"]}
    assert seen.keys() == given.maps.keys()
    for name, weights in given.maps.items():
        kept = unpack(seen[name]["data"], *weights.shape)
        assert np.abs(kept - weights).max() <= 1 / 255
        assert np.abs(kept.cumsum(-1) - as_map(weights).cumsum(-1)).max() <= 1 / 255, "sums of neighbours too"
        assert not kept[as_map(weights) == 0].any()
    for kind in kinds:
        mean = np.mean([as_map(given.maps[layer["name"]]).mean(0) for layer in kind["layers"]], axis=0)
        assert np.abs(unpack(kind["average"], 1, *mean.shape)[0] - mean).max() <= 1 / 255


def test_hostile_text_stays_text() -> None:
    given = view(["▁" + HOSTILE, "b"], [HOSTILE, "</s>"], source_text=HOSTILE, output_text=HOSTILE, model=HOSTILE)
    page, plain = attention_page([given], HOSTILE), attention_page([view(["a", "b"], ["c", "</s>"])], "t")
    assert Elements(page).tags == Elements(plain).tags
    assert page.count("</script>") == plain.count("</script>") == 2
    assert HOSTILE in Elements(page).text, "the title is shown as it is"
    texts = data_of(page)["models"][0][0]
    assert texts["texts"]["output"] == texts["model"] == texts["sides"]["target"]["pieces"][0] == HOSTILE


def test_rows_write_and_keys_were_read() -> None:
    sentence = data_of(attention_page([small()], "t"))["models"][0][0]
    assert {kind["kind"]: (kind["rows"], kind["keys"]) for kind in sentence["kinds"]} == {
        "cross": ("target", "source"),
        "encoder": ("source", "source"),
        "decoder": ("target", "read"),
    }
    read, target = sentence["sides"]["read"], sentence["sides"]["target"]
    assert read["pieces"] == ["<s>", *target["pieces"][:-1]]
    assert [read["labels"][word] for word in read["words"]][1:] == [target["labels"][w] for w in target["words"]][:-1]
    assert sentence["sides"]["source"]["labels"] == ["어린", "소녀가", "책을", "."]
    decoder = next(kind for kind in sentence["kinds"] if kind["kind"] == "decoder")
    assert 0 in decoder["sinks"]


def test_kinds_are_read_from_module_paths() -> None:
    assert kind_of("decoder.blocks.0.cross") == "cross"
    assert kind_of("encoder.blocks.11.attention") == "encoder"
    assert kind_of("decoder.blocks.3.attention") == "decoder"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"decoder\.blocks\.0\.cross is \(2, 3, 4\), but there are 2 rows and 3 keys"):
        attention_page(
            [AttentionView(list("abc"), list("de"), {"decoder.blocks.0.cross": softmax(2, 3, 4)}, "", "")], ""
        )
    with pytest.raises(ValueError, match="at least one sentence"):
        attention_page([], "")
    with pytest.raises(ValueError, match="1 sentences of one model, but 2 of the other"):
        attention_page([small()], "", [small(), small()])
    with pytest.raises(ValueError, match="at least one map"):
        attention_page([AttentionView(["a"], ["b"], {}, "", "")], "")


def test_a_base_model_and_sixty_tokens_are_under_two_megabytes(tmp_path: Path) -> None:
    pieces = [f"▁word{i}" for i in range(60)]
    write_attention_page(tmp_path / "a.html", [view(pieces, pieces, 6, 8)], "t")
    assert (tmp_path / "a.html").stat().st_size < 2_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_entropy_is_that_of_maps_and_small_pictures_are_means() -> None:
    pieces = [f"▁w{i}" for i in range(130)]
    given = view(pieces, pieces[:40], 2, 3)
    kinds = {kind["kind"]: kind for kind in data_of(attention_page([given], "t"))["models"][0][0]["kinds"]}
    for kind in kinds.values():
        for layer in kind["layers"]:
            np.testing.assert_allclose(layer["entropy"], maps.entropy(given.maps[layer["name"]]), atol=0.001)
    cross = as_map(given.maps["decoder.blocks.1.cross"])
    kept = unpack(kinds["cross"]["layers"][1]["thumbs"], 3, 40, 64)
    starts = np.arange(64) * 130 // 64
    blocks = np.stack([cross[..., a:b].mean(-1) for a, b in pairwise([*starts, 130])], axis=-1)
    np.testing.assert_allclose(kept, blocks, atol=1 / 255)
    np.testing.assert_allclose(unpack(kinds["cross"]["thumbs"], 2, 40, 64)[1], blocks.mean(0), atol=1 / 255)
    assert kinds["decoder"]["thumbs"] is None, "40 pieces are drawn from the map itself"


def test_a_notebook_gets_a_frame_that_holds_the_page() -> None:
    given = view(["▁" + HOSTILE, "b"], ["c", "</s>"], source_text=HOSTILE)
    frame = given._repr_html_()
    assert Elements(frame).tags == ["iframe"]
    assert unescape(frame).split('srcdoc="', 1)[1].startswith(attention_page([given], HOSTILE))
    assert 'sandbox="allow-scripts"' in frame
    assert "height:640px" in frame


# ---- in the browser


@pytest.mark.system("chromium")
def test_the_page_in_chromium(tmp_path: Path) -> None:
    given = small()
    hostile = view([HOSTILE, "▁b"], ["▁" + HOSTILE, "</s>"], source_text=HOSTILE, output_text=HOSTILE)
    seen = browse(
        attention_page([given, hostile], "Attention"),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const texts = (id) => [...$(id).children].map((node) => node.textContent);
        const out = { rows: texts("rows"), columns: texts("columns"), left: texts("left"), right: texts("right") };
        out.size = [$("plane").dataset.rows, $("plane").dataset.keys, $("canvas").width, $("canvas").height];
        out.threads = $("base").children.length;
        const pick = async (id, at) => { $(id).children[at].click(); await wait(); };
        await pick("unit", 1);
        await pick("layer", 2);
        await pick("head", 3);
        out.pieces = texts("rows");
        $("matrix").focus();
        const press = (key) => $("matrix").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"]) press(key);
        out.spoken = $("spoken").textContent;
        $("rows").children[4].dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
        out.lit = [...$("right").children].map((node) => node.classList.contains("on"));
        out.warm = [...$("left").children].map((node) => Number(node.style.getPropertyValue("--w")));
        await pick("kind", 2);
        $("hide").click();
        await wait();
        out.hidden = [texts("columns").includes("<s>"), $("hide").disabled, $("sink-text").textContent];
        $("language").click();
        await wait();
        out.korean = [document.documentElement.lang, $("matrix-name").textContent, $("caption").textContent];
        $("next").click();
        await wait();
        out.hostile = [texts("columns").length, document.querySelector("main b") === null, texts("left")[0]];
        out.failed = !$("failure").hidden;
        return out;
        """,
    )
    assert seen["rows"] == seen["right"] == ["A", "young", "girl", ",", "reading", ".", "</s>"]
    assert seen["columns"] == seen["left"] == ["어린", "소녀가", "책을", "."]
    assert seen["size"] == ["7", "4", 4, 7]
    assert seen["threads"] >= 7
    assert seen["pieces"] == list(given.target)
    weights = as_map(given.maps["decoder.blocks.1.cross"])[2]
    shown = re.search(r"girl looked ([\d.]+)\s%\sat 소\.", seen["spoken"])
    assert shown is not None, seen["spoken"]
    assert float(shown[1]) == pytest.approx(100 * weights[2, 1], abs=0.9)
    assert seen["lit"] == [row == 4 for row in range(8)]
    # bytes keep a weight to 1/255, and one that is then below 0.005 stays dark
    warm = np.asarray(seen["warm"])
    np.testing.assert_allclose(warm[warm > 0], weights[4][warm > 0], atol=1 / 255 + 0.0006)
    assert (weights[4][warm == 0] < 0.005 + 1 / 255).all()
    assert seen["hidden"][:2] == [False, False]
    assert "“<s>”" in seen["hidden"][2]
    assert seen["korean"][:2] == ["ko", "행렬"]
    assert "증명하지 않습니다" in seen["korean"][2]
    assert seen["hostile"][0] == 1, "kind and hidden sinks are kept from sentence to sentence"
    assert seen["hostile"][1], "hostile text became an element"
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_the_page_joins_words_and_hides_sinks_by_the_laws_of_maps(tmp_path: Path) -> None:
    given = small()
    seen = browse(
        attention_page([given], "t"),
        tmp_path,
        """
        document.getElementById("kind").children[2].click();
        await wait();
        document.getElementById("hide").click();
        await wait();
        const rows = [];
        for (const node of document.getElementById("rows").children) {
          node.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
          const left = [...document.getElementById("left").children];
          rows.push(left.map((item) => Number(item.style.getPropertyValue("--w"))));
        }
        return { rows };
        """,
    )
    pieces = ["<s>", *given.target[:-1]]
    mean = maps.average([weights for name, weights in given.maps.items() if kind_of(name) == "decoder"])
    hidden = maps.sinks(pieces, mean)
    joined = maps.join_words(maps.without(mean, hidden), maps.word_ids(list(given.target)), maps.word_ids(pieces))
    words = [word for word in range(joined.shape[1]) if joined[:, word].any()]
    np.testing.assert_allclose(seen["rows"], joined[:, words], atol=0.03)
