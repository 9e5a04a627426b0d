"""`jumok data sample`: the files a user would have, and what they promise."""

import json
import re
from pathlib import Path

import pytest

from jumok.data.generated import splits
from jumok.data.sample import write_sample
from jumok.errors import UserError


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "new"
    told = {Path(line.partition(": ")[0]) for line in write_sample(folder)}
    assert told == set((folder / "translate").iterdir())
    return folder / "translate"


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_files_a_user_would_have(sample: Path) -> None:
    names = {f"{split}.{side}" for split in ("train", "val", "test") for side in ("written", "normal")}
    assert {path.name for path in sample.iterdir()} == names | {"test.links.jsonl", "README.txt"}
    seen: set[str] = set()
    for split, count in (("train", 30_000), ("val", 500), ("test", 1000)):
        sources, targets = read(sample / f"{split}.written"), read(sample / f"{split}.normal")
        assert len(sources) == len(targets) == count
        assert not seen & set(sources)
        seen |= set(sources)


def test_links_tell_the_test_pairs(sample: Path) -> None:
    rows = [json.loads(line) for line in read(sample / "test.links.jsonl")]
    assert [row["source"] for row in rows] == read(sample / "test.written")
    assert [row["target"] for row in rows] == read(sample / "test.normal")
    for row in rows:
        for (start, end), (other_start, other_end) in row["links"]:
            assert row["source"][start:end]
            assert row["target"][other_start:other_end]


def test_the_readme_names_files_that_are_there(sample: Path) -> None:
    text = (sample / "README.txt").read_text(encoding="utf-8")
    named = re.findall(rf"{re.escape(str(sample))}/([\w.]+)", text)
    assert named
    assert all((sample / name).is_file() for name in named)
    assert f"data.folder={sample} " in text


def test_the_seed_decides(sample: Path, tmp_path: Path) -> None:
    assert read(sample / "val.written") == [example.source for example in splits(1, train=0)["val"]]
    write_sample(tmp_path, seed=2)
    assert read(tmp_path / "translate/val.written") == [example.source for example in splits(2, train=0)["val"]]
    assert read(tmp_path / "translate/val.written") != read(sample / "val.written")


def test_existing_files_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "translate"
    folder.mkdir()
    (folder / "mine.txt").write_text("years of work")
    with pytest.raises(UserError, match="translate is not empty"):
        write_sample(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, data: str) -> None:
        if path.name == "test.links.jsonl":
            raise UserError(f"cannot write {path}: No space left on device; free space or choose another folder")
        path.write_text(data)

    with monkeypatch.context() as patch:
        patch.setattr("jumok.data.sample.atomic_write", write)
        with pytest.raises(UserError, match="No space left"):
            write_sample(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    write_sample(tmp_path / "new")
    assert (tmp_path / "new/translate/README.txt").is_file()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/translate: (Not a directory|File exists)"):
        write_sample(tmp_path / "file")
