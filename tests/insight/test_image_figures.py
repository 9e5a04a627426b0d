"""Figures of images hold the numbers they are drawn from, on odd photos and grids, with and without a ResNet."""

from typing import Any

import numpy as np
import pytest
import torch

from jumok.insight.figures import png
from jumok.insight.image_figures import (
    VEIL,
    draw_beside,
    draw_distances,
    draw_filters,
    draw_layers,
    draw_positions,
    fitted,
    heat_colors,
    overlay,
    rgb,
    tiles,
    upsample,
)
from jumok.insight.image_maps import position_similarity


def photo(height: int, width: int, channels: int = 3) -> Any:
    return np.random.randint(0, 256, (height, width, channels), dtype=np.uint8)


def test_upsampling_is_the_bilinear_one_of_torch() -> None:
    heat = torch.rand(3, 5)
    for height, width in [(48, 80), (7, 31), (3, 5), (2, 4)]:
        other = torch.nn.functional.interpolate(heat[None, None], (height, width), mode="bilinear", align_corners=False)
        np.testing.assert_allclose(upsample(heat, height, width), other[0, 0], atol=1e-5)


def test_the_veil_lies_by_the_weights() -> None:
    seen = overlay(np.full((4, 8, 3), 200, dtype=np.uint8), np.array([[0.0, 0.3]]))
    low, high = (
        np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) for color in (heat_colors()[0], heat_colors()[-1])
    )
    np.testing.assert_allclose(seen[0, 0], 200 * (1 - VEIL[0]) + low * VEIL[0], atol=1)
    np.testing.assert_allclose(seen[3, 7], 200 * (1 - VEIL[1]) + high * VEIL[1], atol=1)
    # a scale of its own: the same picture however large the weights
    heat = np.random.rand(3, 3)
    picture = photo(30, 30)
    np.testing.assert_allclose(overlay(picture, heat), overlay(picture, heat / 100), atol=1)
    # and one that is given: half as much is half as bright, more than the most is the most
    np.testing.assert_allclose(overlay(picture, heat, 2 * heat.max()), overlay(picture, heat / 2, heat.max()), atol=1)
    np.testing.assert_array_equal(overlay(picture, np.full((3, 3), 9.0), 1.0), overlay(picture, np.ones((3, 3))))
    dark = overlay(picture, np.zeros((3, 3)))
    np.testing.assert_allclose(dark, picture * (1 - VEIL[0]) + low * VEIL[0], atol=1)


@pytest.mark.parametrize(("channels", "kept"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (4, [0, 1, 2])])
def test_any_number_of_channels_is_seen_in_colour(channels: int, kept: list[int]) -> None:
    picture = photo(5, 7, channels)
    np.testing.assert_array_equal(rgb(picture), picture[..., kept])


def test_what_is_no_photo_is_refused() -> None:
    for wrong in (photo(4, 4, 5), photo(4, 4)[..., 0], photo(4, 4).astype(np.float32)):
        with pytest.raises(ValueError, match=r"uint8 \(H, W, C\)"):
            rgb(wrong)


def test_a_large_photo_is_reduced_and_a_small_one_kept() -> None:
    assert fitted(photo(300, 600), 200).shape == (100, 200, 3)
    small = photo(32, 20)
    np.testing.assert_array_equal(fitted(small, 200), small)


def test_tiles_stand_row_by_row_with_a_gap() -> None:
    pictures = np.arange(5 * 2 * 3, dtype=np.float32).reshape(5, 2, 3, 1)
    out = tiles(pictures, 2, gap=-1)[..., 0]
    assert out.shape == (3 * 3 - 1, 2 * 4 - 1)
    np.testing.assert_array_equal(out[3:5, 4:7], pictures[3, ..., 0])
    assert (out[2] == -1).all()
    assert (out[:, 3] == -1).all()
    assert (out[6:, 4:] == -1).all()


