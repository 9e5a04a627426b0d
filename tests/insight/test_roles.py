"""Heads made by hand get the names that they were made for, and figures that were counted by hand."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from jumok.insight.figures import png
from jumok.insight.roles import RULES, HeadCounts, HeadFigures, draw_roles, leading, role

KEYS = ["▁the", "▁sphinx", "▁sat", "▁on", "▁the", "▁mat", ".", "</s>"]
COUNTS = {"▁the": 90, "▁on": 50, "▁sat": 20, "▁mat": 10, ".": 80, "▁sphinx": 1}
N = len(KEYS)


def one_hot(*keys: int) -> np.ndarray:
    return np.eye(N, dtype=np.float32)[list(keys)]


MADE = {
    "positional: previous": one_hot(0, *range(N - 1)),
    "positional: next": one_hot(*range(1, N), N - 1),
    "itself": np.eye(N, dtype=np.float32),
    "sink": one_hot(*[N - 1] * N),
    "rare words": one_hot(*[1] * N),
    "broad": np.full((N, N), 1 / N, dtype=np.float32),
    "nearby": np.array([[1.0 if abs(i - j) <= 1 else 0 for j in range(N)] for i in range(N)]),
    "focused": one_hot(3, 4, 0, 5, 2, 0, 4, 2),
    "mixed": one_hot(3, 4, 0, 5, 2, 0, 4, 2) * 0.5 + 0.5 / N,
}
MADE["nearby"] /= MADE["nearby"].sum(1, keepdims=True)


def counted(maps: np.ndarray, name: str = "encoder.blocks.0.attention", keys: list[str] = KEYS) -> list[HeadFigures]:
    counts = HeadCounts(COUNTS, rare_from=5)
    counts.add({name: maps.astype(np.float32)}, keys)
    return counts.figures()[name]


def test_every_role_is_found_in_the_head_made_for_it() -> None:
    heads = counted(np.stack(list(MADE.values())))
    assert [role(head) for head in heads] == list(MADE)
    assert {rule.name for rule in RULES} == set(MADE)


def test_the_figures_are_those_counted_by_hand() -> None:
    previous, sink, even = counted(np.stack([MADE["positional: previous"], MADE["sink"], MADE["broad"]]))
    # the first query has no piece before it, so all that have one are counted
    assert previous.previous == 100
    assert previous.itself == pytest.approx(100 / N)
    assert previous.distance == pytest.approx((N - 1) / N)
    assert (previous.entropy, previous.evenness) == (0, 0)
    assert sink.sinks == 100
    assert even.sinks == pytest.approx(100 / N)
    assert even.rare == pytest.approx(even.rare_even)
    assert even.rare_even == pytest.approx(100 / N)
    assert even.entropy == pytest.approx(np.log2(N), abs=1e-5)
    assert even.evenness == pytest.approx(100, abs=1e-4)


def test_a_corpus_is_the_mean_over_its_queries() -> None:
    name, counts = "encoder.blocks.1.attention", HeadCounts(COUNTS, rare_from=5)
    counts.add({name: MADE["itself"][None]}, KEYS)
    counts.add({name: torch.full((1, 2, 2), 0.5)}, ["▁the", "▁mat"])
    (head,) = counts.figures()[name]
    assert head.itself == pytest.approx(100 * (N + 2 * 0.5) / (N + 2))
    assert head.previous == pytest.approx(100 * 0.5 / N)  # N - 1 queries and one have a piece before
    # the second sentence has no rare piece and says nothing of them
    assert head.rare == pytest.approx(100 / N)
    assert head.evenness == pytest.approx(100 * 2 / (N * np.log2(N) + 2), rel=1e-5)


def test_a_decoder_is_broad_over_what_it_has_read() -> None:
    even = np.tril(np.ones((N, N)))
    (head,) = counted((even / even.sum(1, keepdims=True))[None], "decoder.blocks.0.attention")
    assert head.evenness == pytest.approx(100, abs=1e-4)
    assert role(head) == "broad"


def test_cross_attention_has_no_neighbours() -> None:
    (head,) = counted(np.eye(N)[None], "decoder.blocks.0.cross")
    assert np.isnan([head.previous, head.itself, head.following, head.distance]).all()
    assert role(head) == "focused"
    (sink,) = counted(MADE["sink"][None, :3], "decoder.blocks.0.cross")
    assert role(sink) == "sink"


def test_without_a_rare_piece_nothing_is_said_of_rare_words() -> None:
    (head,) = counted(np.full((1, 2, 2), 0.5), keys=["▁the", "▁on"])
    assert np.isnan(head.rare)


def test_the_grid_has_the_colour_and_the_figure_of_each_role() -> None:
    heads = counted(np.stack(list(MADE.values())))
    cross = counted(np.eye(N)[None], "decoder.blocks.0.cross")
    figure = draw_roles({"encoder.blocks.0.attention": heads, "decoder.blocks.0.cross": cross})
    axis = figure.axes[0]
    picture = np.asarray(axis.images[0].get_array())
    assert [to_hex(color).upper() for color in picture[0]] == [leading(head)[0].color for head in heads]
    texts = [text.get_text() for text in axis.texts]
    assert texts[0] == "previous\n100 %"
    assert len(texts) == len(heads) + 1
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["encoder 1", "cross 1"]
    assert [text.get_text().split(" – ")[0] for text in figure.legends[0].get_texts()] == [r.name for r in RULES]
    assert png(figure).startswith(b"\x89PNG")


def test_what_does_not_fit_is_refused() -> None:
    counts = HeadCounts(COUNTS)
    with pytest.raises(ValueError, match="before the first"):
        counts.figures()
    with pytest.raises(ValueError, match="there are 3 keys"):
        counts.add({"encoder.blocks.0.attention": np.ones((1, 2, 2))}, ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"\(H, Q, K\)"):
        counts.add({"encoder.blocks.0.attention": np.ones((1, 1, 2))}, ["a", "b"])
