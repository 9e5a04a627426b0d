"""Numbers in words: Korean (Sino-Korean and native) and English."""

SINO = ("", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구")
SINO_PLACES = ((1000, "천"), (100, "백"), (10, "십"))
NATIVE = ("한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열", "열한", "열두")

SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def sino(number: int, gap: str = "") -> str:
    """Sino-Korean words of 0 to 99,999,999; `gap` stands after 만: ``sino(12500, " ")`` is "만 이천오백"."""
    if number == 0:
        return "영"
    high, low = divmod(number, 10_000)
    myriads = ("" if high == 1 else _sino_below_myriad(high)) + "만" if high else ""
    return gap.join(part for part in (myriads, _sino_below_myriad(low)) if part)


def _sino_below_myriad(number: int) -> str:
    words = ""
    for place, name in SINO_PLACES:
        digit, number = divmod(number, place)
        if digit:
            words += ("" if digit == 1 else SINO[digit]) + name  # 백, never 일백
    return words + SINO[number]


def sino_month(month: int) -> str:
    """The Sino-Korean word before 월: 유월 and 시월 drop a final consonant."""
    return {6: "유", 10: "시"}.get(month) or sino(month)


def native(hour: int) -> str:
    """The native Korean word before 시, hours 1 to 12."""
    return NATIVE[hour - 1]


def english(number: int) -> str:
    """English words of 0 to 999,999, as in American use without "and"."""
    if number < 20:
        return SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens] + (f"-{SMALL[ones]}" if ones else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    high, low = divmod(number, size)
    return f"{english(high)} {name}" + (f" {english(low)}" if low else "")


def ordinal(number: int) -> str:
    """Ordinal words of 1 to 99: "twentieth", "twenty-first"."""
    head, hyphen, last = english(number).rpartition("-")
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return head + hyphen + ORDINALS.get(last, regular)


def ordinal_digits(number: int) -> str:
    """Digits with their ending, 1 to 99: "20th", "21st", "12th"."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 < number < 20 else endings.get(number % 10, 'th')}"


def year_in_pairs(year: int) -> str | None:
    """A year read as two numbers: "nineteen eighty-eight", "twenty oh five", "nineteen hundred"; None for 2000."""
    century, rest = divmod(year, 100)
    if rest == 0:
        return None if century % 10 == 0 else f"{english(century)} hundred"
    return f"{english(century)} {oh(rest)}"


def oh(number: int) -> str:
    """A two-digit number as read in years and clock times, 1 to 99: "oh five", "twenty-six"."""
    return f"oh {english(number)}" if number < 10 else english(number)
