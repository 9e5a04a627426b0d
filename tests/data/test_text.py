"""Reading text: every layout gives the same pairs, every fault one message that names the place."""

import gzip
import io
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jumok.data.text import held_out_splits, normalized, read_lines, read_pair, read_parallel, stream_lines
from jumok.errors import UserError

LINE = st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=20)
FILES = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def write(path: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@FILES
@given(st.lists(LINE, min_size=1), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from(["a.de", "a.de.gz"]))
def test_lines_come_back_and_only_newlines_end_them(
    tmp_path: Path, lines: list[str], ending: str, mark: bool, name: str
) -> None:
    # U+2028, U+0085, vertical tabs and form feeds are drawn here too
    content = ("\ufeff" if mark else "") + ending.join(lines) + ending
    path = write(tmp_path / name, content)
    expected = [line.removeprefix("\ufeff") if i == 0 and not mark else line for i, line in enumerate(lines)]
    assert read_lines(path, "none").lines == expected
    streamed = list(stream_lines(io.BytesIO(content.encode()), normalize="none"))
    assert streamed == expected
    nfc = read_lines(path, "nfc")
    assert nfc.lines == [unicodedata.normalize("NFC", line) for line in expected]
    assert nfc.changed == sum(not unicodedata.is_normalized("NFC", line) for line in expected)


def test_characters_that_python_takes_for_line_ends_stay_inside_the_line(tmp_path: Path) -> None:
    line = "a\u2028b\u0085c\x0bd\x0ce\x1cf\u2029g"
    assert read_lines(write(tmp_path / "x", line + "\n\nlast")).lines == [line, "", "last"]
    assert list(stream_lines(io.BytesIO(f"{line}\n\nlast".encode()))) == [line, "", "last"]


def test_decomposed_hangul_is_composed_and_counted(tmp_path: Path) -> None:
    korean = "주목은 집중이다"
    path = write(tmp_path / "x", unicodedata.normalize("NFD", korean) + "\nplain\n")
    lines = read_lines(path)
    assert (lines.lines, lines.changed) == ([korean, "plain"], 1)
    assert normalized(unicodedata.normalize("NFD", korean)) == korean


def test_an_empty_stream_is_no_lines() -> None:
    assert list(stream_lines(io.BytesIO(b""))) == []
    assert list(stream_lines(io.BytesIO(b"\n\n"))) == ["", ""]


PAIRS = [("Ein Mann.", "A man."), ("", "empty source"), ("tab-free  spaces", "주목"), ('"quoted"', "it's")]


def layouts(folder: Path) -> dict[str, str]:
    header = "\n".join(["en\tde", *(f"{t}\t{s}" for s, t in PAIRS)])
    return {
        "plain.tsv": "\n".join(f"{s}\t{t}" for s, t in PAIRS),
        "header.tsv": header,
        "named.tsv": "\n".join(["id\tTarget\tSource", *(f"{i}\t{t}\t{s}" for i, (s, t) in enumerate(PAIRS))]),
        "languages.jsonl": "\n".join(json.dumps({"de": s, "en": t}) for s, t in PAIRS),
        "nested.jsonl": "\n".join(json.dumps({"id": 1, "translation": {"en": t, "de": s}}) for s, t in PAIRS),
        "sides.jsonl": "\n".join(json.dumps({"source": s, "target": t}, ensure_ascii=False) for s, t in PAIRS),
    }


@pytest.mark.parametrize("compressed", [False, True])
def test_every_layout_gives_the_same_pairs(tmp_path: Path, compressed: bool) -> None:
    ending = ".gz" if compressed else ""
    for name, content in layouts(tmp_path).items():
        write(tmp_path / (name + ending), content)
    write(tmp_path / f"prefix.de{ending}", "\n".join(s for s, _ in PAIRS))
    write(tmp_path / "prefix.en", "\n".join(t for _, t in PAIRS) + "\n")
    for split in ["plain", "header", "named", "languages", "nested", "sides", "prefix"]:
        corpus = read_parallel(tmp_path, split, "de", "en")
        assert list(zip(corpus.sources, corpus.targets, strict=True)) == PAIRS, split
        assert corpus.name == split
        assert len(corpus.files) == (2 if split == "prefix" else 1)


def test_line_breaks_inside_json_become_spaces(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", json.dumps({"de": "a\r\nb\nc", "en": "d\re"}))
    corpus = read_parallel(tmp_path, "x", "de", "en")
    assert (corpus.sources, corpus.targets) == (["a b c"], ["d e"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ["empty"]),
        (b"one\ntwo\n\xe4hnlich\n", ["not UTF-8", "line 3", "byte 8", "0xe4"]),
        (b"\xef\xbb\xbfone\n\xff\n", ["not UTF-8", "line 2", "byte 7"]),
        (b"\xff\xfea\0b\0", ["UTF-16"]),
        (b"one\ntw\0o\n", ["NUL", "line 2", "byte 6"]),
    ],
)
def test_unreadable_content_is_named_by_file_line_and_byte(tmp_path: Path, content: bytes, says: list[str]) -> None:
    for name in ("bad.de", "bad.de.gz"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") and content else content)
        with pytest.raises(UserError) as error:
            read_lines(path)
        assert all(part in str(error.value) for part in [name, *says]), str(error.value)
    if content:
        with pytest.raises(UserError) as error:
            list(stream_lines(io.BytesIO(content)))
        assert all(part in str(error.value) for part in ["standard input", *says]), str(error.value)


def test_a_stream_hands_over_what_came_before_the_fault() -> None:
    lines = stream_lines(io.BytesIO(b"good\nb\xe4d\n"))
    assert next(lines) == "good"
    with pytest.raises(UserError, match=r"line 2, byte 6"):
        next(lines)


def test_missing_files_are_listed_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        read_parallel(tmp_path / "nowhere", "train", "de", "en")
    with pytest.raises(UserError, match="no file"):
        read_lines(tmp_path / "nothing.de")
    write(tmp_path / "other.txt", "x")
    with pytest.raises(UserError, match=r"train\.de and train\.en, train\.tsv or train\.jsonl.*there is: other\.txt"):
        read_parallel(tmp_path, "train", "de", "en")
    write(tmp_path / "train.de", "x")
    with pytest.raises(UserError, match=r"has train\.de but no train\.en"):
        read_parallel(tmp_path, "train", "de", "en")
    write(tmp_path / "train.en", "x")
    write(tmp_path / "train.en.gz", "y")
    with pytest.raises(UserError, match=r"train\.en, train\.en\.gz.*not clear"):
        read_parallel(tmp_path, "train", "de", "en")
    with pytest.raises(UserError, match="two different languages"):
        read_parallel(tmp_path, "train", "de", "de")
    with pytest.raises(UserError, match="cannot read"):
        read_lines(tmp_path)


def test_unequal_line_counts_stop_with_both_counts(tmp_path: Path) -> None:
    left, right = write(tmp_path / "t.de", "a\nb\nc\n"), write(tmp_path / "t.en", "a\nb\n")
    with pytest.raises(UserError) as error:
        read_pair(left, right)
    assert all(part in str(error.value) for part in ["t.de has 3 lines", "t.en has 2"])


def test_a_cut_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.de.gz"
    path.write_bytes(gzip.compress(b"some text\n" * 100)[:-12])
    with pytest.raises(UserError, match=r"cut\.de\.gz is not a whole gzip file"):
        read_lines(path)
    path.write_bytes(b"not compressed at all")
    with pytest.raises(UserError, match="not a whole gzip file"):
        read_lines(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.tsv", "a\tb\nc\n", "line 2: 1 columns, 2 are expected"),
        ("x.tsv", "a\tb\tc\n", "line 1: 3 columns, 2 are expected"),
        ("x.tsv", "de\ten\nc\td\te\n", "line 2: 3 columns, 2 are expected"),
        ("x.tsv", "de\ten\n", "no pair"),
        ("x.jsonl", '{"de": "a", "en": "b"}\n{"de": "a"\n', "line 2: not JSON"),
        ("x.jsonl", "[1]\n", "line 1: [1] where an object is expected"),
        ("x.jsonl", '{"de": "a", "fr": "b"}\n', "line 1: no key 'en'; the keys are 'de', 'fr'"),
        ("x.jsonl", '{"de": "a", "en": 3}\n', "line 1: 'en' is 3"),
        ("x.jsonl", '{"de": "a", "en": "b\\u0000"}\n', "line 1: 'en' holds a NUL"),
        ("x.jsonl", '{"de": "a", "en": "\\ud800"}\n', "line 1: 'en' holds half of a surrogate"),
    ],
)
def test_malformed_rows_are_named_by_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    write(tmp_path / name, content)
    with pytest.raises(UserError) as error:
        read_parallel(tmp_path, "x", "de", "en")
    assert says in str(error.value)
    assert name in str(error.value)


def test_whole_splits_named_test_are_found(tmp_path: Path) -> None:
    for name in (
        "train.de",
        "train.en",
        "test.de",
        "test.en.gz",
        "test_a.b.tsv",
        "tests.jsonl.gz",
        "test_half.de",
        "test.md",
    ):
        write(tmp_path / name, "x\n")
    assert held_out_splits(tmp_path, "de", "en") == ["test", "test_a.b", "tests"]
