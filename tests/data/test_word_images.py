"""Words with their texts in every layout that users have, and every fault of them as one clear message."""

import json
import os
import shutil
from multiprocessing import get_context
from pathlib import Path

import lmdb
import pytest
from tests.data.pictures import noise, save

from jumok.data.image_file import BadImage
from jumok.data.word_images import Crop, WordSet, read_labelled_words, read_words
from jumok.errors import UserError

TEXTS = ["Loans", 'say "hi"', "a,b", "한글", "two words"]


def crops(folder: Path, prefix: str = "") -> list[str]:
    names = [f"{prefix}{number}.png" for number in range(len(TEXTS))]
    for number, name in enumerate(names):
        save(folder / name, noise(20 + number, 10, seed=number))
    return names


def check(found: WordSet, folder: Path, names: list[str]) -> None:
    assert found.texts == TEXTS
    assert found.crops == [folder / name for name in names]
    assert all(path.is_file() for path in found.crops if isinstance(path, Path))


def write_lmdb(folder: Path, images: list[bytes], labels: list[bytes], count: bytes | None = None) -> Path:
    with lmdb.open(str(folder), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for number, (image, label) in enumerate(zip(images, labels, strict=True), start=1):
            transaction.put(f"image-{number:09d}".encode(), image)
            transaction.put(f"label-{number:09d}".encode(), label)
        transaction.put(b"num-samples", str(len(labels)).encode() if count is None else count)
    return folder


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [True, False])
def test_tsv_is_read_as_it_stands(tmp_path: Path, newline: str, header: bool) -> None:
    names = crops(tmp_path, "train/")
    lines = [*(["file\ttext"] * header), *(f"{name}\t{text}" for name, text in zip(names, TEXTS, strict=True))]
    lines.insert(3, "")
    (tmp_path / "train.tsv").write_bytes(b"\xef\xbb\xbf" + newline.join([*lines, ""]).encode())
    check(read_words(tmp_path, "train"), tmp_path, names)


def test_csv_and_jsonl(tmp_path: Path) -> None:
    names = crops(tmp_path)
    quoted = [json.dumps(text, ensure_ascii=False).replace('\\"', '""') for text in TEXTS]
    rows = ["text,more,file", *(f"{text},1,{name}" for name, text in zip(names, quoted, strict=True))]
    (tmp_path / "val.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    check(read_words(tmp_path, "val"), tmp_path, names)
    objects = [{"path": name, "label": text} for name, text in zip(names, TEXTS, strict=True)]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    check(read_words(tmp_path, "test"), tmp_path, names)


def test_doctr_s_folder(tmp_path: Path) -> None:
    names = crops(tmp_path / "train" / "images")
    (tmp_path / "train" / "labels.json").write_text(json.dumps(dict(zip(names, TEXTS, strict=True))))
    check(read_words(tmp_path, "train"), tmp_path / "train" / "images", names)
    check(read_labelled_words(tmp_path / "train" / "labels.json"), tmp_path / "train" / "images", names)


def test_what_data_words_wrote_is_a_split(tmp_path: Path) -> None:
    names = crops(tmp_path / "train", "images/000/")
    rows = "".join(f"{name}\t{text}\n" for name, text in zip(names, TEXTS, strict=True))
    (tmp_path / "train" / "labels.tsv").write_text(rows, encoding="utf-8")
    check(read_words(tmp_path, "train"), tmp_path / "train", names)


def test_file_names_start_from_the_images_or_the_usual_places(tmp_path: Path) -> None:
    names = crops(tmp_path / "elsewhere")
    list_file = tmp_path / "lists" / "train.tsv"
    list_file.parent.mkdir()
    list_file.write_text("".join(f"{name}\t{text}\n" for name, text in zip(names, TEXTS, strict=True)))
    check(read_labelled_words(list_file, tmp_path / "elsewhere"), tmp_path / "elsewhere", names)
    for place in ("images", "train"):
        shutil.copytree(tmp_path / "elsewhere", tmp_path / "lists" / place)
        check(read_labelled_words(list_file), tmp_path / "lists" / place, names)
        shutil.rmtree(tmp_path / "lists" / place)


def test_an_lmdb(tmp_path: Path) -> None:
    names = crops(tmp_path / "files")
    images = [(tmp_path / "files" / name).read_bytes() for name in names]
    write_lmdb(tmp_path / "train", images, [text.encode() for text in TEXTS])
    before = sorted(os.listdir(tmp_path / "train"))
    found = read_words(tmp_path, "train")
    assert found.texts == TEXTS
    assert [crop.content() for crop in found.crops if not isinstance(crop, Path)] == images
    assert sorted(os.listdir(tmp_path / "train")) == before, "it is only read"
    assert len(read_labelled_words(tmp_path / "train")) == len(TEXTS)


def test_an_lmdb_is_read_by_forked_processes_and_anew_once_it_is_replaced(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "train", [b"one", b"two"], [b"x", b"y"])
    crops = read_words(tmp_path, "train").crops
    contents = [crop.content() for crop in crops if not isinstance(crop, Path)]
    with get_context("fork").Pool(2) as pool:
        assert pool.map(_content, crops) == contents == [b"one", b"two"]
    shutil.rmtree(tmp_path / "train")
    write_lmdb(tmp_path / "train", [b"three"], [b"z"])
    assert read_words(tmp_path, "train").texts == ["z"]
    gone = crops[1]
    assert not isinstance(gone, Path)
    with pytest.raises(BadImage, match="has no image-000000002"):
        gone.content()


def _content(crop: Crop) -> bytes:
    assert not isinstance(crop, Path)
    return crop.content()


def test_a_broken_lmdb_is_one_message(tmp_path: Path) -> None:
    image = save(tmp_path / "a.png", noise(9, 9)).read_bytes()
    for name, labels, count, message in (
        ("without", [b"a"], b"", "without num-samples"),
        ("fewer", [b"a"], b"3", "no label-000000002"),
        ("latin", [b"caf\xe9"], None, "label-000000001 is not UTF-8"),
    ):
        write_lmdb(tmp_path / name, [image], labels, count)
        with pytest.raises(UserError, match=message):
            read_labelled_words(tmp_path / name)
    cut = write_lmdb(tmp_path / "cut", [noise(200, 200).tobytes()] * 4, [b"a"] * 4) / "data.mdb"
    cut.write_bytes(cut.read_bytes()[: 1 << 16])
    with pytest.raises(UserError, match="cut short"):
        read_labelled_words(tmp_path / "cut")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "data.mdb").write_bytes(os.urandom(20_000))
    with pytest.raises(UserError, match="damaged LMDB"):
        read_labelled_words(tmp_path / "junk")


