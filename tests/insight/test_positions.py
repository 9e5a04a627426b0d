"""Figures of positions are drawn from numbers that the papers' formulas give."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

from jumok.insight.figures import png
from jumok.insight.positions import (
    by_offset,
    draw_properties,
    draw_similarity,
    draw_waves,
    encoding,
    nearest,
    nearest_two,
    similarity,
    wavelengths,
)
from jumok.insight.vector import svg
from jumok.nn.position import Learned, NoPositions, Rotary, Sinusoidal


def cosine_of_offset(offset: int, dim: int) -> float:
    return 2 / dim * sum(math.cos(offset * 10000 ** (-2 * i / dim)) for i in range(dim // 2))


def test_the_encoding_is_the_papers_formula() -> None:
    found = encoding(Sinusoidal(6), 40)
    for position, i in [(0, 0), (7, 1), (39, 2)]:
        angle = position / 10000 ** (2 * i / 6)
        np.testing.assert_allclose(found[position, 2 * i : 2 * i + 2], [math.sin(angle), math.cos(angle)], atol=1e-6)


def test_a_dimension_repeats_after_its_wavelength() -> None:
    lengths = wavelengths(8)
    np.testing.assert_allclose(lengths, [2 * math.pi * 10000 ** (i / 4) for i in range(4)], rtol=1e-6)
    # the second one is 62.8 positions long, so 5 of them are 314 steps
    waves = encoding(Sinusoidal(8), 320)
    np.testing.assert_allclose(waves[314:, 2], waves[: 320 - 314, 2], atol=0.02)


def test_learned_ones_are_the_rows_of_the_weight_and_end() -> None:
    learned = Learned(9, 4)
    np.testing.assert_array_equal(encoding(learned, 5), learned.weight[:5].detach())
    with pytest.raises(ValueError, match="past the 9 learned"):
        encoding(learned, 10)


def test_the_similarity_of_sinusoids_and_rotations_is_that_of_their_offset() -> None:
    for module in (Sinusoidal(16), Rotary(16)):
        mean, spread = by_offset(similarity(encoding(module, 50)))
        np.testing.assert_allclose(mean, [cosine_of_offset(k, 16) for k in range(50)], atol=1e-5)
        assert spread.max() < 1e-5


def test_offsets_are_the_diagonals_with_their_spread() -> None:
    table = np.array([[1, 0.2, 0.5], [0.2, 1, 0.6], [0.5, 0.6, 1]])
    mean, spread = by_offset(table)
    np.testing.assert_allclose(mean, [1, 0.4, 0.5])
    np.testing.assert_allclose(spread, [0, 0.2, 0], atol=1e-7)


def test_positions_are_unique_and_without_any_they_are_not() -> None:
    close = [math.sqrt(2 * (1 - cosine_of_offset(1, 16)) * 8)]  # |a - b|^2 = 2 (1 - cos) D/2 between neighbours
    assert nearest_two(encoding(Sinusoidal(16), 300)) == pytest.approx(min(close), rel=1e-4)
    assert nearest_two(encoding(NoPositions(4), 3)) == 0
    assert similarity(encoding(NoPositions(4), 3)).tolist() == np.zeros((3, 3)).tolist()
    np.testing.assert_allclose(nearest(np.array([[0.0], [1.0], [4.0]])), [1, 1, 3])
    with pytest.raises(ValueError, match="no other"):
        nearest_two(np.zeros((1, 2)))


def test_the_waves_drawn_are_the_encodings() -> None:
    vectors = encoding(Sinusoidal(32), 20)
    heat, curves, *_ = draw_waves(vectors).axes
    np.testing.assert_array_equal(np.asarray(heat.images[0].get_array()), vectors.T)
    assert [line.get_label() for line in curves.lines] == [f"dimension {d}" for d in (0, 4, 8, 16)]
    np.testing.assert_array_equal(curves.lines[2].get_ydata(), vectors[:, 8])
    assert len(draw_waves(vectors, [1, 3]).axes[1].lines) == 2


def test_the_similarity_drawn_is_the_one_given() -> None:
    table = similarity(torch.randn(7, 5))
    matrix, curve, *_ = draw_similarity(table).axes
    np.testing.assert_array_equal(np.asarray(matrix.images[0].get_array()), table)
    np.testing.assert_array_equal(curve.lines[0].get_ydata(), by_offset(table).mean)


def test_the_three_properties_are_measured_on_both() -> None:
    endless, ending = encoding(Sinusoidal(8), 12), torch.randn(9, 8)
    unique, length, distance = draw_properties(endless, ending).axes
    shown = [line.get_ydata() for line in unique.lines]
    np.testing.assert_allclose(shown[0], nearest(endless) / 2, rtol=1e-5)  # |PE| = sqrt(D / 2)
    assert len(shown[1]) == 9
    picture = np.ma.filled(np.asarray(length.images[0].get_array(), dtype=float), np.nan)
    assert picture.shape == (2 * 8 + 1, 12)
    np.testing.assert_allclose(picture[:8], endless.T / np.abs(endless).max(), rtol=1e-5)
    assert np.isnan(picture[9:, 9:]).all()
    assert not np.isnan(picture[9:, :9]).any()
    assert any("from 9 on" in text.get_text() for text in length.texts)
    np.testing.assert_allclose(distance.lines[1].get_ydata(), by_offset(similarity(ending)).mean)
    with pytest.raises(ValueError, match="nothing past"):
        draw_properties(endless, endless)


def test_figures_of_small_encodings_become_png() -> None:
    figures = [
        draw_waves(encoding(Sinusoidal(2), 1)),
        draw_similarity(np.ones((1, 1))),
        draw_properties(encoding(Sinusoidal(2), 3), encoding(Learned(2, 2), 2)),
    ]
    assert all(png(figure).startswith(b"\x89PNG") for figure in figures)


def test_an_svg_is_the_same_each_time_the_figure_is_made() -> None:
    drawn = [svg(draw_waves(encoding(Sinusoidal(2), 3))) for _ in range(2)]
    assert ET.fromstring(drawn[0]).tag.endswith("svg")
    assert drawn[0] == drawn[1]
