"""Caption scores: those of pycocoevalcap, by hand, the laws any score obeys, and the watch for a collapse."""

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from jumok.errors import UserError
from jumok.metrics.caption_words import caption_words
from jumok.metrics.captions import CiderD, bleu, caption_scores, collapse_warning, rouge_l

SENTENCE = "a the man woman dog two runs sits on in with red ball grass and street looking at water"
WORDS = SENTENCE.split()
Captions = tuple[list[str], list[list[str]]]


def draw(images: int, rng: random.Random, most: int = 5) -> Captions:
    """Captions that share words with their references, these 1 to `most` an image and of any length, none too."""

    def text(near: Sequence[str]) -> str:
        return " ".join(rng.choice([rng.choice(WORDS), *near]) for _ in range(rng.randint(0, 14)))

    hypotheses = [text([]) for _ in range(images)]
    return hypotheses, [[text(own.split()) for _ in range(rng.randint(1, most))] for own in hypotheses]


def theirs(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[list[float], float, list[float]]:
    """BLEU-1 to 4, ROUGE-L, and the CIDEr-D of each image, as pycocoevalcap counts the same words."""
    own = {i: [" ".join(caption_words(text))] for i, text in enumerate(hypotheses)}
    given = {i: [" ".join(caption_words(text)) for text in texts] for i, texts in enumerate(references)}
    blue, _ = Bleu(4).compute_score(given, own, verbose=0)
    rouge, _ = Rouge().compute_score(given, own)
    _, cider = Cider().compute_score(given, own)
    return [100 * value for value in blue], 100 * rouge, [100 * value for value in cider]


def check(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    scores = caption_scores(hypotheses, references)
    blue, rouge, cider = theirs(hypotheses, references)
    assert [scores.bleu1, scores.bleu2, scores.bleu3, scores.bleu4] == pytest.approx(blue, abs=1e-6)
    assert scores.rouge_l == pytest.approx(rouge, abs=1e-6)
    assert list(scores.each_cider) == pytest.approx(cider, abs=1e-6)
    assert scores.cider == pytest.approx(sum(cider) / len(cider), abs=1e-6)


@pytest.mark.parametrize("images", [1, 2, 7, 120])
def test_random_captions_score_as_pycocoevalcap_scores_them(images: int, seed: int) -> None:
    check(*draw(images, random.Random(seed)))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text("ab '."), st.lists(st.text("ab '."), min_size=1, max_size=3)), min_size=1, max_size=5)
)
def test_short_captions_score_as_pycocoevalcap_scores_them(images: list[tuple[str, list[str]]]) -> None:
    hypotheses, references = [text for text, _ in images], [texts for _, texts in images]
    if any(caption_words(text) for texts in references for text in texts):
        check(hypotheses, references)
    else:  # pycocoevalcap breaks off
        assert caption_scores(hypotheses, references).cider == 0.0


def test_written_captions_score_as_pycocoevalcap_scores_them() -> None:
    hypotheses = ["A man's dog doesn't run on the beach.", "Two children play, in the snow", "", "a red bus"]
    references = [
        ["The dog of a man isn't running on a beach .", "A dog runs on the beach"],
        ["Two kids play in the snow.", "Children in snow", "two children play in the snow"],
        ["Nothing to see", "한 사람이 걷는다"],
        ["", "a red bus on a street"],
    ]
    check(hypotheses, references)


def test_scores_by_hand() -> None:
    # c = 3; of the references' lengths 4 and 2, equally close, the shorter counts: no penalty
    words, texts = ["a", "dog", "runs"], [["a", "dog", "sits", "here"], ["dog", "runs"]]
    assert bleu([words], [texts]) == pytest.approx([100.0, 100.0, 100 * (1e-15) ** (1 / 3), 0.0], abs=1e-2)
    # P = 2/3, R = 2/2 of the second
    assert rouge_l(words, texts) == pytest.approx(100 * 2.44 * (2 / 3) / (1 + 1.44 * 2 / 3))
    # too short by half: exp(1 - 2)
    assert bleu([["a"]], [[["a", "b"]]])[0] == pytest.approx(100 * 0.36788, abs=1e-3)
    # words that both images have weigh nothing; of the rest each cosine is 1
    cider = CiderD([["a red bus stops"], ["a man"]])
    assert cider.score("a red bus stops", ["a red bus stops"]) == pytest.approx(1000.0)
    assert cider.score("a", ["a"]) == 0.0


