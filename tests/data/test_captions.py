"""Lists of captions: every layout gives the same images and captions; every fault is named with its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.commands import jumok
from tests.data.pictures import noise, save

from jumok.data.caption_report import CaptionReport, CaptionStore, check_captions
from jumok.data.captions import CaptionSet, read_captioned, read_captions
from jumok.errors import UserError

ROWS = {"a.png": ["A dog .", "A dog runs ."], "b.png": ["Two cats, asleep"], "c.png": ["한 남자가  걷는다\n"]}
PLAIN = [["A dog .", "A dog runs ."], ["Two cats, asleep"], ["한 남자가 걷는다"]]


def write_images(folder: Path, names: list[str] | None = None) -> None:
    for number, name in enumerate(ROWS if names is None else names):
        save(folder / name, noise(12, 10, seed=number))


def jsonl(rows: dict[str, list[str]], prefix: str = "") -> str:
    return "".join(json.dumps({"image": prefix + name, "captions": texts}) + "\n" for name, texts in rows.items())


def coco(rows: dict[str, list[str]]) -> str:
    images = [{"id": number, "file_name": name} for number, name in enumerate(rows)]
    annotations: list[dict[str, Any]] = [
        {"id": 100 * number + i, "image_id": number, "caption": text}
        for number, texts in enumerate(rows.values())
        for i, text in enumerate(texts)
    ]
    return json.dumps({"info": {}, "images": images, "annotations": annotations[::-1]})


def csv_lines(rows: dict[str, list[str]]) -> str:
    cells = [f'{name},"{text}"\n' for name, texts in rows.items() for text in texts]
    return "image,caption\n" + "".join(cells)


def check(*sets: CaptionSet) -> tuple[list[CaptionStore], CaptionReport]:
    return check_captions(sets, 8, 3)


@pytest.mark.parametrize(("name", "text"), [("x.jsonl", jsonl(ROWS)), ("x.csv", csv_lines(ROWS))])
def test_lists_are_read(tmp_path: Path, name: str, text: str) -> None:
    write_images(tmp_path)
    (tmp_path / name).write_text(text)
    found = read_captions(tmp_path, "x")
    assert found.captions == PLAIN
    assert found.paths == [tmp_path / image for image in ROWS]


def test_coco_is_read(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    (tmp_path / "x.json").write_text(coco(ROWS))
    found = read_captioned(tmp_path / "x.json")
    assert [sorted(texts) for texts in found.captions] == PLAIN
    assert found.paths == [tmp_path / "images" / image for image in ROWS]
    found = read_captioned(tmp_path / "x.json", lowercase=True)
    assert found.captions[1] == ["two cats, asleep"]


def test_paths_start_where_the_images_are(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    (tmp_path / "with.jsonl").write_text(jsonl(ROWS, "images/"))
    (tmp_path / "without.jsonl").write_text(jsonl(ROWS))
    wanted = [tmp_path / "images" / image for image in ROWS]
    assert read_captions(tmp_path, "with").paths == wanted
    assert read_captions(tmp_path, "without").paths == wanted
    assert read_captions(tmp_path, "without", images=tmp_path / "images").paths == wanted
    assert read_captions(tmp_path, "with", images=tmp_path).paths == wanted
    assert read_captions(tmp_path, "with", images=tmp_path / "images").paths == wanted


def test_coco_lies_as_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for part in ("train2017", "val2017"):
        write_images(tmp_path / part)
        (tmp_path / "annotations" / f"captions_{part}.json").write_text(coco(ROWS))
        for images in (None, tmp_path):
            found = read_captions(tmp_path, f"annotations/captions_{part}", images=images)
            assert found.paths == [tmp_path / part / image for image in ROWS]


def test_an_image_may_stand_several_times(tmp_path: Path) -> None:
    rows = [{"image": "a.png", "caption": "one"}, {"image": "b.png", "captions": ["x"]}]
    rows += [{"image": "a.png", "captions": ["two", "one"]}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_captions(tmp_path, "x")
    assert [path.name for path in found.paths] == ["a.png", "b.png"]
    assert found.captions == [["one", "two", "one"], ["x"]]


def test_nothing_is_lost_without_a_word(tmp_path: Path) -> None:
    rows = ROWS | {"d.png": ["", "  "], "e.png": [], "f.png": ["gone", " \t"], "g.png": ["cut"], "h.png": ["A dog ."]}
    write_images(tmp_path, ["a.png", "b.png", "c.png", "d.png", "e.png"])
    (tmp_path / "g.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    (tmp_path / "h.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "train.jsonl").write_text(jsonl(rows))
    (tmp_path / "val.jsonl").write_text(jsonl({"a.png": ["A dog ."], "c.png": ["on the left a cat", "new"]}))
    stores, report = check(read_captions(tmp_path, "train"), read_captions(tmp_path, "val"))
    train, val = report.parts
    assert [path.name for path in stores[0].paths] == ["a.png", "b.png", "c.png", "h.png"]
    assert stores[0].captions == [*PLAIN, ["A dog ."]]
    assert (train.images, train.captions, train.fewest, train.most) == (4, 5, 1, 2)
    assert (train.empty, [Path(path).name for path in train.bare]) == (3, ["d.png", "e.png"])
    assert [Path(path).name for path in train.absent] == ["f.png"]
    assert [Path(path).name for path, _ in train.unreadable] == ["g.png"]
    assert (train.repeats, train.repeated, train.frequent[0]) == (1, 1, ("A dog .", 2))
    assert (val.overlap, val.overlap_captions, val.sides) == (2, 1, 1)
    assert sum(count for *_, count in train.lengths) == train.captions
    text = report.text()
    for piece in [
        "train: 4 images with 5 captions, 1 to 2 each",
        "absent: 1 listed images are not there, skipped: ",
        "unreadable: 1, skipped: ",
        "empty: 3 captions, left out; so were 2 images without any: ",
        "duplicates: 1 images (25.00 %)",
        "repeated captions: 1 (20.00 %), most often 'A dog .' (2)",
        "also in train: 2 images, 1 captions",
        "left and right: in 1 captions",
    ]:
        assert piece in text
    json.dumps(report.as_dict())
    assert jumok("data", "check", tmp_path).out.strip() == check_text(tmp_path)


def check_text(folder: Path) -> str:
    sets = [read_captions(folder, split) for split in ("train", "val")]
    return check_captions(sets, 64, 3)[1].text()


def test_captions_of_images_that_coco_does_not_list_are_counted(tmp_path: Path) -> None:
    write_images(tmp_path)
    values = json.loads(coco(ROWS))
    values["annotations"].append({"image_id": 77, "caption": "of nothing"})
    (tmp_path / "x.json").write_text(json.dumps(values))
    found = read_captioned(tmp_path / "x.json")
    assert found.strays == 1
    assert "1 captions were left out, the file does not list their images" in check(found)[1].text()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "1", "P"])
def test_grey_and_transparent_images_are_seen_in_colour(tmp_path: Path, mode: str) -> None:
    from PIL import Image

    Image.fromarray(noise(12, 10)).convert("RGB" if mode in ("1", "P") else mode).convert(mode).save(tmp_path / "a.png")
    save(tmp_path / "b.png", noise(200, 1))
    (tmp_path / "x.jsonl").write_text(jsonl({"a.png": ["x"], "b.png": ["a strip"]}))
    (store,), _ = check(read_captions(tmp_path, "x"))
    assert [pixels.shape[2] for pixels in store.pixels([0, 1])] == [3, 3]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.jsonl", '{"image": "a.png"}\n', r"x.jsonl, line 1: an object with image and captions is expected"),
        ("x.jsonl", jsonl(ROWS) + "{\n", r"x.jsonl, line 4: not JSON"),
        ("x.jsonl", '{"image": "a.png", "captions": ["a", 3]}\n', r"line 1: captions must be a list of texts"),
        ("x.jsonl", '{"image": " ", "captions": ["a"]}\n', r"line 1: the image's path is empty"),
        ("x.jsonl", '{"image": "a.png", "captions": ["a\\u0000"]}\n', r"line 1: the caption holds a NUL"),
        ("x.jsonl", '{"image": "a.png", "captions": ["\\ud800"]}\n', r"half of a character"),
        ("x.jsonl", '{"image": "a.png", "captions": [""]}\n', r"no image of .* has a caption \(1 images, 1 empty"),
        ("x.csv", "file,text\na,b\n", r"x.csv, line 1: the columns are file, text; name two of them image and caption"),
        ("x.csv", "image,caption\na.png,one, two\n", r"x.csv, line 2: 3 columns, 2 are expected"),
        ("x.json", "[]", r"x.json: COCO's captions are expected"),
        ("x.json", '{"images": [], "annotations": []\n', r"x.json, line 1: not JSON"),
        ("x.json", '{"images": [{"id": 1}], "annotations": []}', r"images\[0\]: an object with id and file_name"),
        (
            "x.json",
            '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": []}',
            r"images\[1\]: the id 1 stands there twice",
        ),
        (
            "x.json",
            '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "bbox": []}]}',
            r"annotations\[0\]: .* \(are these captions\?\)",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_captions(tmp_path, "x")


def test_a_list_that_is_not_there_or_not_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        read_captions(tmp_path / "nowhere", "train")
    with pytest.raises(
        UserError, match=r"no 'train' captions in .*: looked for train.jsonl or train.json or train.csv"
    ):
        read_captions(tmp_path, "train")
    for ending in ("csv", "json"):
        (tmp_path / f"train.{ending}").write_text("")
    with pytest.raises(UserError, match=r"train.json and train.csv, and it is not clear"):
        read_captions(tmp_path, "train")
    with pytest.raises(UserError, match=r"there is no .*x.jsonl"):
        read_captioned(tmp_path / "x.jsonl")
    (tmp_path / "x.txt").write_text("a")
    with pytest.raises(UserError, match="is no list of captions"):
        read_captioned(tmp_path / "x.txt")
    (tmp_path / "x.jsonl").write_text(jsonl(ROWS))
    with pytest.raises(UserError, match=r"no image of .* is left \(3 cannot be read, .*no such file\).*--images"):
        check(read_captions(tmp_path, "x"))
