"""The grids drawn are the tables that the models use."""

import numpy as np
import pytest
import torch

from jumok.insight.figures import png
from jumok.insight.masks import allowed_table, caption, common_masks, draw_masks
from jumok.nn.mask import FULL, Mask

MASKS = {
    "padding": (Mask(torch.tensor([2, 4, 0])), 3, 4),
    "causal": (Mask(causal=True), 3, 3),
    "both": (Mask(torch.tensor([2]), causal=True), 3, 3),
    "cached": (Mask(causal=True), 1, 5),
    "window": (Mask(pattern=torch.ones(1, 1, 4, 4).tril(1).triu(-1).bool()), 4, 4),
}


@pytest.mark.parametrize("name", MASKS)
def test_what_is_drawn_is_what_the_mask_allows(name: str) -> None:
    mask, queries, keys = MASKS[name]
    allowed = mask.allowed(queries, keys)
    expected = np.ones((1, queries, keys)) if allowed is None else allowed.expand(-1, -1, queries, keys)[:, 0].numpy()
    figure = draw_masks({name: (mask, queries, keys)})
    drawn = [np.asarray(axis.images[0].get_array()) for axis in figure.axes if axis.images]
    np.testing.assert_array_equal(np.stack(drawn), expected)


def test_every_mask_of_the_dictionary_has_its_grid_with_its_caption() -> None:
    figure = draw_masks(MASKS)
    titles = [axis.get_title(loc="left") for axis in figure.axes if axis.images]
    assert titles[:3] == [f"padding, sentence {number}\nno padding" for number in (1, 2, 3)]
    assert titles[3:] == [
        "causal\nno later key",
        "both\nno padding, no later key",
        "cached\none new query sees all 5 keys",
        "window\nthe table given",
    ]
    assert caption(FULL, 2, 2) == "every key"
    assert png(figure).startswith(b"\x89PNG")


def test_the_two_colours_differ_in_grey() -> None:
    axis = draw_masks({"causal": MASKS["causal"]}).axes[0]
    grey = [np.dot(axis.images[0].cmap(value)[:3], (0.3, 0.59, 0.11)) for value in (0, 1)]
    assert grey[0] - grey[1] > 0.4


def test_the_masks_of_a_transformer_carry_the_pieces() -> None:
    masks, labels = common_masks(["그", "남자", "</s>"], ["<s>", "a", "$man$"], padded=1)
    figure = draw_masks(masks, labels)
    cross = figure.axes[list(masks).index("cross-attention")]
    assert [tick.get_text() for tick in cross.get_xticklabels()][-2:] == ["</s>", "<pad>"]
    assert [tick.get_text() for tick in cross.get_yticklabels()] == ["<s>", "a", "$man$"]
    np.testing.assert_array_equal(np.asarray(cross.images[0].get_array()), [[1, 1, 1, 0]] * 3)
    last = np.asarray(figure.axes[4].images[0].get_array())
    assert last.tolist() == [[True, True, True]]
    assert png(figure).startswith(b"\x89PNG")


def test_a_table_for_each_head_and_wrong_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="one for each head"):
        allowed_table(Mask(pattern=torch.ones(1, 2, 3, 3, dtype=torch.bool)), 3, 3)
    with pytest.raises(ValueError, match="1 and 3 labels for 3 queries and 3 keys"):
        draw_masks({"causal": MASKS["causal"]}, {"causal": (["a"], ["a", "b", "c"])})
