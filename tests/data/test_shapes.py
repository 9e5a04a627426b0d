"""Generated shapes: what they promise as data, and as the files of ``jumok data sample --job classify``."""

import random
from pathlib import Path

import numpy as np
import pytest
from tests.commands import jumok

from jumok.data.image_report import check_images
from jumok.data.images import read_images
from jumok.data.sample import write_sample
from jumok.data.shapes import CLASSES, draw_shape, shapes, write_shapes


def test_pictures_are_a_function_of_their_arguments() -> None:
    first, again, other = (shapes(16, 24, seed=seed) for seed in (1, 1, 2))
    assert [label for _, label in first] == [*range(len(CLASSES))] * 2
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for (a, _), (b, _) in zip(first, other, strict=True))
    validation = shapes(16, 24, split="val")
    assert not any(np.array_equal(a, b) for (a, _), (b, _) in zip(first, validation, strict=True))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_shape_is_brighter_than_its_ground(name: str, size: int, seed: int) -> None:
    pixels = draw_shape(name, size, random.Random(seed))
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    grey = pixels.mean(2)
    share = (grey > (grey.min() + grey.max()) / 2).mean()
    assert 0.03 < share < 0.6


def test_files_as_a_user_has_them(tmp_path: Path) -> None:
    write_shapes(tmp_path, train=24, val=8, size=24, seed=3)
    train = read_images(tmp_path, "train")
    assert train.classes == CLASSES
    sets = [train, read_images(tmp_path, "val", classes=train.classes)]
    stores, report = check_images(sets, 24, 3)
    assert [part.images for part in report.parts] == [24, 8]
    assert (report.parts[0].repeats, report.parts[1].overlap) == (0, 0)
    drawn = {pixels.tobytes(): label for pixels, label in shapes(24, 24, seed=3)}
    read = zip(stores[0].pixels(range(24)), stores[0].labels.tolist(), strict=True)
    assert {pixels.tobytes(): label for pixels, label in read} == drawn


def test_the_sample_of_the_job_classify(tmp_path: Path) -> None:
    result = jumok("data", "sample", "--job", "classify", tmp_path)
    assert result.code == 0, result.err
    place = tmp_path / "classify"
    assert [path.name for path in tmp_path.iterdir()] == ["classify"]
    assert f"{place / 'train'}: 4,000 images of 8 classes" in result.err
    text = (place / "README.txt").read_text(encoding="utf-8")
    assert all(name in text for name in CLASSES)
    assert f"data.folder={place} " in text
    assert len(read_images(place, "val", classes=CLASSES)) == 400
    with pytest.raises(Exception, match="classify is not empty"):
        write_sample(tmp_path, job="classify")
