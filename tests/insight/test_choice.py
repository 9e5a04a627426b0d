"""Layers and heads by the numbers of the page, a part of a text, and their figures: true to the weights, kept whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.insight import test_caption_viewer as captions
from tests.insight import test_image_viewer as images
from tests.insight import test_pair_viewer as pairs
from tests.insight.browser import browse, data_of, unpack
from tests.insight.test_viewer import softmax, view

from jumok.errors import UserError
from jumok.insight.caption_viewer import caption_attention_page
from jumok.insight.choice import Choice, numbers
from jumok.insight.image_maps import rollout
from jumok.insight.image_viewer import image_attention_page
from jumok.insight.keeping import write_keepsakes
from jumok.insight.maps import as_map, average
from jumok.insight.pair_viewer import pair_page
from jumok.insight.text_figures import attention_figures
from jumok.insight.viewer import AttentionView, attention_page
from jumok.insight.window import fitting, weight_count, windowed, windowed_pair


def text(layers: int = 3) -> AttentionView:
    return view([f"▁s{n}" for n in range(7)], [*(f"▁t{n}" for n in range(4)), "</s>"], layers, 4)


def test_numbers_are_read_as_they_are_said() -> None:
    assert numbers("--layers", " 3-5, 1,4") == (1, 3, 4, 5)
    assert Choice.parse("1,3-4", "2").said() == "layers 1, 3-4; head 2"
    assert Choice.parse(None, None) == Choice()
    assert Choice().noted() == ""
    for wrong in ("", "a", "1,,2", "0", "3-2", "-1", "1-2-3", "99999"):
        with pytest.raises(UserError, match="--heads"):
            numbers("--heads", wrong)


def test_a_layer_counts_within_its_stack() -> None:
    given = text()
    maps = {name: weights for name, weights in given.maps.items() if name != "encoder.blocks.2.attention"}
    found = Choice((1, 3), (2, 4)).pick(maps)
    assert [each.name for each in found] == [name for name in maps if ".1." not in name]
    for each in found:
        np.testing.assert_array_equal(each.weights, as_map(maps[each.name])[[1, 3]])
        assert (each.layer, each.heads) == (int(each.name.split(".")[2]) + 1, (2, 4))
    with pytest.raises(UserError, match="there is no layer 4; this model has layers 1 to 3"):
        Choice((4,)).pick(maps)
    with pytest.raises(UserError, match=r"there is no head 5; encoder\.blocks\.0\.attention has heads 1 to 4"):
        Choice(None, (1, 5)).pick(maps)
    with pytest.raises(UserError, match="x has only head 1"):
        Choice(None, (2,)).pick({"x": softmax(1, 2, 2)})


def test_pages_hold_what_is_chosen_under_its_numbers() -> None:
    given = replace(text(), choice=Choice((2, 3), (4,)))
    for kind in data_of(attention_page([given], "t"))["models"][0][0]["kinds"]:
        assert [(layer["number"], layer["numbers"]) for layer in kind["layers"]] == [(2, [4]), (3, [4])]
        maps = [as_map(given.maps[layer["name"]])[3:] for layer in kind["layers"]]
        mean = unpack(kind["average"], 1, *maps[0].shape[1:])[0]
        np.testing.assert_allclose(mean, average(maps), atol=1 / 255)
    photo = replace(images.full(), choice=Choice((1, 3), (2,)))
    data = data_of(image_attention_page(photo, {}, "t"))
    assert data["numbers"] == {"layers": [1, 3], "of": 3, "heads": [2]}
    through = [rollout(photo.maps[:depth], photo.prefix, photo.grid).ravel() for depth in (1, 3)]
    np.testing.assert_allclose(unpack(data["rollout"], 2, 1, 12)[:, 0], through, atol=1 / 255)
    (pair,) = data_of(pair_page([replace(pairs.view(), choice=Choice(None, (1,)))], "t"))["pairs"]
    assert {(layer["heads"], *layer["numbers"]) for layer in pair["layers"]} == {(1, 1)}


def test_a_window_cuts_every_side_alike() -> None:
    given = text()
    part = windowed(given, (2, 4))
    assert (part.source, part.target, part.begin) == (given.source[1:4], given.target[1:4], given.target[0])
    for name, weights in part.maps.items():
        np.testing.assert_array_equal(weights, as_map(given.maps[name])[:, 1:4, 1:4])
    behind = windowed(given, (6, 9))
    assert (behind.source, behind.target) == (given.source[5:], given.target[4:]), "the last of the shorter side"
    attention_page([behind], "t")
    for most in (weight_count([part]), weight_count([given]) - 1):
        count = fitting([given], most)
        parts = [windowed(given, (1, number)) for number in (count, count + 1)]
        assert weight_count(parts[:1]) <= most < weight_count(parts[1:])
    with pytest.raises(UserError, match="there is no token 8: the source has 7, the output 5 tokens"):
        windowed(given, (8, 9))


def test_a_window_of_a_pair_cuts_each_sentence_and_what_is_cut_is_in_the_rest() -> None:
    given = pairs.view()
    part = windowed_pair(given, (3, 5))
    assert (part.pieces, part.similarity) == ((pairs.FIRST[2:5], pairs.SECOND[2:5]), given.similarity)
    np.testing.assert_array_equal(part.cosines, as_map(given.cosines)[2:5, 2:5])
    assert part.contributions is not None
    np.testing.assert_array_equal(part.contributions, as_map(given.contributions)[2:5, 2:5])
    assert part.rest == pytest.approx(given.similarity - as_map(given.contributions)[2:5, 2:5].sum(), abs=1e-5)
    for whole, cut in zip(given.maps, part.maps, strict=True):
        for name, weights in whole.items():
            np.testing.assert_array_equal(cut[name], as_map(weights)[:, 2:5, 2:5])
    assert part.model.startswith("tokens 3-5 of 8 and 3-5 of 7;")
    (data,) = data_of(pair_page([part], "t"))["pairs"]
    assert data["sides"][0]["labels"] == ["남자가"]
    behind = windowed_pair(given, (8, 9))
    assert behind.pieces == (["."], ["ny"]), "the last of the shorter sentence"
    pair_page([behind], "t")
    bare = windowed_pair(replace(given, contributions=None, maps=({}, {})), (2, 2))
    assert (bare.contributions, bare.rest, "rest" in bare.model) == (None, 0, False)
    for most in (weight_count([part]), weight_count([given]) - 1):
        parts = [windowed_pair(given, (1, number)) for number in (fitting([given], most), fitting([given], most) + 1)]
        assert weight_count(parts[:1]) <= most < weight_count(parts[1:])
    with pytest.raises(UserError, match="there is no token 9: the first sentence has 8, the second 7 tokens"):
        windowed_pair(given, (9, 9))


def test_figures_show_the_mean_and_each_chosen_head() -> None:
    given = replace(text(), choice=Choice((2,), (1, 3)))
    figures = attention_figures(given)
    assert list(figures)[:3] == ["cross", "cross-layer-2-head-1", "cross-layer-2-head-3"]
    cross = as_map(given.maps["decoder.blocks.1.cross"])
    for name, wanted in (("cross", cross[[0, 2]].mean(0)), ("cross-layer-2-head-3", cross[2])):
        (image,) = figures[name].axes[0].images
        np.testing.assert_allclose(image.get_array(), wanted, atol=1e-6)
    labels = [label.get_text() for label in figures["cross"].axes[0].get_xticklabels()]
    assert labels == [f"s{n}" for n in range(7)]
    assert set(attention_figures(text())) == {"cross", "encoder", "decoder"}


def test_what_is_kept_is_whole_or_not_there(tmp_path: Path) -> None:
    good = text(1)
    broken = replace(good, maps={"encoder.blocks.0.attention": softmax(2, 3, 3)})
    with pytest.raises(ValueError, match="word numbers"):
        write_keepsakes(tmp_path / "new" / "kept", [("1", good), ("2", broken)])
    assert not list(tmp_path.rglob("*.*"))
    write_keepsakes(tmp_path / "kept", [("", good)])
    with pytest.raises(UserError, match="not empty"):
        write_keepsakes(tmp_path / "kept", [("", good)])


@pytest.mark.system("chromium")
@pytest.mark.parametrize("kind", ["text", "image", "caption", "pair"])
def test_pages_say_the_numbers_of_the_model(kind: str, tmp_path: Path) -> None:
    some, head = Choice((2, 3), (2,)), Choice((2,), (1, 2))
    pages = {
        "text": lambda: attention_page([replace(text(), choice=some)], "t"),
        "image": lambda: image_attention_page(replace(images.full(), choice=some), {}, "t"),
        "caption": lambda: caption_attention_page(replace(captions.view(3, 2), choice=some), "t"),
        "pair": lambda: pair_page([replace(pairs.view(), choice=head)], "t"),
    }
    seen = browse(
        pages[kind](),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const texts = (id, what) => [...$(id).querySelectorAll(what)].map((node) => node.textContent).filter(Boolean);
        const out = {};
        if (!$("layer") || $("layer").tagName === "INPUT") {
          out.layers = texts("sheet", "span");
          out.label = $("sheet").querySelectorAll("button")[1].title;
          if ($("layer-name")) {
            $("from").children[1].click();
            await wait();
            out.through = [$("layer-name").textContent, ...texts("sheet", "span")];
          }
        } else {
          out.layers = texts("layer", "button");
          $("layer").children[1].click();
          await wait();
          out.heads = texts("head", "button");
          out.name = $("head-name").textContent;
        }
        return out;
        """,
    )
    wanted = {
        "text": {"layers": ["Average", "2", "3"], "heads": ["Average", "Head 2"], "name": "Heads of layer 2"},
        "image": {
            "layers": ["mean", "2", "2", "3"],
            "label": "Layer 2, head 2",
            "through": ["Through layers 1 to 3 of 3", "2", "3"],
        },
        "caption": {"layers": ["mean", "2", "all", "2", "3"], "label": "Layer 2, mean of the heads"},
        "pair": {"layers": ["Average", "2"], "heads": ["Average", "1", "2"], "name": "Head"},
    }
    assert seen == wanted[kind]