def test_an_lmdb_without_the_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lmdb(tmp_path / "train", [b""], [b"a"])
    monkeypatch.setitem(__import__("sys").modules, "lmdb", None)
    with pytest.raises(UserError, match=r"pip install 'jumok\[lmdb\]'"):
        read_words(tmp_path, "train")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.tsv", "a.png\tx\nb.png\n", "line 2: 1 columns, 2 are expected"),
        ("train.tsv", "a.png\tx\ty\n", "line 1: 3 columns"),
        ("train.tsv", "\tx\n", "line 1: the file name is empty"),
        ("train.tsv", "\n", "holds no words"),
        ("train.tsv", b"a.png\tcaf\xe9\n", "not UTF-8"),
        ("train.csv", "a,b\nc,d\n", "name two of them file and text"),
        ("train.csv", "file,text\na,b,c\n", "line 2: 3 columns"),
        ("train.jsonl", '{"file": "a"}\n', "an object with file and text is expected"),
        ("train.jsonl", '{"file": "a", "text": 5}\n', "must be text"),
        ("train.jsonl", '{"file": "a", "text": "\\u0000"}\n', "NUL"),
        ("train.jsonl", "{\n", "line 1: not JSON"),
        ("train/labels.json", '{"a.png": {"polygons": []}}', "labels of a detector"),
        ("train/labels.json", "[]", "an object of file names and texts"),
        ("train/labels.json", "{", "not JSON"),
        ("other.tsv", "a\tb\n", "no 'train' words in .* there is: other.tsv"),
    ],
)
def test_every_fault_names_its_place(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError, match=message):
        read_words(tmp_path, "train")


def test_what_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tb\n")
    (tmp_path / "train.csv").write_text("file,text\na,b\n")
    for path, message in (
        (tmp_path / "nowhere", "there is no folder"),
        (tmp_path, "not clear which"),
    ):
        with pytest.raises(UserError, match=message):
            read_words(path, "train")
    (tmp_path / "a.txt.gz").write_bytes(b"")
    for path, message in (
        (tmp_path / "missing.tsv", "there is no"),
        (tmp_path, "neither labels.json"),
        (tmp_path / "a.txt.gz", "is no list of words"),
    ):
        with pytest.raises(UserError, match=message):
            read_labelled_words(path)
