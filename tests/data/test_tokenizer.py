"""Tokenizers: text in, the same text out, the same file from the same lines, sampling without a state."""

import itertools
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from jumok.data.sampling import BpeDropout, Sampler, UnigramSampling
from jumok.data.tokenizer import BEGIN, END, PAD, SPECIALS, UNKNOWN, Tokenizer, TokenizerConfig, TokenizerPair
from jumok.errors import UserError

KINDS = ("bpe", "unigram")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def lines(count: int = 400, seed: int = 5) -> list[str]:
    rng = random.Random(seed)
    english = ["the", "Man", "is", "walking", "slowly", "under", "understands", "walked", "don't", "a", "street"]
    korean = ["주목은", "집중이다", "남자가", "천천히", "걷는다", "걷는", "거리에서", "이해한다"]
    result = []
    for i in range(count):
        words = [rng.choice(korean if i % 2 else english) for _ in range(rng.randint(2, 9))]
        result.append(" ".join(words) + rng.choice([".", "!", f" ({rng.randint(0, 2030)})", ' "so"']))
    return result


def train(kind: str, sampling: float = 0.0, size: int = 400) -> Tokenizer:
    return Tokenizer.train(lines(), TokenizerConfig(kind=kind, size=size, sampling=sampling))


TRAINED = {kind: train(kind) for kind in KINDS}
SAMPLING = {kind: train(kind, 0.3) for kind in KINDS}


def one_space(text: str) -> str:
    return re.sub(" +", " ", text).strip(" ")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(st.one_of(TEXT, st.lists(st.sampled_from(" ".join(lines(6)).split()), max_size=8).map("  ".join)))
def test_decode_undoes_encode_for_any_text(kind: str, text: str) -> None:
    tokenizer = TRAINED[kind]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == one_space(text)
    assert tokenizer.decode([BEGIN, *ids, END, PAD]) == one_space(text)
    assert tokenizer.encode_many([text]) == [ids]
    assert not {PAD, BEGIN, END, UNKNOWN} & set(ids)
    # the stored file alone says how to decode, for other tools
    assert one_space(tokenizer.inner.decode(ids)) == one_space(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text", ["", "   ", "▁ ▁▁a", "\ufdd0\ufdd1 \ufdd0▁\ufdd2", "한글과 漢字 😀", "<s> </s><pad>▁<unk>", "\t\n"]
)
def test_awkward_texts_come_back(kind: str, text: str) -> None:
    ids = TRAINED[kind].encode(text)
    assert TRAINED[kind].decode(ids) == one_space(text)
    assert min(ids, default=4) > UNKNOWN


@pytest.mark.parametrize("kind", KINDS)
def test_special_pieces_cannot_be_typed_even_if_the_training_text_is_full_of_them(kind: str) -> None:
    tokenizer = Tokenizer.train(["<s> hello </s> <pad> <0x41>"] * 50, TokenizerConfig(kind=kind, size=400))
    assert tokenizer.pieces([PAD, BEGIN, END, UNKNOWN]) == list(SPECIALS)
    for text in [*SPECIALS, "<0x41>"]:
        assert min(tokenizer.encode(text)) > UNKNOWN
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_respect_digits_and_punctuation(kind: str) -> None:
    tokenizer = TRAINED[kind]
    for piece in tokenizer.pieces(range(260, tokenizer.vocab_size)):
        body = piece.removeprefix("▁")
        assert "▁" not in body
        assert len(body) <= 1 or body.isalpha()
    pieces = tokenizer.pieces(tokenizer.encode("in 2030 (12)"))
    assert [p for p in pieces if any(c.isdigit() for c in p)] == list("203012")


