"""Images as users have them: folders and lists, and every kind of file that Pillow reads, good and bad."""

import io
import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.pictures import bomb, folders, noise, save

from jumok.data.image_file import MAX_PIXELS, BadImage, centre, decode
from jumok.data.images import image_files, read_images, read_labelled
from jumok.errors import UserError


def test_class_folders(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"dog": 2, "cat": 3})
    folders(tmp_path / "val", {"dog": 1})
    save(tmp_path / "train/cat/deeper/more.PNG", noise(8, 8))  # tiny ImageNet's layout
    (tmp_path / "train/cat/.DS_Store").write_text("")
    (tmp_path / "train/cat/notes.txt").write_text("")
    (tmp_path / "train/readme").write_text("")
    train = read_images(tmp_path, "train")
    assert train.classes == ("cat", "dog")
    assert train.labels == [0, 0, 0, 0, 1, 1]
    assert [path.parent.name for path in train.paths] == ["cat"] * 3 + ["deeper"] + ["dog"] * 2
    assert (train.name, train.source, train.ignored) == ("train", tmp_path / "train", 2)
    val = read_images(tmp_path, "val", classes=train.classes)
    assert (val.labels, val.classes) == ([1], train.classes)
    assert image_files(tmp_path / "train/cat") == train.paths[:4]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_lists(tmp_path: Path, ending: str) -> None:
    rows = [("a/1.png", "zebra"), ("a, b.png", "3"), ("c.png", "zebra")]
    path = tmp_path / f"train.{ending}"
    if ending == "csv":
        lines = ["note,Label,PATH", *(f'x,{label},"{name}"' for name, label in rows), ""]
        path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    else:
        rows[1] = ("a, b.png", 3)  # type: ignore[assignment]
        path.write_text("".join(json.dumps({"path": name, "label": label}) + "\n" for name, label in rows))
    (tmp_path / "train").mkdir()  # images may lie beside their list
    train = read_images(tmp_path, "train")
    assert train.classes == ("3", "zebra")
    assert train.labels == [1, 0, 1]
    assert train.paths == [tmp_path / name for name, _ in rows]
    assert read_images(tmp_path, "train", images=tmp_path / "else").paths[0] == tmp_path / "else/a/1.png"


def test_names_written_on_a_mac_are_the_same_names(tmp_path: Path) -> None:
    folders(tmp_path / "train", {unicodedata.normalize("NFD", "고양이"): 1, "개": 1})
    (tmp_path / "val.csv").write_text("path,label\nx.png,고양이\n", encoding="utf-8")
    train = read_images(tmp_path, "train")
    assert train.classes == ("개", "고양이")
    assert read_images(tmp_path, "val", classes=train.classes).labels == [1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.csv", "a.png,cat\n", "line 1: the columns are a.png, cat; name two of them path and label"),
        ("train.csv", "path,label\na.png\n", "line 2: 1 columns, 2 are expected"),
        ("train.csv", "path,label\na.png,cat\n ,cat\n", "line 3: the path is empty"),
        ("train.csv", "path,label\n", "holds no images"),
        ("train.csv", "path,label\na.png,cat\nb.png,cat\n", "one class only, 'cat'"),
        ("train.jsonl", '{"path": "a.png", "label": "cat"}\n{"path": 1', "line 2: not JSON"),
        ("train.jsonl", '{"path": "a.png"}\n', "line 1: an object with path and label is expected"),
        ("train.jsonl", '{"path": "a.png", "label": [1]}\n', "line 1: path must be text"),
        ("train.jsonl", '{"path": "a\\u0000.png", "label": "b"}\n', "line 1: the path holds a NUL"),
    ],
)
def test_a_list_that_cannot_be_used(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as caught:
        read_images(tmp_path, "train")
    assert message in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        read_images(tmp_path / "none", "train")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=r"no 'train' images in .*there is: other"):
        read_images(tmp_path, "train")
    save(tmp_path / "train/1.png", noise(8, 8))
    with pytest.raises(UserError, match="files but no class folders"):
        read_images(tmp_path, "train")
    folders(tmp_path / "train", {"cat": 2})
    with pytest.raises(UserError, match="one class only, 'cat'"):
        read_images(tmp_path, "train")
    folders(tmp_path / "train", {"cow": 1, "dog": 0})
    with pytest.raises(UserError, match="no image in the class dog"):
        read_images(tmp_path, "train")
    for ending in ("csv", "jsonl"):
        (tmp_path / f"train.{ending}").write_text("")
    with pytest.raises(UserError, match=r"train.csv and train.jsonl, and it is not clear"):
        read_images(tmp_path, "train")
    with pytest.raises(UserError, match="no list of images"):
        read_labelled(tmp_path / "train/1.png")
    with pytest.raises(UserError, match=r"there is no .*nowhere"):
        read_labelled(tmp_path / "nowhere")


