"""Neighbours and projections are those of linear algebra; labels stand apart; what is no text is left out."""

import numpy as np
import pytest
import torch

from jumok.errors import UserError
from jumok.insight.figures import drawable, png
from jumok.insight.vocabulary import (
    draw_neighbours,
    draw_projection,
    neighbours,
    projection,
    shown,
    text_rows,
)

PIECES = ["<pad>", "<s>", "</s>", "<unk>", "<0xEC>", "▁", "▁man", "▁woman", "man", "▁남자", "<b>"]


def test_only_pieces_of_text_are_looked_at() -> None:
    assert [PIECES[row] for row in text_rows(PIECES)] == ["▁man", "▁woman", "man", "▁남자", "<b>"]


def test_a_piece_is_shown_as_a_reader_knows_it() -> None:
    assert [shown(piece) for piece in ("▁man", "ing", "▁는", "는", ",", "▁", "2", "Ġthe")] == [
        "man", "-ing", "는", "-는", ",", "", "2", "the",
    ]  # fmt: skip


def test_neighbours_are_by_cosine_nearest_first_without_itself() -> None:
    vectors = torch.randn(len(PIECES), 6)
    vectors[9] = 3 * vectors[6]  # the length does not count
    found = neighbours(vectors, PIECES, "man", top=3)
    assert found[0].piece == "▁남자"
    assert found[0].cosine == pytest.approx(1)
    rows = [row for row in text_rows(PIECES) if row != 6]
    cosines = torch.nn.functional.cosine_similarity(vectors[rows], vectors[6][None])
    expected = sorted(zip(cosines.tolist(), rows, strict=True), reverse=True)[:3]
    assert [each.piece for each in found] == [PIECES[row] for _, row in expected]
    np.testing.assert_allclose([each.cosine for each in found], [cosine for cosine, _ in expected], atol=1e-6)
    assert [each.piece for each in neighbours(vectors, PIECES, "▁man", rows=[6, 7])] == ["▁woman"]


def test_a_word_that_is_no_piece_is_refused_with_what_is_near() -> None:
    with pytest.raises(UserError, match=r"'womn' is no piece.*woman"):
        neighbours(torch.randn(len(PIECES), 2), PIECES, "womn")
    with pytest.raises(ValueError, match="3 embeddings and 11 pieces"):
        neighbours(torch.randn(3, 2), PIECES, "man")


def test_the_projection_is_that_of_the_covariance_with_fixed_signs() -> None:
    vectors = torch.randn(30, 5, dtype=torch.float64) * torch.tensor([3.0, 2.0, 0.5, 0.4, 0.3])
    rows = list(range(4, 28))
    found = projection(vectors, rows)
    values, components = torch.linalg.eigh(torch.cov(vectors[rows].T))
    centred = vectors[rows] - vectors[rows].mean(0)
    np.testing.assert_allclose(np.abs(found.points), (centred @ components[:, [-1, -2]]).abs(), atol=1e-4)
    np.testing.assert_allclose(found.explained, 100 * values[[-1, -2]] / values.sum(), rtol=1e-4)
    # a mirrored space has a mirrored picture, not a random one
    np.testing.assert_allclose(projection(-vectors, rows).points, -found.points, atol=1e-4)
    assert projection(torch.tensor([[1.0], [3.0]]), [0, 1]).points.tolist() == [[-1, 0], [1, 0]]
    assert projection(torch.ones(3, 4), [0, 1, 2]).explained == (0, 0)
    with pytest.raises(ValueError, match="at least two rows"):
        projection(vectors, [1])


def test_labels_stand_apart_and_those_without_room_are_counted() -> None:
    labels = [f"▁낱말{number}" for number in range(120)]
    figure, left_out = draw_projection(projection(torch.randn(120, 2), range(120)), labels)
    axis = figure.axes[0]
    assert len(axis.texts) == 120 - left_out
    assert left_out > 0
    assert axis.get_title(loc="right") == f"{left_out} of 120 labels left out, for want of room"
    figure.draw_without_rendering()
    inside, boxes = axis.get_window_extent(), [text.get_window_extent() for text in axis.texts]
    for number, box in enumerate(boxes):
        # half a pixel: letters are put on whole ones
        assert not any(box.padded(-0.5).overlaps(other.padded(-0.5)) for other in boxes[:number])
        assert inside.padded(1).containsx(box.x0)
        assert inside.padded(1).containsx(box.x1)


def test_the_points_and_groups_drawn_are_those_given() -> None:
    projected = projection(torch.tensor([[0.0, 0], [1, 2], [5, 1], [9, 9]]), range(4))
    figure, left_out = draw_projection(projected, ["▁a", "b", "$x$", "▁아"], ["en", "en", "sign", "ko"])
    axis = figure.axes[0]
    assert left_out == 0
    assert [text.get_text() for text in axis.texts] == ["a", "-b", "$x$", drawable("아")]
    assert [len(group.get_offsets()) for group in axis.collections] == [2, 1, 1]
    np.testing.assert_allclose(np.concatenate([g.get_offsets() for g in axis.collections]), projected.points)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["en", "sign", "ko"]
    assert f"{projected.explained[0]:.0f} %" in axis.get_xlabel()
    assert png(figure).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="4 points, 1 labels"):
        draw_projection(projected, ["a"])


def test_bars_are_as_long_as_the_cosines() -> None:
    vectors = torch.randn(len(PIECES), 6)
    found = {query: neighbours(vectors, PIECES, query, top=3) for query in ("man", "남자")}
    figure = draw_neighbours(found)
    for axis, near in zip(figure.axes, found.values(), strict=True):
        np.testing.assert_allclose([bar.get_width() for bar in axis.patches], [each.cosine for each in near])
        assert [tick.get_text() for tick in axis.get_yticklabels()] == [drawable(shown(each.piece)) for each in near]
    assert png(figure).startswith(b"\x89PNG")


@pytest.mark.system("fonts-nanum")
def test_hangul_is_drawn_as_it_is() -> None:
    assert drawable("이천오년") == "이천오년"
