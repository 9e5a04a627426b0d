"""Grammars: what can be said is said, what cannot is refused, and links come from shared slots."""

from random import Random

import pytest

from jumok.data.grammar import Grammar, Link, Piece, align, aside, spell

SPELLINGS = {
    "figure": spell("n", str),
    "word": spell("n", {1: "one", 2: "two"}.get),
    "odd": aside("n", lambda n: "" if n % 2 else None),
}


def write(templates: list[str], n: int, seed: int = 0) -> str:
    phrase = Grammar({"start": templates}, SPELLINGS).write("start", {"n": n}, Random(seed))
    return "".join(piece.text for piece in phrase)


def test_a_wording_that_does_not_fit_is_passed_over() -> None:
    assert {write(["{word}", "{figure}"], 3, seed) for seed in range(20)} == {"3"}
    assert {write(["{word}", "{figure}"], 2, seed) for seed in range(20)} == {"two", "2"}


def test_a_condition_says_nothing() -> None:
    assert write(["{odd}no {figure}"], 1) == "no 1"
    with pytest.raises(ValueError, match=r"no wording of \{'n': 2\} as start"):
        write(["{odd}no {figure}"], 2)


def test_an_unknown_name_is_refused_when_built() -> None:
    with pytest.raises(ValueError, match="figrue"):
        Grammar({"start": ["{figrue}"]}, SPELLINGS)
    with pytest.raises(ValueError, match="at once"):
        Grammar({"word": ["{figure}"]}, SPELLINGS)


def test_links_join_neighbours_and_skip_what_says_nothing() -> None:
    source = [Piece("half past", ("m",)), Piece(" "), Piece("three", ("h",)), Piece("  "), Piece("p.m.", ("h",))]
    target = [Piece("T"), Piece("15", ("h",)), Piece(":"), Piece("30", ("m",))]
    example = align(source, target)
    assert (example.source, example.target) == ("half past three  p.m.", "T15:30")
    assert example.links == (Link((0, 9), (4, 6)), Link((10, 21), (1, 3)))


def test_a_word_between_keeps_spans_apart_and_two_slots_make_two_links() -> None:
    source = [Piece("3", ("h",)), Piece(","), Piece(" "), Piece("pm", ("h",)), Piece("noon", ("h", "m"))]
    links = align(source, [Piece("15", ("h",)), Piece("00", ("m",))]).links
    assert [link.source for link in links] == [(0, 1), (3, 5), (5, 9), (5, 9)]
    assert [link.target for link in links] == [(0, 2), (0, 2), (0, 2), (2, 4)]
