"""Laws of character sets: what they hold, that text comes back, that nothing outside is lost in silence."""

import random
import string
import unicodedata
from pathlib import Path

import pytest

from jumok.data.charset import LETTERS, LOST, NAMED, Charset, Spelling
from jumok.data.tokenizer import SPECIALS
from jumok.errors import UserError


def spelling(**changes: str) -> Spelling:
    return Spelling.model_validate(changes)


def test_the_named_sets_are_what_they_are_called() -> None:
    for name, count in (("latin36", 36), ("latin94", 94), ("hangul2350", 2350), ("hangul11172", 11172)):
        made = Charset.make(name, spelling(spaces="strip"))
        assert len(made.characters) == count == made.vocab_size - 4
    assert set(Charset.make("latin94", spelling(spaces="strip")).characters) == set(string.printable[:94])
    syllables = Charset.make("hangul2350", spelling(spaces="strip")).characters
    assert all("가" <= character <= "힣" for character in syllables)
    assert all(len(character.encode("euc-kr")) == 2 for character in syllables), "each is a character of KS X 1001"
    assert "힣" not in syllables
    assert {"가", "한", "힝"} <= set(syllables)


def test_sets_are_joined_and_brought_to_the_spelling() -> None:
    both = Charset.make("latin94+hangul2350", spelling())
    assert len(both.characters) == 94 + 2350 + 1
    assert " " in both.characters, "spaces are kept"
    small = Charset.make("latin94", spelling(case="lower", punctuation="strip", spaces="strip"))
    assert set(small.characters) == set(string.digits + string.ascii_lowercase)
    assert set(Charset.make("data", spelling(), ["cab", "dé"]).characters) == set("abcdé ")
    assert set(Charset.make("latin36+data", spelling(), ["é!"]).characters) > set("é!09az")


@pytest.mark.parametrize("name", ["latin94", "latin36+hangul2350", "hangul11172"])
def test_text_of_the_set_comes_back(name: str, seed: int, tmp_path: Path) -> None:
    charset, rng = Charset.make(name, spelling()), random.Random(seed)
    for _ in range(20):
        text = charset.spelling("".join(rng.choices(charset.characters, k=rng.randint(0, 12))))
        tokens = charset.encode(text)
        assert charset.decode(tokens) == text
        assert all(4 <= token < charset.vocab_size for token in tokens)
        assert [charset.vocabulary()[token] for token in tokens] == list(text)
    charset.save(tmp_path)
    assert Charset.load(tmp_path) == charset
    assert charset.decode([0, 1, 2]) == ""


def test_what_is_outside_is_one_unknown_token_each() -> None:
    charset = Charset.make("latin36", spelling())
    assert charset.outside("aé!b A") == ["é", "!", "A"]
    assert charset.encode("aéb")[1] == 3
    assert charset.decode(charset.encode("aéb")) == f"a{LOST}b"


def test_labels_are_spelled_as_the_policy_says() -> None:
    text = unicodedata.normalize("NFD", "  Café,  한글!  $5 ")
    assert spelling()(text) == "Café, 한글! $5"
    assert spelling(case="lower")(text) == "café, 한글! $5"
    assert spelling(punctuation="strip")(text) == "Café 한글 5"
    assert spelling(spaces="strip")(text) == "Café,한글!$5"
    assert spelling(punctuation="strip")("a - b") == "a b"
    assert spelling(punctuation="strip")("!?") == ""


def test_mistakes_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'latin95' is no character set; choose data or one of latin36"):
        Charset.make("latin94+latin95", spelling())
    with pytest.raises(UserError, match="is empty with this data"):
        Charset.make("data", spelling(), ["", " "])
    with pytest.raises(UserError, match="damaged"):
        Charset.load(tmp_path)
    (tmp_path / "charset.json").write_text('{"name": "x", "spelling": {}, "characters": "aa"}')
    with pytest.raises(UserError, match="twice"):
        Charset.load(tmp_path)


def test_letters_are_those_that_unicode_takes_syllables_apart_into() -> None:
    charset = Charset.make("latin36+hangul11172", spelling())
    letters = charset.letters()
    assert letters is not None
    assert letters[: len(SPECIALS) + 36] == [(0, 0, 0)] * (len(SPECIALS) + 36)
    assert letters[charset.encode(" ")[0]] == (0, 0, 0)
    # the number of a letter says which it is, whatever syllable it stands in
    names: dict[int, set[str]] = {}
    for character in NAMED["hangul11172"]():
        parts = [part for part in letters[charset.encode(character)[0]] if part]
        for part, letter in zip(parts, unicodedata.normalize("NFD", character), strict=True):
            names.setdefault(part, set()).add(letter)
    assert sorted(names) == list(range(1, LETTERS + 1))
    assert all(len(found) == 1 for found in names.values())
    assert Charset.make("latin94", spelling()).letters() is None
