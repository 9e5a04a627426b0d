"""The words of a caption: what the COCO tools' tokeniser makes of it, and what holds for any text."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumok.metrics.caption_words import caption_words

# the output of pycocoevalcap's PTBTokenizer, but for o’clock and the last, which it keeps as they are
CAPTIONS = {
    "A man, a dog and a T-shirt.": "a man a dog and a t-shirt",
    "The man's dogs' bowls don't move; it's 3:30 p.m.": "the man 's dogs bowls do n't move it 's 3:30 p.m.",
    "the man 's dog do n't": "the man 's dog do n't",
    "They're sure we've won, I'd say she'll -- they won't!": "they 're sure we 've won i 'd say she 'll they wo n't",
    "I cannot, I'm gonna, he wanna, we gotta": "i can not i 'm gon na he wan na we got ta",
    "“Stop” – says a ‘red’ sign … it’s 10 o’clock": "stop says a red sign it 's 10 o'clock",
    "$5.00 & 50% of 1,000 at Mr. Smith's, U.S. black-and-white": "$ 5.00 & 50 % of 1,000 at mr. smith 's u.s."
    " black-and-white",
    "CAFÉ naïve #1 '90s ma'am and/or": "café naïve # 1 '90s ma'am and/or",
    "한국 사람이 거리에서 걷는다.": "한국 사람이 거리에서 걷는다",
    "wait...what ,  ,no": "wait what no",
    "": "",
    " ?! ": "",
}


@pytest.mark.parametrize("text", CAPTIONS)
def test_words_by_hand(text: str) -> None:
    assert " ".join(caption_words(text)) == CAPTIONS[text]


@settings(deadline=None)
@given(st.text())
def test_any_text_has_words_without_spaces_the_same_in_nfd(text: str) -> None:
    words = caption_words(text)
    assert all(word.split() == [word] for word in words)
    assert caption_words(unicodedata.normalize("NFD", text)) == words


@settings(deadline=None)
@given(st.lists(st.text("abcdefgh가나다라ãñ019", min_size=1), max_size=8))
def test_plain_words_stay_and_punctuation_goes(words: list[str]) -> None:
    lowered = [unicodedata.normalize("NFC", word) for word in words]
    assert caption_words(" ".join(words)) == lowered
    assert caption_words(", ".join(words).upper() + " .") == lowered
