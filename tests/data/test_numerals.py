"""Number words read back, and are those that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.readers import read_english, read_ordinal, read_sino, read_year

from jumok.data import numerals


@given(st.integers(0, 99_999_999), st.sampled_from(["", " "]))
def test_sino_korean_reads_back(number: int, gap: str) -> None:
    assert read_sino(numerals.sino(number, gap)) == number


@given(st.integers(0, 999_999))
def test_english_reads_back(number: int) -> None:
    assert read_english(numerals.english(number)) == number


def test_ordinals_read_back() -> None:
    for number in range(1, 100):
        assert read_ordinal(numerals.ordinal(number)) == number


def test_years_read_back() -> None:
    for year in range(1900, 2100):
        pairs = numerals.year_in_pairs(year)
        assert (pairs is None) == (year == 2000)
        assert pairs is None or read_year(pairs) == year


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numerals.sino(12_500, " "), "만 이천오백"),
        (numerals.sino(2026), "이천이십육"),
        (numerals.sino(1910), "천구백십"),
        ([numerals.sino_month(month) for month in (5, 6, 10, 11)], ["오", "유", "시", "십일"]),
        ([numerals.native(hour) for hour in (1, 3, 12)], ["한", "세", "열두"]),
        (numerals.english(12_500), "twelve thousand five hundred"),
        ([numerals.ordinal(day) for day in (8, 12, 20, 31)], ["eighth", "twelfth", "twentieth", "thirty-first"]),
        (
            [numerals.ordinal_digits(day) for day in (1, 2, 3, 11, 13, 22, 30)],
            ["1st", "2nd", "3rd", "11th", "13th", "22nd", "30th"],
        ),
        ([numerals.year_in_pairs(year) for year in (1905, 1900)], ["nineteen oh five", "nineteen hundred"]),
    ],
)
def test_as_people_write_them(written: object, expected: object) -> None:
    assert written == expected
