"""Augmentation: a function of (seed, epoch, index) to the bit, within its bounds, with labels that add up."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from tests.data.pictures import noise
from torch import Tensor

from jumok.config import parse
from jumok.data import image_ops
from jumok.data.augment import Augmentation, Augmenter, ImageBatch, Normalization, evaluation_images
from jumok.data.image_crop import TRIES, crop_boxes, erasing_boxes, inside, shifted
from jumok.data.image_draws import draws
from jumok.data.image_file import Pixels
from jumok.data.image_mix import mix
from jumok.errors import UserError

ALL: dict[str, Any] = {
    "operations": 4,
    "erasing": 0.5,
    "color": 0.4,
}
PLAIN: dict[str, Any] = {"crop": "none", "flip": 0.0}


def augmenter(size: int = 12, channels: int = 3, seed: int = 1, **options: Any) -> Augmenter:
    normalize = Normalization((0.5,) * channels, (0.25,) * channels)
    return Augmenter(Augmentation.model_validate(options), size, normalize, classes=5, seed=seed)


def make(augment: Augmenter, images: Sequence[Pixels], indices: Sequence[int], epoch: int = 0) -> ImageBatch:
    return augment(images, np.array([i % 5 for i in indices], dtype=np.int64), indices, epoch)


def pictures(count: int, size: int = 16, channels: int = 3) -> list[Pixels]:
    return [noise(size + i % 3, size + i % 2, channels, seed=i) for i in range(count)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("crop", ["resized", "shift", "none"])
def test_neighbours_change_nothing(crop: str, channels: int, seed: int) -> None:
    images = pictures(20, channels=channels)
    augment = augmenter(channels=channels, crop=crop, seed=seed, **ALL)
    together = make(augment, images, range(20), epoch=3)
    assert together.images.shape == (20, channels, 12, 12)
    for rows in ([7], [19, 2], [5, 6, 7, 8, 9]):
        alone = make(augment, [images[row] for row in rows], rows, epoch=3)
        assert torch.equal(alone.images, together.images[rows])
        assert alone.indices.tolist() == rows


def test_epochs_indices_and_seeds_differ_and_come_back(seed: int) -> None:
    image = noise(16, 16)
    augment = augmenter(seed=seed, **ALL)

    def one(augment: Augmenter, index: int, epoch: int) -> bytes:
        return make(augment, [image], [index], epoch).images.numpy().tobytes()

    made = {one(augment, index, epoch) for index in range(8) for epoch in range(8)}
    assert len(made) == 64
    assert one(augment, 3, 5) in made
    assert one(augmenter(seed=seed + 1, **ALL), 3, 5) not in made


def test_threads_and_the_global_generators_do_not_matter() -> None:
    images = pictures(16)
    augment = augmenter(mixup=0.8, cutmix=1.0, **ALL)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    alone = [make(augment, images, range(16), epoch).images for epoch in range(6)]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]
    with ThreadPoolExecutor(3) as pool:
        threaded = list(pool.map(lambda epoch: make(augment, images, range(16), epoch).images, range(6)))
    assert all(torch.equal(a, b) for a, b in zip(alone, threaded, strict=True))


def test_one_stage_leaves_the_draws_of_the_others(seed: int) -> None:
    images = pictures(30)
    plain = make(augmenter(seed=seed), images, range(30)).images
    erased = make(augmenter(seed=seed, erasing=1.0), images, range(30)).images
    assert ((erased == plain) | (erased == 0)).all()
    assert (erased == 0).flatten(1).any(1).all()


def test_without_augmentation_training_sees_what_evaluation_sees() -> None:
    images = pictures(6)
    augment = augmenter(**PLAIN)
    batch = make(augment, images, range(6))
    assert torch.equal(batch.images, evaluation_images(images, 12, augment.normalize))
    assert batch.soft is None
    assert batch.labels.tolist() == [0, 1, 2, 3, 4, 0]
    image = noise(12, 12)
    seen = evaluation_images([image], 12, augment.normalize)
    expected = (torch.from_numpy(image).permute(2, 0, 1) / 255 - 0.5) / 0.25
    torch.testing.assert_close(seen[0], expected)


@pytest.mark.parametrize("crop", ["resized", "shift", "none"])
def test_images_of_any_shape_become_squares(crop: str, seed: int) -> None:
    shapes = [(1, 1), (1, 300), (300, 1), (2, 3), (12, 12), (40, 13)] * 20
    images = [noise(width, height, seed=i) for i, (height, width) in enumerate(shapes)]
    batch = make(augmenter(crop=crop, scale=[0.001, 1.0], seed=seed), images, range(len(shapes)))
    assert batch.images.shape == (120, 3, 12, 12)
    assert float(batch.images.abs().max()) <= 2.0 + 1e-6


def test_flips_are_as_frequent_as_asked() -> None:
    images = [noise(12, 12)] * 2000
    plain = make(augmenter(**PLAIN), images, range(2000)).images
    for chance in (0.0, 0.3, 1.0):
        flipped = make(augmenter(crop="none", flip=chance), images, range(2000)).images
        turned = (flipped == plain.flip(-1)).flatten(1).all(1)
        assert ((flipped == plain).flatten(1).all(1) | turned).all()
        assert float(turned.float().mean()) == pytest.approx(chance, abs=0.06)


def test_shifts_move_onto_black() -> None:
    batch = np.stack([noise(6, 6, seed=i) for i in range(400)])
    moved = shifted(batch, 2, draws(1, 0, "crop", range(400), 2))
    padded = np.pad(batch, ((0, 0), (2, 2), (2, 2), (0, 0)))
    seen = set()
    for before, after in zip(padded, moved, strict=True):
        places = [(y, x) for y in range(5) for x in range(5) if np.array_equal(before[y : y + 6, x : x + 6], after)]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 25


@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=20),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)).map(sorted),
    st.integers(0, 2**31),
)
def test_crops_stay_inside(shapes: list[tuple[int, int]], scale: list[float], ratio: list[float], seed: int) -> None:
    numbers = draws(seed, 0, "crop", range(len(shapes)), 2 * TRIES + 2)
    boxes = crop_boxes(np.array(shapes), numbers, (scale[0], scale[1]), (ratio[0], ratio[1]))
    height, width = np.array(shapes).T
    left, top, right, bottom = boxes.T
    assert ((left >= 0) & (top >= 0) & (right <= width) & (bottom <= height)).all()
    assert ((right > left) & (bottom > top)).all()
    assert ((right - left) * (bottom - top) <= scale[1] * height * width * (1 + 1e-9)).all()


def test_crops_have_the_area_and_the_shape_that_was_asked_for() -> None:
    count = 4000
    boxes = crop_boxes(
        np.array([[100, 100]] * count), draws(1, 0, "crop", range(count), 2 * TRIES + 2), (0.1, 0.5), (0.5, 2)
    )
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    share, ratio = wide * high / 1e4, wide / high
    assert (share.min(), share.max()) == pytest.approx((0.1, 0.5), abs=0.01)
    assert (ratio.min(), ratio.max()) == pytest.approx((0.5, 2), rel=0.02)
    assert np.log(ratio).mean() == pytest.approx(0, abs=0.05)


@given(st.integers(1, 64), st.integers(0, 2**31))
def test_erased_boxes_stay_inside(size: int, seed: int) -> None:
    boxes = erasing_boxes(size, draws(seed, 0, "erasing", range(50), 4), (0.02, 1 / 3), (0.3, 1 / 0.3))
    assert boxes.min() >= 0
    assert boxes.max() <= size
    masks = inside(boxes, size)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert masks.shape == (50, 1, size, size)
    assert masks.sum((1, 2, 3)).tolist() == areas.tolist()
    assert areas.min() >= 1


def mixed(images: Tensor, labels: Tensor, seed: int, mixup: float = 0.0, cutmix: float = 0.0) -> tuple[Tensor, Tensor]:
    return mix(images, labels, 5, mixup=mixup, cutmix=cutmix, seed=seed, epoch=0, indices=range(len(images)))


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.8, 0.0), (0.0, 1.0), (0.8, 1.0), (0.1, 0.1)])
@pytest.mark.parametrize("count", [1, 2, 33])
def test_mixed_labels_say_how_much_there_is_of_each(mixup: float, cutmix: float, count: int, seed: int) -> None:
    labels = torch.randint(5, (count,))
    # images that show their label: channel c is 1 where the label is c
    images = torch.nn.functional.one_hot(labels, 5).float()[:, :, None, None].expand(-1, -1, 16, 16)
    result, soft = mixed(images, labels, seed, mixup, cutmix)
    assert soft.shape == (count, 5)
    torch.testing.assert_close(soft.sum(1), torch.ones(count), rtol=0, atol=1e-6)
    assert (soft >= 0).all()
    torch.testing.assert_close(result.mean((2, 3)), soft, rtol=0, atol=1e-5)
    if not mixup:
        assert ((result == 0) | (result == 1)).all()


def test_everyone_is_mixed_with_another(seed: int) -> None:
    labels = torch.arange(50) % 5
    images = torch.arange(50.0)[:, None, None, None].expand(-1, 3, 8, 8)
    whole, _ = mixed(images, labels, seed, mixup=1.0)
    assert (whole[:, 0, 0, 0] != torch.arange(50.0)).all()


def test_a_batch_moves_whole() -> None:
    batch = make(augmenter(mixup=0.5), pictures(4), range(4)).to("meta")
    assert batch.soft is not None
    assert {tensor.device.type for tensor in (batch.images, batch.labels, batch.soft, batch.indices)} == {"meta"}


@pytest.mark.parametrize("kind", range(len(image_ops.GEOMETRIC + image_ops.COLOUR)))
@pytest.mark.parametrize("channels", [1, 3])
def test_an_operation_stays_on_its_scale_and_without_magnitude_does_nothing(kind: int, channels: int) -> None:
    images = torch.from_numpy(np.stack([noise(12, 12, channels, seed=i) for i in range(6)])).permute(0, 3, 1, 2) / 255
    operation = (image_ops.GEOMETRIC + image_ops.COLOUR)[kind]
    for amount in (-1.0, -0.3, 0.4, 1.0):
        result = operation(images, torch.full((6,), amount))
        assert result.shape == images.shape
        assert float(result.min()) >= -1e-6
        assert float(result.max()) <= 1 + 1e-6
    if kind not in (len(image_ops.GEOMETRIC) + 1, len(image_ops.GEOMETRIC) + 2):  # autocontrast and equalize have none
        torch.testing.assert_close(operation(images, torch.zeros(6)), images, rtol=0, atol=1e-5)


def test_colour_operations_are_those_of_pillow() -> None:
    picture = noise(12, 12, seed=5) // 2 + 40
    pillow = Image.fromarray(picture)
    images = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    factor = 1 + image_ops.FACTOR * 0.5
    expected = [
        pillow,
        ImageOps.autocontrast(pillow),
        ImageOps.equalize(pillow),
        ImageOps.solarize(pillow, 128),
        ImageOps.posterize(pillow, 6),
        *(
            enhance(pillow).enhance(factor)
            for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color, ImageEnhance.Sharpness)
        ),
    ]
    for operation, image in zip(image_ops.COLOUR, expected, strict=True):
        result = 255 * operation(images, torch.tensor([0.5]))[0].permute(1, 2, 0)
        torch.testing.assert_close(result, torch.from_numpy(np.array(image)).float(), rtol=0, atol=1.6)


def test_a_plain_colour_survives_every_colour_operation_at_no_magnitude() -> None:
    images = torch.full((14, 3, 8, 8), 0.25)
    for operation in image_ops.COLOUR:
        torch.testing.assert_close(operation(images, torch.zeros(14)), images, rtol=0, atol=1e-2)


def test_geometry_moves_the_way_it_says() -> None:
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 4, 4] = 1
    rotate, shear_x, _, translate_x, translate_y = image_ops.GEOMETRIC
    amount = torch.tensor([2 / (9 * image_ops.TRANSLATION)])  # two pixels
    for operation, place in ((translate_x, (4, 6)), (translate_y, (6, 4))):
        moved = operation(images, amount)
        assert float(moved[0, 0, *place]) == pytest.approx(1, abs=1e-4)
        assert float(moved[0, 0, 0, 0]) == pytest.approx(image_ops.GREY)
    for operation in (rotate, shear_x):  # both hold the centre
        assert float(operation(images, torch.ones(1))[0, 0, 4, 4]) == pytest.approx(1, abs=1e-4)


def test_alpha_is_moved_but_not_coloured() -> None:
    images = torch.rand(64, 4, 8, 8)
    numbers = draws(1, 0, "randaugment", range(64), 2)
    result = image_ops.rand_augment(images, numbers, 1, 9.0)
    coloured = torch.from_numpy(numbers[:, 0] * 14 >= len(image_ops.GEOMETRIC))
    assert torch.equal(result[coloured, 3], images[coloured, 3])
    assert not torch.equal(result[~coloured, 3], images[~coloured, 3])


def test_draws_are_uniform_and_unlike_their_neighbours() -> None:
    numbers = draws(7, 3, "crop", range(20_000), 5)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, 20, (0, 1))[0]
    assert np.abs(counts / counts.mean() - 1).max() < 0.1
    assert np.abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 0.05
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.05
    assert len(np.unique(numbers)) == numbers.size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": [0.9, 0.5]}, "augmentation.scale"),
        ({"scale": [0.0, 1.0]}, "augmentation.scale"),
        ({"magnitude": 11.0}, "magnitude"),
        ({"crop": "random"}, "crop"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(Augmentation, options, "recipe")