@pytest.mark.parametrize("kind", KINDS)
def test_frequent_words_become_pieces(kind: str) -> None:
    vocabulary = set(TRAINED[kind].pieces(range(TRAINED[kind].vocab_size)))
    assert {"▁the", "▁walking", "▁주목은", "▁이해한다"} <= vocabulary


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_lines_give_the_same_file_whatever_the_threads(kind: str, tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_tokenizer as t;"
        "x = t.train(sys.argv[2], 0.3); x.save(Path(sys.argv[3]));"
        "print([x.sample('the Man walked 주목은 천천히', s) for s in range(50)])"
    )
    written, sampled = set(), set()
    for name, parallel, threads in [("a.json", "true", "1"), ("b.json", "false", "3")]:
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": parallel, "RAYON_NUM_THREADS": threads}
        command = [sys.executable, "-c", script, str(Path(__file__).parent), kind, str(tmp_path / name)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        written.add((tmp_path / name).read_bytes())
        sampled.add(done.stdout)
    SAMPLING[kind].save(tmp_path / "here.json")
    written.add((tmp_path / "here.json").read_bytes())
    sampled.add(str([SAMPLING[kind].sample("the Man walked 주목은 천천히", s) for s in range(50)]) + "\n")
    assert len(written) == 1
    assert len(sampled) == 1


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(text=TEXT, seed=st.integers(-(2**70), 2**70))
def test_samples_spell_the_text_and_depend_on_text_and_seed_alone(kind: str, text: str, seed: int) -> None:
    tokenizer = SAMPLING[kind]
    ids = tokenizer.sample(text, seed)
    assert tokenizer.decode(ids) == one_space(text)
    for other in range(20):
        tokenizer.sample(f"{text} {other}", other)
    assert tokenizer.sample(text, seed) == ids
    assert TRAINED[kind].sample(text, seed) == TRAINED[kind].encode(text)


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_differ_and_most_samples_are_not_the_plain_encoding(kind: str) -> None:
    text = "the Man understands walking slowly under 거리에서"
    samples = {tuple(SAMPLING[kind].sample(text, seed)) for seed in range(100)}
    assert len(samples) > 10
    repeated = SAMPLING[kind].sample("walking " * 40, 1)
    assert len({repeated[i : i + 3].__str__() for i in range(0, len(repeated), 3)}) > 1


def bpe_parts(tokenizer: Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = tokenizer._model
    return {p: i for p, i in model["vocab"].items() if i >= 260}, [(a, b) for a, b in model["merges"]]


@settings(max_examples=150)
@given(st.text(st.sampled_from("thewalkingundr주목은집중é"), min_size=1, max_size=14), st.integers(0, 99))
def test_bpe_dropout_0_is_the_plain_encoding_and_1_is_characters(word: str, seed: int) -> None:
    tokenizer = TRAINED["bpe"]
    vocab, merges = bpe_parts(tokenizer)
    plain = BpeDropout(vocab, merges, range(4, 260), 0.0).draw("▁" + word, random.Random(seed))
    assert plain == tokenizer.encode(word)
    characters = BpeDropout(vocab, merges, range(4, 260), 1.0).draw("▁" + word, random.Random(seed))
    spelled = [[vocab[c]] if c in vocab else [4 + byte for byte in c.encode()] for c in "▁" + word]
    assert characters == list(itertools.chain(*spelled))


def test_unigram_sampling_has_the_probabilities_of_the_paper() -> None:
    scores = {"a": -2.0, "b": -1.5, "ab": -2.2, "ba": -3.0, "aba": -4.0, "c": -1.0, "bc": -2.0}
    model = UnigramSampling({p: (i, s) for i, (p, s) in enumerate(scores.items())}, range(300), -9.0, 0.5)
    word = "ababc"
    weights: dict[tuple[str, ...], float] = {}
    for cuts in itertools.product([False, True], repeat=len(word) - 1):
        places = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(word)]
        parts = tuple(word[a:b] for a, b in itertools.pairwise(places))
        if all(part in scores for part in parts):
            weights[parts] = math.exp(0.5 * sum(scores[part] for part in parts))
    names, count = list(scores), 20_000
    rng = random.Random(3)
    drawn = Counter(tuple(names[i] for i in model.draw(word, rng)) for _ in range(count))
    assert set(drawn) <= set(weights)
    for parts, weight in weights.items():
        p = weight / sum(weights.values())
        assert abs(drawn[parts] / count - p) < 5 * math.sqrt(p * (1 - p) / count) + 1e-9


def test_a_very_long_word_is_sampled_in_reasonable_time() -> None:
    word = "walking주목" * 2000
    ids = SAMPLING["bpe"].sample(word, 1)
    assert SAMPLING["bpe"].decode(ids) == word


def test_forgetting_what_was_drawn_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vocab, merges = bpe_parts(TRAINED["bpe"])
    words = [f"▁walk{tail}" for tail in ("ing", "ed", "s", "er", "")]
    kept = Sampler(BpeDropout(vocab, merges, range(4, 260), 0.5))
    expected = [kept.sample(words, seed) for seed in range(40)]
    monkeypatch.setattr("jumok.data.sampling._CACHED_WORDS", 2)
    forgetful = Sampler(BpeDropout(vocab, merges, range(4, 260), 0.5))
    assert [forgetful.sample(words, seed) for seed in reversed(range(40))] == expected[::-1]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100)
