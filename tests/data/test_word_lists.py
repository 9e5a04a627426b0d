"""Which words are drawn: a function of their numbers, spelled as the reader writes, of all characters there are."""

import random
import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumok.data.word_lists import WordSource, read_word_list
from jumok.errors import UserError

WORDS = ("street", "Open", "a", "SALE", "coffee", "naïve", "x" * 40)
LATIN = string.ascii_letters + string.digits + string.punctuation
SYLLABLES = "".join(chr(0xAC00 + 4 * place) for place in range(2350))


def test_a_word_depends_on_its_numbers_alone(seed: int) -> None:
    source, again, other = (WordSource(WORDS, LATIN) for _ in range(3))
    words = [source.word((seed, place)) for place in range(200)]
    random.seed(1)
    assert [again.word((seed, place)) for place in reversed(range(200))] == words[::-1]
    assert [other.word((seed + 1, place)) for place in range(200)] != words


def test_listed_words_come_in_every_case_and_others_beside_them(seed: int) -> None:
    source = WordSource(["street", "coffee"], LATIN)
    counts = Counter(source.word((seed, place)) for place in range(2000))
    assert {"street", "STREET", "Street", "coffee", "COFFEE", "Coffee"} <= counts.keys()
    assert sum(counts[form] for form in ("STREET", "COFFEE")) > 500
    numbers = [word for word in counts if any(char.isdigit() for char in word)]
    assert 0.02 * 2000 < sum(counts[word] for word in numbers) < 0.2 * 2000


def test_a_word_outside_the_characters_is_left_out_and_counted(seed: int) -> None:
    source = WordSource(WORDS, LATIN)
    assert source.words == list(WORDS[:5])
    assert source.left_out == 2  # one with ï, one that is too long
    # capitals are learned as small letters, so they may be drawn
    lower = WordSource(WORDS, string.ascii_lowercase, str.lower)
    drawn = [lower.word((seed, place)) for place in range(500)]
    assert any(word.isupper() for word in drawn)
    assert all(set(word.lower()) <= set(string.ascii_lowercase) for word in drawn)


@given(characters=st.text(min_size=1, max_size=30), words=st.lists(st.text(max_size=8), max_size=5))
def test_every_word_can_be_written_with_the_characters(characters: str, words: list[str]) -> None:
    try:
        source = WordSource(words, characters)
    except UserError:
        return
    for place in range(20):
        word = source.word((place,))
        assert word
        assert set(word) <= set(characters)


def test_of_many_syllables_each_is_drawn(seed: int) -> None:
    source = WordSource(["가나다"], SYLLABLES + "다")
    # a fifth are strings: each syllable comes 18 times on average, so that one is missing in 1 of 20,000 runs
    seen = Counter("".join(source.word((seed, place)) for place in range(60_000)))
    assert set(SYLLABLES) <= seen.keys()


def test_short_words_lead_as_on_signs(seed: int) -> None:
    source = WordSource([length * letter for length in range(1, 16) for letter in string.ascii_lowercase], LATIN)
    lengths = sorted(len(source.word((seed, place))) for place in range(1000))
    assert 4 <= lengths[500] <= 6


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(UserError, match="none of the list can be written"):
        WordSource(["가"], ".,")


def test_a_list_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("한글\n\n  two words \r\n한글\n", encoding="utf-8")
    assert read_word_list(path) == ["한글", "two words", "한글"]
    path.write_text("\n \n", encoding="utf-8")
    with pytest.raises(UserError, match="holds no words"):
        read_word_list(path)
    with pytest.raises(UserError, match=r"nowhere\.txt"):
        read_word_list(tmp_path / "nowhere.txt")


def test_a_hunspell_dictionary_loses_its_count_and_flags(tmp_path: Path) -> None:
    path = tmp_path / "ko.dic"
    path.write_text("3\n0/30\n정돈될/5,12\n위장\n", encoding="utf-8")
    assert read_word_list(path) == ["정돈될", "위장"]