def test_the_distances_drawn_are_those_given() -> None:
    heads = [[1.0, 3.0], [4.0, 8.0], [6.0, 6.0]]
    axis = draw_distances(heads, (4, 4), 8).axes[0]
    dots = np.concatenate([np.asarray(group.get_offsets()) for group in axis.collections])
    assert dots.tolist() == [[layer, value] for layer, values in enumerate(heads, 1) for value in values]
    mean = axis.lines[0]
    assert np.asarray(mean.get_xydata()).tolist() == [[1, 2], [2, 6], [3, 6]]
    assert not any("ResNet" in line.get_label() for line in axis.lines)


def test_the_resnet_stands_on_the_same_axes_up_to_the_side_of_the_image() -> None:
    receptive = [3.0, 7.0, 15.0, 31.0, 63.0]
    axis = draw_distances([[2.0], [5.0]], (4, 4), 8, receptive).axes[0]
    line = next(line for line in axis.lines if "ResNet" in line.get_label())
    assert np.asarray(line.get_xydata()).tolist() == [[at, side] for at, side in enumerate(receptive, 1)]
    assert 32 < axis.get_ylim()[1] < 40
    assert any("32 px" in line.get_label() for line in axis.lines)
    near = draw_distances([[2.0], [5.0]], (4, 4), 8, receptive[:3]).axes[0]
    assert near.get_ylim()[1] < 32


def test_the_sheet_has_a_picture_for_each_layer_and_head_and_their_mean() -> None:
    layers = [np.random.rand(3, 2, 4).astype(np.float32) for _ in range(5)]
    figure = draw_layers(photo(16, 32), layers)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    height, width = shown.shape[0] // 5, shown.shape[1] // 4
    assert width / height == pytest.approx(2, rel=0.02)
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels == ["mean", "1", "2", "3"]
    assert len(figure.axes[0].get_yticks()) == 5
    # brighter where the head looked
    single = np.zeros((1, 2, 4), dtype=np.float32)
    single[0, 1, 3] = 1
    grey = np.full((16, 32, 1), 128, dtype=np.uint8)
    shown = np.asarray(draw_layers(grey, [single]).axes[0].images[0].get_array())
    cell = shown[:, -(shown.shape[1] // 2) :].sum(-1)
    top, left = np.unravel_index(cell.argmax(), cell.shape)
    assert top > cell.shape[0] / 2
    assert left > cell.shape[1] * 3 / 4


def test_filters_keep_their_zero_at_the_middle_and_a_resnet_stands_beside() -> None:
    kernels = torch.randn(9, 3, 4, 4)
    figure = draw_filters(kernels, "ViT", torch.randn(5, 3, 3, 3))
    assert [axis.get_title() for axis in figure.axes] == ["ViT", "ResNet: first convolution"]
    shown = np.asarray(figure.axes[0].images[0].get_array())[:4, :4]
    expected = 0.5 + 0.5 * kernels[0] / kernels[0].abs().max()
    np.testing.assert_allclose(shown, expected.permute(1, 2, 0), atol=1e-6)
    grey = np.asarray(draw_filters(torch.randn(3, 1, 4, 4), "ViT").axes[0].images[0].get_array())
    assert (grey[..., 0] == grey[..., 2]).all()


def test_each_patch_has_its_map_of_similarities_at_its_place() -> None:
    similarity = position_similarity(torch.randn(6, 8), (2, 3))
    figure = draw_positions(similarity)
    shown = np.ma.filled(np.asarray(figure.axes[0].images[0].get_array()), np.nan)
    np.testing.assert_allclose(shown[3:5, 4:7], similarity[1, 1])
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "2", "3"]
    assert list(figure.axes[0].get_yticks()) == [0.5, 3.5]


def test_every_figure_becomes_a_png() -> None:
    pictures = [
        draw_layers(photo(9, 6, 1), [np.random.rand(1, 3, 2).astype(np.float32)]),
        draw_beside(photo(9, 6, 4), np.random.rand(3, 2), ("말 93 %", "$x^")),
        draw_distances([[0.0]], (1, 1), 9),
        draw_filters(np.zeros((2, 2, 1, 1)), "ViT"),
        draw_positions(np.ones((1, 1, 1, 1))),
    ]
    assert all(png(figure).startswith(b"\x89PNG") for figure in pictures)
