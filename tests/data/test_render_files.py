"""`jumok data words`: pictures and labels as files, all or nothing, the same by any number of processes."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.commands import jumok
from tests.data.typefaces import box_font, system_font

from jumok.data import render_files
from jumok.data.render import WordRenderer
from jumok.data.render_files import choose_words, write_words
from jumok.errors import UserError

BOXES = dict.fromkeys("가나다라", "box")


@pytest.fixture
def renderer(tmp_path: Path) -> WordRenderer:
    return WordRenderer([box_font(tmp_path / "boxes.ttf", BOXES)])


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("street\nCafé\n\n편의점\n한글 주목\nשלום\n", encoding="utf-8")
    return path


def labels(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "labels.tsv").read_text(encoding="utf-8").splitlines()
    return [(name, word) for name, word in (line.split("\t") for line in lines)]


@pytest.mark.system("fonts-dejavu")
@pytest.mark.system("fonts-nanum")
def test_the_command_writes_pictures_and_labels(tmp_path: Path, words: Path, seed: int) -> None:
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    for name in ("DejaVuSans.ttf", "NanumGothic.ttf"):
        (fonts / name).write_bytes(system_font(name).read_bytes())
    (fonts / "bad.ttf").write_bytes(b"bad")
    arguments = "data", "words", "--fonts", fonts, "--words", words, "--count", 12
    result = jumok(*arguments, "--out", tmp_path / "out", "--seed", seed)
    assert result.code == 0, result.err
    assert "bad.ttf is not used: not readable as a font" in result.err
    assert "cannot draw 'שלום'" in result.err
    assert "12 words in 2 families of fonts" in result.err
    rows = labels(tmp_path / "out")
    assert Counter(word for _, word in rows) == dict.fromkeys(["street", "Café", "편의점", "한글 주목"], 3)
    drawn = WordRenderer([fonts / "DejaVuSans.ttf", fonts / "NanumGothic.ttf"])
    for index, (name, word) in enumerate(rows):
        with Image.open(tmp_path / "out" / name) as image:
            assert np.array_equal(np.asarray(image), drawn(word, (seed, index)))
    again = jumok(*arguments, "--out", tmp_path / "out")
    assert (again.code, "out is not empty" in again.err) == (2, True)
    other = jumok(*arguments, "--out", tmp_path / "other", "--seed", seed + 1, "--vertical", 1.0, "--vary")
    assert other.code == 0, other.err
    assert [name for name, _ in labels(tmp_path / "other")] == [name for name, _ in rows]
    assert {word for _, word in labels(tmp_path / "other")} != {word for _, word in rows}


def test_several_processes_write_the_same_files(
    tmp_path: Path, renderer: WordRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_files, "_ALONE", 0)
    monkeypatch.setattr(render_files, "_CHUNK", 4)
    chosen = ["가나", "다", "라가"] * 5
    for processes in (1, 2):
        write_words(tmp_path / str(processes), chosen, renderer, seed=3, processes=processes)
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
        for folder in (tmp_path / "1", tmp_path / "2")
    )
    assert len(one) == 16
    assert one == two


def test_a_folder_is_written_whole_or_not_at_all(
    tmp_path: Path, renderer: WordRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(render_files, "atomic_write", _full)
        with pytest.raises(UserError, match=r"cannot write .*out: No space left"):
            write_words(tmp_path / "out", ["가"], renderer)
    with pytest.raises(UserError, match="no font has '마'"):
        write_words(tmp_path / "out", ["가", "마"], renderer)
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(UserError, match="out is not empty"):
        write_words(tmp_path / "out", ["가"], renderer)


def test_every_word_is_chosen_as_often(renderer: WordRenderer, seed: int) -> None:
    listed = ["가", "나", "가나", "마", "다", "가"]
    chosen = choose_words(listed, renderer, 80, seed, vary=False)
    assert Counter(chosen.words) == dict.fromkeys(["가", "나", "가나", "다"], 20)
    assert len(chosen.reasons) == 1
    assert chosen.words == choose_words(listed, renderer, 80, seed, vary=False).words
    varied = choose_words(listed, renderer, 400, seed, vary=True)
    assert set(varied.words) - set(listed)
    assert not any(map(renderer.missing, varied.words))
    with pytest.raises(UserError, match="none of the words can be drawn: cannot draw '마'"):
        choose_words(["마"], renderer, 1, seed, vary=False)


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
