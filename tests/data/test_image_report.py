"""The image report: every file is either kept or counted under a reason; the store gives back what was decoded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.commands import jumok, mistake
from tests.data.pictures import bomb, folders, noise, save

from jumok.data.image_report import ImageReport, check_images
from jumok.data.image_store import ImageStore, channel_statistics, shorter
from jumok.data.images import read_images
from jumok.errors import UserError


def check(root: Path, size: int = 8, budget: int = 1 << 20) -> tuple[list[ImageStore], ImageReport]:
    train = read_images(root, "train")
    return check_images([train, read_images(root, "val", classes=train.classes)], size, 3, budget=budget)


def test_everything_found_is_told(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 3, "dog": 2})
    folders(tmp_path / "val", {"cat": 2}, seed=1)
    bad = {"cut.jpg": None, "empty.jpg": b"", "text.jpg": b"once upon a time", "bomb.png": None}
    save(tmp_path / "train/cat/cut.jpg", noise(64, 64))
    for name, content in bad.items():
        path = tmp_path / "train/cat" / name
        path.write_bytes(path.read_bytes()[:300] if content is None and path.exists() else content or b"")
    bomb(tmp_path / "train/cat/bomb.png", 30_000, 30_000)
    (tmp_path / "train/dog/notes.txt").write_text("")
    save(tmp_path / "train/dog/wide.png", noise(40, 20))
    shutil.copy(tmp_path / "train/cat/0.png", tmp_path / "train/cat/again.png")
    Image.open(tmp_path / "train/cat/1.png").save(tmp_path / "train/dog/other.bmp")  # the same pixels
    shutil.copy(tmp_path / "train/dog/0.png", tmp_path / "val/cat/seen.png")

    stores, report = check(tmp_path)
    train, val = report.parts
    assert (train.images, train.balance, train.ignored) == (8, {"cat": 4, "dog": 4}, 1)
    assert {Path(path).name for path, _ in train.unreadable} == bad.keys()
    assert (train.repeats, train.relabelled, train.overlap) == (2, 1, None)
    assert (val.images, val.balance, val.overlap) == (3, {"cat": 3, "dog": 0}, 1)
    assert (train.smallest, train.largest, train.common[0]) == ((8, 8), (40, 20), (8, 8, 7))
    assert train.bins == [(1, 16, 7), (17, 32, 1)]
    assert [store.labels.tolist() for store in stores] == [[0] * 4 + [1] * 4, [0] * 3]
    assert report.kept == 11
    text = report.text()
    for piece in [
        "train: 8 images, 2 classes",
        "unreadable: 4, skipped:",
        "empty.jpg (the file is empty)",
        "bomb.png (it has more than 80,000,000 pixels; it was not opened",
        "1 files were left out, by their names they are no images",
        "2 images (25.00 %) repeat an earlier one (kept)",
        "1 of them stand under another label",
        "8 x 8 to 40 x 20 pixels, most often 8 x 8 (7)",
        "val: 3 images, 1 of 2 classes",
        "also in train: 1 images",
        "size: all 8 x 8 pixels",
        "█",
    ]:
        assert piece in text
    assert json.loads(json.dumps(report.as_dict()))["parts"][0]["balance"] == {"cat": 4, "dog": 4}


def test_kept_or_decoded_again_the_pixels_are_the_same(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 5, "dog": 5}, size=30)
    folders(tmp_path / "val", {"cat": 1}, size=30, seed=1)
    one = 3 * shorter(8) ** 2
    kept, part, none = (check(tmp_path, budget=budget) for budget in (1 << 20, 7 * one + 1, 0))
    assert [report.kept for _, report in (kept, part, none)] == [11, 7, 0]
    assert part[1].bytes == 7 * one
    order = [9, 0, 0, 7, 3]
    pixels = [stores[0].pixels(order) for stores, _ in (kept, part, none)]
    assert all(image.shape == (shorter(8), shorter(8), 3) for image in pixels[0])
    for other in pixels[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(pixels[0], other, strict=True))
    assert kept[0][0].digest == none[0][0].digest
    assert kept[0][0].digest != kept[0][1].digest
    assert channel_statistics(kept[0][0]) == channel_statistics(none[0][0])


def test_a_file_that_is_gone_later_is_named(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 1, "dog": 1})
    folders(tmp_path / "val", {"cat": 1}, seed=1)
    stores, _ = check(tmp_path, budget=0)
    (tmp_path / "train/dog/0.png").unlink()
    assert stores[0].pixels([0])[0].shape == (8, 8, 3)
    with pytest.raises(UserError, match=r"dog/0.png could be read .* but not now: there is no such file"):
        stores[0].pixels([0, 1])


def test_statistics_are_those_of_the_pixels(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 3, "dog": 3})
    folders(tmp_path / "val", {"cat": 1})
    stores, _ = check(tmp_path)
    values = np.concatenate([pixels.reshape(-1, 3) for pixels in stores[0].pixels(range(6))]) / 255
    mean, std = channel_statistics(stores[0])
    assert mean == pytest.approx(values.mean(0).tolist(), rel=1e-5)
    assert std == pytest.approx(values.std(0).tolist(), rel=1e-4)
    for name in ("cat", "dog"):
        for i in range(3):
            save(tmp_path / "train" / name / f"{i}.png", np.full((8, 8, 3), 51, dtype=np.uint8))
    assert channel_statistics(check(tmp_path)[0][0])[1] == [1.0, 1.0, 1.0]


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 2, "dog": 1})
    folders(tmp_path / "val", {"cat": 1})
    (tmp_path / "val/cat/0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"no image of .*val is left \(1 cannot be read, first .*0.png: the file is"):
        check(tmp_path)
    (tmp_path / "train/dog/0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"no image of the class 'dog' in .*train is left"):
        check(tmp_path)


def test_a_list_may_name_files_that_are_not_there(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / f"pictures/{name}.png", noise(8, 8, seed=ord(name)))
    (tmp_path / "train.csv").write_text("path,label\na.png,cat\nb.png,dog\nc.png,dog\n")
    train = read_images(tmp_path, "train", images=tmp_path / "pictures")
    _, report = check_images([train], 8, 3)
    assert report.parts[0].balance == {"cat": 1, "dog": 1}
    assert report.parts[0].unreadable == [(str(tmp_path / "pictures/c.png"), "there is no such file")]
    with pytest.raises(UserError, match=r"no image of .*train.csv is left \(3 cannot be read, .*no such file"):
        check_images([read_images(tmp_path, "train")], 8, 3)


def test_progress_reaches_every_image(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 70, "dog": 10})
    (tmp_path / "train/cat/3.png").write_bytes(b"")
    steps: list[int] = []
    check_images([read_images(tmp_path, "train")], 8, 3, advance=steps.append)
    assert sum(steps) == 80
    assert len(steps) > 1


def test_data_check_reads_a_folder(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"cat": 2, "dog": 2})
    folders(tmp_path / "test", {"cat": 2}, seed=1)
    result = jumok("data", "check", tmp_path)
    assert result.code == 0, result.err
    assert "train: 4 images, 2 classes" in result.out
    assert "test: 2 images, 1 of 2 classes" in result.out
    assert "train: 4 images" in jumok("data", "check", tmp_path / "train").out
    assert "stands alone" in mistake("data", "check", tmp_path / "train/cat/0.png")
    assert "is checked alone" in mistake("data", "check", tmp_path, tmp_path)
