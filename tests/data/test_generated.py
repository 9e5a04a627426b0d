"""Laws of the generated data: what a sentence says, its normal form says, and each link says the same on both sides."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.readers import read_slot

from jumok.data.generated import ENGLISH, KOREAN, Example, draw, generate, splits, write
from jumok.data.grammar import Grammar, Phrase, Piece, Values
from jumok.data.wordings import NORMAL

SEEDS = st.integers(0, 2**63)
TARGET = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d))?(?:T(?P<hour>\d\d):(?P<minute>\d\d))?"
    r"|(?P<currency>KRW|USD) (?P<whole>0|[1-9]\d*)(?:\.(?P<cents>\d\d))?"
)
DATE, TIME = ("year", "month", "day"), ("hour", "minute")
SLOTS = {"moment": DATE + TIME, "date": DATE, "time": TIME, "won": ("whole",), "dollars": ("whole", "cents")}


def examples(seed: int) -> list[Example]:
    """One meaning, once in each language."""
    random = Random(seed)
    kind, values = draw(random)
    return [write(kind, values, language, random) for language in (KOREAN, ENGLISH)]


def every(grammar: Grammar, name: str, values: Values) -> Iterator[Phrase]:
    """All wordings of `values` by a rule."""
    if name in grammar.spellings:
        reads, slots, say = grammar.spellings[name]
        text = say(*(values[slot] for slot in reads))
        yield from [] if text is None else [[Piece(text, slots)]]
        return
    for parts in grammar.rules[name]:
        wordings = [[[part]] if isinstance(part, Piece) else list(every(grammar, part, values)) for part in parts]
        yield from ([piece for phrase in choice for piece in phrase] for choice in product(*wordings))


def texts(grammar: Grammar, kind: str, values: tuple[int, ...]) -> set[str]:
    named = dict(zip(SLOTS[kind], values, strict=True))
    return {"".join(piece.text for piece in phrase) for phrase in every(grammar, kind, named)}


@given(SEEDS)
def test_the_normal_form_reads_back_to_the_value(seed: int) -> None:
    random = Random(seed)
    kind, drawn = draw(random)
    target = write(kind, drawn, KOREAN, random).target
    values = [drawn[slot] for slot in SLOTS[kind]]
    if kind == "moment":
        assert datetime.strptime(target, "%Y-%m-%dT%H:%M") == datetime(*values)
    elif kind == "date":
        assert date.fromisoformat(target) == date(*values)
    elif kind == "time":
        assert datetime.strptime(target, "T%H:%M").time() == time(*values)
    elif kind == "won":
        assert target == f"KRW {values[0]}"
    else:
        assert target == f"USD {values[0]}.{values[1]:02}"


@given(SEEDS)
def test_links_lie_within_the_text_and_hold_words(seed: int) -> None:
    for example in examples(seed):
        assert example.links
        assert len(set(example.links)) == len(example.links)
        for link in example.links:
            for text, (start, end) in ((example.source, link.source), (example.target, link.target)):
                assert 0 <= start < end <= len(text)
                assert text[start:end] == text[start:end].strip()


@given(SEEDS)
def test_each_link_says_the_same_on_both_sides(seed: int) -> None:
    for example in examples(seed):
        match = TARGET.fullmatch(example.target)
        assert match
        slot_at = {match.span(slot): slot for slot, text in match.groupdict().items() if text is not None}
        said: dict[str, list[str]] = {slot: [] for slot in slot_at.values()}
        for link in example.links:
            said[slot_at[link.target]].append(example.source[slice(*link.source)])
        for slot, words in said.items():
            expected = match[slot] if slot == "currency" else int(match[slot])
            if not words:  # what is left unsaid is nothing
                assert slot in ("minute", "whole", "cents"), (slot, example)
                assert expected == 0, (slot, example)
            elif slot == "cents" and re.fullmatch(r"USD \d+\.\d", example.source):
                assert read_slot(slot, words) == int(match[slot]) // 10
            else:
                assert read_slot(slot, words) == expected, (slot, words, example)


@given(SEEDS)
def test_a_weekday_is_the_day_and_says_nothing_more(seed: int) -> None:
    korean, english = examples(seed)
    for example, pattern, names in (
        (korean, r"([월화수목금토일])(?:요일|\))", [*"월화수목금토일"]),
        (english, r"(\w+)day", ["Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun"]),
    ):
        if named := re.search(pattern, example.source):
            assert named[1] == names[date.fromisoformat(example.target[:10]).weekday()]
            assert all(end <= named.start() or named.end() <= start for (start, end), _ in example.links)


@pytest.mark.parametrize(
    ("source", "target", "language", "kind", "values"),
    [
        ("2026년 11월 20일 오후 3시 5분", "2026-11-20T15:05", KOREAN, "moment", (2026, 11, 20, 15, 5)),
        (
            "five past three in the afternoon on the twentieth of November, 2026",
            "2026-11-20T15:05",
            ENGLISH,
            "moment",
            (2026, 11, 20, 15, 5),
        ),
        ("이천이십육년 십일월 이십일 오후 세 시 반", "2026-11-20T15:30", KOREAN, "moment", (2026, 11, 20, 15, 30)),
        ("2026. 11. 20. 15:05", "2026-11-20T15:05", KOREAN, "moment", (2026, 11, 20, 15, 5)),
        ("20 Nov 2026", "2026-11-20", ENGLISH, "date", (2026, 11, 20)),
        ("November twentieth, nineteen oh five", "1905-11-20", ENGLISH, "date", (1905, 11, 20)),
        ("quarter to five p.m.", "T16:45", ENGLISH, "time", (16, 45)),
        ("자정", "T00:00", KOREAN, "time", (0, 0)),
        ("만 이천오백 원", "KRW 12500", KOREAN, "won", (12_500,)),
        ("12,500원", "KRW 12500", KOREAN, "won", (12_500,)),
        ("twelve thousand five hundred won", "KRW 12500", ENGLISH, "won", (12_500,)),
        ("USD 3.5", "USD 3.50", ENGLISH, "dollars", (3, 50)),
        ("three dollars and fifty cents", "USD 3.50", ENGLISH, "dollars", (3, 50)),
    ],
)
def test_promised_sentences_belong_to_the_language(
    source: str, target: str, language: Grammar, kind: str, values: tuple[int, ...]
) -> None:
    assert source in texts(language, kind, values)
    assert texts(NORMAL, kind, values) == {target}


def test_no_wording_has_two_meanings() -> None:
    """Times and amounts in every wording; dates and moments at the numbers whose words could run together."""
    meanings: list[tuple[str, tuple[int, ...]]] = [("time", value) for value in product(range(24), range(60))]
    meanings += [("won", (figures * zeros,)) for figures in range(1, 1000) for zeros in (100, 1000)]
    meanings += [("dollars", value) for value in product(range(0, 100, 3), (0, 5, 10, 50, 55)) if any(value)]
    days = list(product((1900, 1910, 2000, 2001, 2010, 2020, 2026), (1, 6, 10, 12), (1, 2, 20, 21)))
    meanings += [("date", value) for value in days]
    meanings += [("moment", (2020, 10, 20, *value)) for value in ((2, 20), (0, 5), (12, 0), (14, 45))]
    target_of: dict[str, str] = {}
    for kind, values in meanings:
        (target,) = texts(NORMAL, kind, values)
        for language in (KOREAN, ENGLISH):
            for source in texts(language, kind, values):
                assert target_of.setdefault(source, target) == target, source


def test_what_people_leave_open_is_never_written() -> None:
    for example in generate(4000, seed=7):
        source = example.source
        assert not re.search(r"\d{1,2}/\d{1,2}/\d{4}", source), "day or month first?"
        assert not re.search(r"(?<![\d:])12(:00)? ?[ap]\.?m|오[전후] ?(12|열두)", source), "noon or midnight?"
        assert not re.search(r"midnight|자정", source) or example.target == "T00:00", "begin or end of the day?"
        assert source == " ".join(source.split())


@given(st.integers(0, 60), st.integers())
def test_generation_is_a_function_of_its_arguments(count: int, seed: int) -> None:
    first = generate(count, seed)
    assert first == generate(count, seed)
    assert first[: count // 2] == generate(count // 2, seed)
    assert len({example.source for example in first}) == count


def test_the_languages_take_turns() -> None:
    # figures and signs alone may be of either language
    for place, example in enumerate(generate(1000, seed=2)):
        assert not re.search("[A-Za-z]" if place % 2 == 0 else "[가-힣]", example.source)


def test_excluded_sources_do_not_come() -> None:
    first = {example.source for example in generate(500, seed=3)}
    again = {example.source for example in generate(500, seed=3, exclude=first)}
    assert len(again) == 500
    assert not first & again


def test_splits_share_no_source_and_grow_at_the_end() -> None:
    small, large = splits(4, train=300, val=50, test=80), splits(4, train=600, val=50, test=80)
    assert {name: len(rows) for name, rows in large.items()} == {"train": 600, "val": 50, "test": 80}
    assert len({example.source for rows in large.values() for example in rows}) == 730
    assert (small["val"], small["test"]) == (large["val"], large["test"])
    assert small["train"] == large["train"][:300]


def test_every_kind_and_many_wordings_come() -> None:
    rows = generate(3000, seed=11)
    assert {"9999", "T99:", "KRW ", "USD "} <= {re.sub(r"\d", "9", row.target)[:4] for row in rows}
    for word in (
        "정오",
        "반",
        "정각",
        "새벽",
        "₩",
        "만 ",
        "요일",
        "half past",
        "quarter to",
        "noon",
        "oh ",
        "thousand",
    ):
        assert any(word in row.source for row in rows), word