def test_a_perfect_captioner_and_a_hopeless_one() -> None:
    references = [[f"a {first} {second} near water"] for first in WORDS[2:8] for second in WORDS[8:14]]
    perfect = caption_scores([texts[0] for texts in references], references)
    assert [perfect.bleu1, perfect.bleu4, perfect.rouge_l, perfect.distinct] == pytest.approx([100.0] * 4, abs=1e-5)
    assert perfect.cider == pytest.approx(1000.0)
    hopeless = caption_scores(["zebra"] * len(references), references)
    assert hopeless.bleu4 < 1e-3
    assert (hopeless.cider, hopeless.rouge_l, hopeless.vocabulary) == (0.0, 0.0, 1)


def test_the_order_of_images_and_of_references_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)
    hypotheses, references = draw(40, rng)
    order = rng.sample(range(40), 40)
    shuffled = caption_scores(
        [hypotheses[i] for i in order], [rng.sample(references[i], len(references[i])) for i in order]
    )
    scores = caption_scores(hypotheses, references)
    assert list(shuffled.each_cider) == pytest.approx([scores.each_cider[i] for i in order])
    plain, other = scores.as_dict(), shuffled.as_dict()
    assert plain.pop("most_frequent") == other.pop("most_frequent")
    assert plain == pytest.approx(other)
    assert set(plain) == {"captions", "cider", "bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "distinct", "vocabulary"}


def test_a_cider_of_other_images_is_a_reward(seed: int) -> None:
    """Built once over the training images, it scores one caption as the whole set does, whatever came before."""
    rng = random.Random(seed)
    hypotheses, references = draw(60, rng)
    cider = CiderD(references)
    whole = caption_scores(hypotheses, references).each_cider
    order = rng.sample(range(60), 60)
    assert [cider.score(hypotheses[i], references[i]) for i in order] == pytest.approx([whole[i] for i in order])
    for i in order[:10]:  # the caption itself is the best one against it alone
        own = [references[i][0]]
        assert cider.score(own[0], own) >= cider.score(hypotheses[i], own) - 1e-9


def test_a_reward_is_quick(seed: int) -> None:
    rng = random.Random(seed)
    hypotheses, references = draw(500, rng)
    cider = CiderD(references)
    started = time.process_time()
    for text, texts in zip(hypotheses, references, strict=True):
        cider.score(text, texts)  # references not seen before, as in the first epoch
    assert 500 / (time.process_time() - started) > 500  # thousands, on a machine that is not busy


def test_diversity_by_hand() -> None:
    scores = caption_scores(["A dog.", "a dog", "A cat!", "two cats"], [["a dog"], ["a cat"], ["a cat"], ["cats"]])
    assert (scores.captions, scores.distinct, scores.vocabulary) == (4, 75.0, 5)
    most = scores.most_frequent
    assert (most.caption, most.count, most.share, most.right) == ("a dog", 2, 50.0, 50.0)


def collapsed(often: int, other: int, caption: str = "a man", truth: str = "a dog") -> str | None:
    hypotheses = [caption] * often + [f"thing {i}" for i in range(other)]
    return collapse_warning(caption_scores(hypotheses, [[truth]] * len(hypotheses)))


def test_a_collapse_is_named_with_its_likely_cause() -> None:
    every, many, nothing = collapsed(100, 0), collapsed(60, 40), collapsed(60, 40, "")
    assert every is not None
    assert 'the same caption for 100 % of 100 images: "a man"' in every
    assert "learning rate" in every
    assert many is not None
    assert "60 % of 100" in many
    assert "train longer" in many
    assert nothing is not None
    assert "no word" in nothing


def test_no_collapse_is_seen_where_there_is_none() -> None:
    assert collapsed(40, 60) is None
    assert collapsed(5, 0) is None  # too few to tell
    assert collapsed(80, 20, "a dog") is None  # most images do show it


def test_what_cannot_be_scored_is_told() -> None:
    with pytest.raises(UserError, match="2 captions against the references of 1"):
        caption_scores(["a", "b"], [["a"]])
    with pytest.raises(UserError, match="no captions"):
        caption_scores([], [])
    with pytest.raises(UserError, match="image 2 has no reference"):
        caption_scores(["a", "b"], [["a"], []])
    with pytest.raises(UserError, match="no images"):
        CiderD([])
