"""Readers of generated sentences that share nothing with their writers: number words, and what each slot says."""

import re

FIGURES = dict(zip("일이삼사오육칠팔구", range(1, 10), strict=True))
PLACES = {"십": 10, "백": 100, "천": 1000}
NATIVE = ["한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열", "열한", "열두"]
SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
WORDS = {word: number for number, word in enumerate(SMALL.split())} | TENS | {"oh": 0}
IRREGULAR = {"first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight", "ninth": "nine"}
IRREGULAR["twelfth"] = "twelve"
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
MORNING = r"오전|새벽|아침|a\.m\.|am$|in the morning"
AFTERNOON = r"오후|낮|저녁|밤|p\.m\.|pm$|in the afternoon|in the evening|at night"


def read_sino(text: str) -> int:
    """Sino-Korean words: figures before their place, sections before 만."""
    if text == "영":
        return 0
    total = section = figure = 0
    for letter in text.replace(" ", ""):
        if letter == "만":
            total, section, figure = total + ((section + figure) or 1) * 10_000, 0, 0
        elif letter in PLACES:
            section, figure = section + (figure or 1) * PLACES[letter], 0
        else:
            assert figure == 0, f"two figures in a row in {text}"
            figure = FIGURES[letter]
    return total + section + figure


def read_english(text: str) -> int:
    """English cardinals below a million."""
    total = section = 0
    for word in re.split(r"[ -]", text):
        if word == "thousand":
            total, section = section * 1000, 0
        elif word == "hundred":
            section *= 100
        else:
            section += WORDS[word]
    return total + section


def read_ordinal(text: str) -> int:
    """English ordinals, by undoing their endings."""
    head, _, last = text.rpartition("-")
    stem = IRREGULAR.get(last) or re.sub("ie$", "y", last.removesuffix("th"))
    return (WORDS[head] if head else 0) + WORDS[stem]


def read_year(text: str) -> int:
    """English years: in thousands, or two numbers of which the first is the century."""
    if "thousand" in text:
        return read_english(text)
    century, _, rest = text.partition(" ")
    return 100 * WORDS[century] + (0 if rest == "hundred" else read_english(rest))


def read_slot(slot: str, said: list[str]) -> int | str:
    """The value of a slot of the meaning (year, month, ..., currency) from all the words linked to it, in order."""
    text = " ".join(said)
    if slot == "year":
        text = text.removesuffix("년")
        return read_year(text) if re.match("[a-z]", text) else _number(text)
    if slot == "month":
        if text[:3] in MONTHS:
            return MONTHS.index(text[:3]) + 1
        text = text.removesuffix("월")
        return {"유": 6, "시": 10}.get(text) or _number(text)
    if slot == "day":
        text = re.sub(r"(?<=\d)(st|nd|rd|th)$|일$", "", text)
        return read_ordinal(text) if re.match("[a-z]", text) else _number(text)
    if slot == "hour":
        return _hour(text)
    if slot == "minute":
        return _minute(text)
    if slot == "currency":
        return "KRW" if re.search("원|₩|won|KRW", text) else "USD"
    return _number(re.sub(" ?(cents|센트)$", "", text))


def _number(text: str) -> int:
    text = text.replace(",", "")
    if text.isascii():
        return int(text) if text.isdigit() else read_english(text)
    if mixed := re.fullmatch(r"(\d+)만(?: (\d+))?", text):
        return 10_000 * int(mixed[1]) + int(mixed[2] or 0)
    return read_sino(text)


def _hour(text: str) -> int:
    if text in ("noon", "정오", "midnight", "자정"):
        return 12 if text in ("noon", "정오") else 0
    half = 0 if re.search(MORNING, text) else 12 if re.search(AFTERNOON, text) else None
    bare = re.sub(f"{MORNING}|{AFTERNOON}|^to | ?시", "", text).strip()
    hour = NATIVE.index(bare) + 1 if bare in NATIVE else _number(bare)
    return hour if half is None else (hour - text.startswith("to ")) % 12 + half


def _minute(text: str) -> int:
    named = {"half past": 30, "반": 30, "quarter past": 15, "quarter to": 45, "정각": 0, "o'clock": 0}
    named |= dict.fromkeys(("noon", "midnight", "정오", "자정"), 0)
    if text in named:
        return named[text]
    number = _number(re.sub("( minutes)? past$| to$| ?분$", "", text))
    return 60 - number if text.endswith(" to") else number
