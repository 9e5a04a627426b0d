"""How a date, a time or an amount is written: in Korean, in English, and in the one normal form.

Each grammar has the rules ``moment`` (a date with a time), ``date``, ``time``, ``won`` and ``dollars``, over the slots
year, month, day, hour (0-23), minute, whole (won or dollars) and cents; ``currency`` is expressed by words alone.

No wording has two meanings, so what people leave open is left out: a date in figures puts the year first; a twelve-hour
time says which half of the day; a bare clock is of 24 hours and shows it (padded below 10, or past 12); noon is never
"12 p.m."; and midnight never stands beside a date, for it may begin or end the day.
"""

from collections.abc import Sequence
from datetime import date

from jumok.data.grammar import Grammar, Spelling, aside, spell
from jumok.data.numerals import english, native, oh, ordinal, ordinal_digits, sino, sino_month, year_in_pairs

NORMAL = Grammar(
    rules={
        "moment": ["{date}{time}"],
        "date": ["{year}-{month}-{day}"],
        "time": ["T{hour}:{minute}"],
        "won": ["{currency=KRW} {whole}"],
        "dollars": ["{currency=USD} {whole}.{cents}"],
    },
    spellings={
        "year": spell("year", str),
        "month": spell("month", "{:02}".format),
        "day": spell("day", "{:02}".format),
        "hour": spell("hour", "{:02}".format),
        "minute": spell("minute", "{:02}".format),
        "whole": spell("whole", str),
        "cents": spell("cents", "{:02}".format),
    },
)