@given(st.one_of(TEXT, st.sampled_from(["한글 주목은  걷는", " 😀 the  Man", "▁x ▁"])))
def test_spans_cover_the_text_in_order(kind: str, text: str) -> None:
    ids, spans = TRAINED[kind].words(text)
    assert ids == TRAINED[kind].encode(text)
    assert len(ids) == len(spans)
    covered = {i for start, end in spans for i in range(start, end)}
    assert covered == {i for i, character in enumerate(text) if character != " "}
    assert all(a <= c and b <= d for (a, b), (c, d) in itertools.pairwise(spans))
    for piece, (start, end) in zip(TRAINED[kind].pieces(ids), spans, strict=True):
        if not re.fullmatch("<0x..>", piece):
            assert piece.removeprefix("▁") == text[start:end]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "corpus", [["a"], ["x y"], ["한"], ["주목은 집중이다"], [""] * 9 + ["word"], ["1 2 3 !"], ["a" * 5000]]
)
def test_a_text_too_small_for_the_size_trains_what_there_is_and_says_so(kind: str, corpus: list[str]) -> None:
    tokenizer = Tokenizer.train(corpus, TokenizerConfig(kind=kind, size=8000))
    assert 260 < tokenizer.vocab_size < 8000
    assert "instead of the 8,000 asked for" in (tokenizer.notice or "")
    for text in [*corpus, "other 글"]:
        assert tokenizer.decode(tokenizer.encode(text)) == one_space(text)
    assert TRAINED[kind].notice is None or TRAINED[kind].vocab_size != 400


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_the_users_mistake(kind: str) -> None:
    for corpus in ([], ["", "  "]):
        with pytest.raises(UserError, match="no text"):
            Tokenizer.train(corpus, TokenizerConfig(kind=kind, size=400))


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_alphabet_leaves_room_for_longer_pieces(kind: str) -> None:
    corpus = ["".join(chr(0xAC00 + (i * 7 + j * 131) % 5000) for j in range(12)) for i in range(500)] + [
        "word word"
    ] * 90
    tokenizer = Tokenizer.train(corpus, TokenizerConfig(kind=kind, size=600))
    assert tokenizer.vocab_size <= 600
    assert tokenizer.decode(tokenizer.encode(corpus[3])) == corpus[3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("joint", [True, False])
def test_a_pair_comes_back_from_disk(kind: str, joint: bool, tmp_path: Path) -> None:
    config = TokenizerConfig(kind=kind, size=380, joint=joint, sampling=0.2)
    pair = TokenizerPair.train(lines()[::2], lines()[1::2], config)
    pair.save(tmp_path)
    loaded = TokenizerPair.load(tmp_path)
    assert pair.joint is loaded.joint is joint
    assert pair.notices == loaded.notices
    for text in ["the Man walked (2030)", "주목은 집중이다!"]:
        for mine, theirs in [(pair.source, loaded.source), (pair.target, loaded.target)]:
            assert mine.encode(text) == theirs.encode(text)
            assert [mine.sample(text, s) for s in range(9)] == [theirs.sample(text, s) for s in range(9)]
            assert mine.config == theirs.config
    first = sorted(tmp_path.glob("*tokenizer.json"))[0]
    assert (
        tokenizers.Tokenizer.from_file(str(first)).encode("walked", add_special_tokens=False).ids
    )  # the library's own format


def test_a_missing_or_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer .*tokenizer\.json"):
        TokenizerPair.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", "trunc')
    with pytest.raises(UserError, match=r"tokenizer\.json is not a tokenizer"):
        TokenizerPair.load(tmp_path)
    foreign = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"a": 0}, merges=[]))
    (tmp_path / "tokenizer.json").write_text(foreign.to_str())
    with pytest.raises(UserError, match="not a tokenizer of Jumok"):
        TokenizerPair.load(tmp_path)