def test_a_label_that_training_never_saw(tmp_path: Path) -> None:
    folders(tmp_path / "val", {"cat": 1, "fox": 1})
    with pytest.raises(UserError, match=r"val/fox: 'fox' is no class of the training data \(cat, dog\)"):
        read_images(tmp_path, "val", classes=["cat", "dog"])
    (tmp_path / "val.csv").write_text("path,label\na.png,cat\nb.png,fox\n")
    with pytest.raises(UserError, match=r"val.csv, line 3: 'fox' is no class"):
        read_images(tmp_path, "val", classes=["cat", "dog"])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_number_of_channels(tmp_path: Path, channels: int) -> None:
    original = noise(7, 5, channels)
    path = save(tmp_path / "x.png", original)
    pixels, size = decode(path, channels)
    assert size == (7, 5)
    assert np.array_equal(pixels, original)
    for other in (1, 2, 3, 4):
        assert decode(path, other)[0].shape == (5, 7, other)


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    for ending in ("png", "tiff"):
        Image.fromarray(values).save(tmp_path / f"x.{ending}")
        assert decode(tmp_path / f"x.{ending}", 1)[0][0, :, 0].tolist() == [0, 1, 128, 255]
    Image.fromarray(values.astype(np.int32)).save(tmp_path / "wide.tiff")
    assert decode(tmp_path / "wide.tiff", 1)[0][0, :, 0].tolist() == [0, 1, 128, 255]
    for top in (1.0, 255.0):
        Image.fromarray(np.array([[0, 0.5 * top, top]], dtype=np.float32)).save(tmp_path / "real.tiff")
        assert decode(tmp_path / "real.tiff", 1)[0][0, :, 0].tolist() == [0, 128, 255]


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((1, 2, 4), dtype=np.uint8)
    pixels[0, 0] = 255, 0, 0, 255
    path = save(tmp_path / "x.png", pixels)
    assert decode(path, 3)[0].tolist() == [[[255, 0, 0], [255, 255, 255]]]
    assert decode(path, 4)[0][0, 1].tolist() == [0, 0, 0, 0]
    save(tmp_path / "la.png", pixels[:, :, 2:])
    assert decode(tmp_path / "la.png", 1)[0].tolist() == [[[0], [255]]]


def test_palettes(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "p.png")
    assert decode(tmp_path / "p.png", 3)[0].tolist() == [[[10, 20, 30], [200, 100, 50]]]
    image.save(tmp_path / "t.png", transparency=0)
    assert decode(tmp_path / "t.png", 3)[0].tolist() == [[[255, 255, 255], [200, 100, 50]]]
    assert decode(tmp_path / "t.png", 4)[0][0, :, 3].tolist() == [0, 255]


@pytest.mark.parametrize(("mode", "ending"), [("CMYK", "jpg"), ("1", "png"), ("YCbCr", "jpg")])
def test_other_colour_spaces(tmp_path: Path, mode: str, ending: str) -> None:
    Image.new("RGB", (8, 8), "white").convert(mode).save(tmp_path / f"x.{ending}")
    assert decode(tmp_path / f"x.{ending}", 3)[0].min() >= 250


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((16, 32, 3), dtype=np.uint8)
    upright[:8, :16] = 255  # white in the upper left
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(decode(tmp_path / "x.png")[0], upright)
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "x.jpg", exif=exif)
    assert np.abs(decode(tmp_path / "x.jpg")[0].astype(int) - upright).mean() < 2


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert decode(tmp_path / "x.gif")[0][0, 0].tolist() == [255, 0, 0]


def test_a_larger_image_is_shrunk_by_its_shorter_side(tmp_path: Path) -> None:
    for name in ("x.png", "x.jpg"):
        path = save(tmp_path / name, noise(90, 60))
        assert decode(path, shorter=20)[0].shape == (20, 30, 3)
        assert decode(path, shorter=20)[1] == (90, 60)
        assert decode(path, shorter=200)[0].shape == (60, 90, 3)
    assert decode(save(tmp_path / "long.png", noise(400, 2)), shorter=1)[0].shape == (1, 200, 3)


def test_the_centre_is_what_evaluation_sees() -> None:
    pixels = noise(12, 8)
    assert np.array_equal(centre(pixels, 8), pixels[:, 2:10])
    assert centre(pixels, 4).shape == (4, 4, 3)
    assert centre(pixels, 20).shape == (20, 20, 3)
    assert centre(noise(5, 9, 1), 6).shape == (6, 6, 1)


def test_bad_files_say_why(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(whole, "JPEG")
    png = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(png, "PNG")
    files = {
        "empty.jpg": (b"", "the file is empty"),
        "text.jpg": (b"once upon a time", "no image that Pillow can read"),
        "cut.jpg": (whole.getvalue()[:900], "truncated"),
        "cut.png": (png.getvalue()[:900], "truncated"),
        "header.jpg": (whole.getvalue()[:20], "truncated|Pillow can read"),
    }
    for name, (content, reason) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadImage, match=reason):
            decode(tmp_path / name)
    with pytest.raises(BadImage, match="no such file"):
        decode(tmp_path / "missing.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(BadImage, match="Is a directory"):
        decode(tmp_path / "folder.png")


@pytest.mark.parametrize("side", [30_000, 9_500, 12_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_unopened(tmp_path: Path, side: int) -> None:
    assert side * side > MAX_PIXELS
    with pytest.raises(BadImage, match="more than 80,000,000 pixels; it was not opened"):
        decode(bomb(tmp_path / "x.png", side, side))


@pytest.mark.parametrize("seed_of_damage", range(40))
def test_damage_anywhere_is_a_bad_image_or_a_picture(tmp_path: Path, seed_of_damage: int) -> None:
    rng = np.random.default_rng(seed_of_damage)
    for ending in ("jpg", "png", "gif", "tiff", "webp", "bmp"):
        path = save(tmp_path / f"x.{ending}", noise(16, 16))
        content = bytearray(path.read_bytes())
        for place in rng.integers(0, len(content), 8):
            content[place] = rng.integers(256)
        path.write_bytes(bytes(content))
        try:
            pixels, _ = decode(path)
        except BadImage:
            continue
        assert pixels.shape[2] == 3


@pytest.mark.parametrize(("library", "module"), [("PIL", "images"), ("kornia", "augment")])
def test_without_the_libraries_it_says_what_to_install(library: str, module: str) -> None:
    code = f"import sys; sys.modules['{library}'] = None; import jumok.data.{module}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "UserError: images need Pillow and kornia: pip install 'jumok[images]'" in result.stderr