DayParts = Sequence[tuple[range, str]]
KOREAN_DAY: DayParts = (
    (range(1, 6), "새벽"),
    (range(6, 10), "아침"),
    (range(12, 15), "낮"),
    (range(18, 21), "저녁"),
    (range(21, 24), "밤"),
)
ENGLISH_DAY: DayParts = (
    (range(1, 12), "in the morning"),
    (range(12, 18), "in the afternoon"),
    (range(18, 21), "in the evening"),
    (range(21, 24), "at night"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _part_of_day(parts: DayParts, hour: int) -> str | None:
    return next((name for hours, name in parts if hour in hours), None)


def _weekday(year: int, month: int, day: int) -> int:
    return date(year, month, day).weekday()


def _twelve(hour: int) -> int:
    return hour % 12 or 12


def _bare_hour(hour: int) -> str | None:
    return None if 10 <= hour <= 12 else f"{hour:02}"


def _past(minute: int) -> str | None:
    if not 1 <= minute <= 30:
        return None
    named = {15: "quarter", 30: "half"}
    return f"{named.get(minute) or english(minute)}{' minutes' if minute % 5 else ''} past"


def _to(minute: int) -> str | None:
    """In steps of five, as a clock face is read."""
    if minute <= 30 or minute % 5:
        return None
    return "quarter" if minute == 45 else english(60 - minute)


def _won_in_myriads(won: int) -> str | None:
    """Figures before and after 만: "3만", "1만 2500"."""
    high, low = divmod(won, 10_000)
    return (f"{high}만" + (f" {low}" if low else "")) if high else None


CLOCK = {
    "bare_hour": spell("hour", _bare_hour),
    "minute_padded": spell("minute", "{:02}".format),
    "sharp": aside("minute", lambda minute: None if minute else ""),
}
MONEY = {
    "whole": spell("whole", str),
    "whole_commas": spell("whole", "{:,}".format),
    "some_whole": aside("whole", lambda whole: "" if whole else None),
    "no_whole": aside("whole", lambda whole: None if whole else ""),
    "cents": spell("cents", lambda cents: str(cents) if cents else None),
    "cents_padded": spell("cents", "{:02}".format),
    "cents_short": spell("cents", lambda cents: f"{cents:02}".rstrip("0") or None),
    "no_cents": aside("cents", lambda cents: None if cents else ""),
}

KOREAN = Grammar(
    rules={
        "moment": ["{date} {clock}", "{date}, {clock}", "{date} {clock}", "{joint_date} {joint_clock}"],
        "date": [
            "{plain_date}",
            "{plain_date}",
            "{plain_date}",
            "{plain_date} {weekday}",
            "{plain_date}({weekday_short})",
        ],
        "plain_date": ["{units}", "{units}", "{words}", "{words}", "{figures}"],
        "units": ["{year}{year=년} {month}{month=월} {day}{day=일}"],
        "words": ["{year_words}{year=년} {month_words}{month=월} {day_words}{day=일}"],
        "figures": [
            "{year}. {month}. {day}.",
            "{year}.{month_padded}.{day_padded}",
            "{year}/{month_padded}/{day_padded}",
        ],
        "joint_date": ["{year}{year=년}{month}{month=월}{day}{day=일}"],
        "time": ["{clock}", "{clock}", "{joint_clock}", "{midnight}"],
        "clock": ["{said}", "{said}", "{told}", "{told}", "{shown}", "{noon}"],
        "said": ["{part} {native}{space}{hour=시}{minutes_said}"],
        "minutes_said": ["{sharp}", " {half}", " {minute_words}{space}{minute=분}"],
        "told": [
            "{part} {hour}{hour=시}{minutes_told}",
            "{part} {hour}{hour=시}{minutes_told}",
            "{military_hour}{hour=시}{minutes_told}",
        ],
        "minutes_told": ["{sharp}", " {exactly}", " {half}", " {minute}{minute=분}"],
        "shown": ["{bare_hour}:{minute_padded}", "{half_day} {hour}:{minute_padded}"],
        "joint_clock": ["{part}{hour}{hour=시}{minute}{minute=분}", "{part}{hour}{hour=시}{sharp}"],
        "part": ["{half_day}", "{part_of_day}"],
        "space": ["", " "],
        "won": [
            "{whole_commas}{currency=원}",
            "{whole}{currency=원}",
            "{currency=₩}{whole_commas}",
            "{won_in_myriads}{space}{currency=원}",
            "{whole_words} {currency=원}",
            "{whole_words_joint}{space}{currency=원}",
        ],
        "dollars": [
            "{some_whole}{whole}{currency=달러} {cents}{cents=센트}",
            "{some_whole}{whole_words} {currency=달러} {cents_words} {cents=센트}",
            "{some_whole}{whole}.{cents_padded}{currency=달러}",
            "{some_whole}{whole}{currency=달러}{no_cents}",
            "{some_whole}{whole_words}{space}{currency=달러}{no_cents}",
            "{no_whole}{cents}{currency,cents=센트}",
            "{no_whole}{cents_words}{space}{currency,cents=센트}",
        ],
    },
    spellings=CLOCK
    | MONEY
    | {
        "year": spell("year", str),
        "year_words": spell("year", sino),
        "month": spell("month", str),
        "month_padded": spell("month", "{:02}".format),
        "month_words": spell("month", sino_month),
        "day": spell("day", str),
        "day_padded": spell("day", "{:02}".format),
        "day_words": spell("day", sino),
        "weekday": aside("year month day", lambda *day: "월화수목금토일"[_weekday(*day)] + "요일"),
        "weekday_short": aside("year month day", lambda *day: "월화수목금토일"[_weekday(*day)]),
        "half_day": spell("hour", lambda hour: None if hour == 12 else "오전" if hour < 12 else "오후"),
        "part_of_day": spell("hour", lambda hour: _part_of_day(KOREAN_DAY, hour)),
        "hour": spell("hour", lambda hour: str(hour if hour == 0 else _twelve(hour))),
        "military_hour": spell("hour", lambda hour: None if 1 <= hour <= 12 else str(hour)),
        "native": spell("hour", lambda hour: native(_twelve(hour)) if hour else None),
        "minute": spell("minute", lambda minute: str(minute) if minute else None),
        "minute_words": spell("minute", lambda minute: sino(minute) if minute else None),
        "half": spell("minute", lambda minute: "반" if minute == 30 else None),
        "exactly": spell("minute", lambda minute: None if minute else "정각"),
        "noon": spell("hour minute", lambda *time: "정오" if time == (12, 0) else None),
        "midnight": spell("hour minute", lambda *time: "자정" if time == (0, 0) else None),
        "won_in_myriads": spell("whole", _won_in_myriads),
        "whole_words": spell("whole", lambda whole: sino(whole, " ")),
        "whole_words_joint": spell("whole", sino),
        "cents_words": spell("cents", lambda cents: sino(cents) if cents else None),
    },
)

ENGLISH = Grammar(
    rules={
        "moment": ["{clock} on {date}", "{date} at {clock}", "at {clock} on {date}", "{date}, {clock}"],
        "date": ["{plain_date}", "{plain_date}", "{plain_date}", "{weekday}, {plain_date}"],
        "plain_date": [
            "{month} {day}, {year}",
            "{month} {day_digits}, {year}",
            "{month_short} {day}, {year}",
            "{day} {month_short} {year}",
            "{day} {month} {year}",
            "the {day_digits} of {month}, {year}",
            "the {day_words} of {month}, {year}",
            "the {day_words} of {month}, {year_words}",
            "{month} {day_words}, {year_words}",
        ],
        "month_short": ["{month_three}", "{month_three}", "{month_three}."],
        "year_words": ["{year_in_pairs}", "{year_in_thousands}"],
        "time": ["{clock}", "{clock}", "{clock}", "{midnight}"],
        "clock": ["{told}", "{told}", "{said}", "{said}", "{bare_hour}:{minute_padded}", "{noon}"],
        "told": ["{not_twelve}{hour}:{minute_padded} {half_day}", "{not_twelve}{sharp}{hour} {half_day}"],
        "said": [
            "{past} {hour_words} {part}",
            "{minute_to} {hour,minute=to} {next_hour} {part}",
            "{hour_words} {minute_words} {half_day}",
            "{not_twelve}{hour_words} {oclock} {part_of_day}",
        ],
        "part": ["{half_day}", "{part_of_day}"],
        "half_day": ["{half_day_dots}", "{half_day_dots}", "{half_day_plain}"],
        "won": [
            "{whole_commas} {currency=won}",
            "{currency=KRW} {whole_commas}",
            "{currency=KRW} {whole}",
            "{whole_words} {currency=won}",
            "{whole_words} {currency=won}",
        ],
        "dollars": [
            "{some_whole}{currency=$}{whole}.{cents_padded}",
            "{some_whole}{currency=USD} {whole}.{cents_padded}",
            "{some_whole}{currency=USD} {whole}.{cents_short}",
            "{some_whole}{currency=USD} {whole}{no_cents}",
            "{some_whole}{whole} {dollars_word}{no_cents}",
            "{some_whole}{whole_words} {dollars_word}{no_cents}",
            "{some_whole}{whole} {dollars_word} {cents} {cents=cents}",
            "{some_whole}{whole_words} {dollars_word} and {cents_words} {cents=cents}",
            "{no_whole}{cents} {currency,cents=cents}",
            "{no_whole}{cents_words} {currency,cents=cents}",
        ],
    },
    spellings=CLOCK
    | MONEY
    | {
        "year": spell("year", str),
        "year_in_pairs": spell("year", year_in_pairs),
        "year_in_thousands": spell("year", lambda year: english(year) if year // 100 == 20 else None),
        "month": spell("month", lambda month: MONTHS[month - 1]),
        "month_three": spell("month", lambda month: MONTHS[month - 1][:3]),
        "day": spell("day", str),
        "day_digits": spell("day", ordinal_digits),
        "day_words": spell("day", ordinal),
        "weekday": aside("year month day", lambda *day: WEEKDAYS[_weekday(*day)]),
        "half_day_dots": spell("hour", lambda hour: "a.m." if hour < 12 else "p.m."),
        "half_day_plain": spell("hour", lambda hour: "am" if hour < 12 else "pm"),
        "part_of_day": spell("hour", lambda hour: _part_of_day(ENGLISH_DAY, hour)),
        "hour": spell("hour", lambda hour: str(_twelve(hour))),
        "hour_words": spell("hour", lambda hour: english(_twelve(hour))),
        # "quarter to twelve in the morning" would leave the reader to think
        "next_hour": spell("hour", lambda hour: None if hour % 12 == 11 else english(_twelve(hour + 1))),
        "past": spell("minute", _past),
        "minute_to": spell("minute", _to),
        "minute_words": spell("minute", lambda minute: oh(minute) if minute else None),
        "oclock": spell("minute", lambda minute: None if minute else "o'clock"),
        "noon": spell("hour minute", lambda *time: "noon" if time == (12, 0) else None),
        "midnight": spell("hour minute", lambda *time: "midnight" if time == (0, 0) else None),
        "not_twelve": aside("hour minute", lambda hour, minute: None if hour % 12 == minute == 0 else ""),
        "dollars_word": Spelling(("whole",), ("currency",), lambda whole: "dollar" if whole == 1 else "dollars"),
        "whole_words": spell("whole", english),
        "cents_words": spell("cents", lambda cents: english(cents) if cents else None),
    },
)
