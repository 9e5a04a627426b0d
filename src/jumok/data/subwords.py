"""Learning the pieces of a subword vocabulary: the same lines give the same pieces, in the same order."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import tokenizers
from tokenizers import Regex, models, pre_tokenizers, trainers

SPACE = "▁"
# "▁" itself, typed by a user, is written with two noncharacters of Unicode, and the first of them likewise
ESCAPES = (("\ufdd0", "\ufdd0\ufdd2"), (SPACE, "\ufdd0\ufdd1"))
# private characters that end words while a unigram model learns, see learn_unigram
_TAILS = "".join(map(chr, range(0x10FF00, 0x10FF40)))
_RESERVED = SPACE + "\ufdd0\ufdd1\ufdd2" + _TAILS
# the share of all characters, ASCII aside, that may be spelled in bytes: rare ones would be pieces never learnt
_RARE = 2e-4


def word_splitter() -> pre_tokenizers.PreTokenizer:
    """Text to words that no piece crosses: ``▁`` for the space before, digits alone, punctuation and symbols alone."""
    # "▁(" may be one piece; "▁" is a symbol by Unicode and must not count as one
    alone = Regex(rf"{SPACE}?[[\p{{P}}\p{{S}}]&&[^{SPACE}]]|\d")
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always"), pre_tokenizers.Split(alone, "isolated")]
    )


def alphabet(lines: Iterable[str], room: int) -> tuple[list[str], list[str]]:
    """Characters that become pieces, and those too rare, or too many for half of `room`, to become one."""
    counts = Counter(chain.from_iterable(lines))
    for character in (" ", *_RESERVED):
        counts.pop(character, None)
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    allowed, common = _RARE * counts.total(), []
    for place, character in enumerate(reversed(ranked)):
        allowed -= counts[character]
        if (allowed < 0 or character.isascii()) and len(ranked) - place < room // 2:
            common.append(character)
    common.reverse()
    kept = set(common)
    return common, [character for character in ranked if character not in kept]


def learn_bpe(
    lines: Sequence[str], rare: Iterable[str], room: int, progress: bool
) -> tuple[list[str], list[tuple[str, str]]]:
    """Characters and merged pieces, at most about `room`, and the merges by priority (Sennrich et al. 2016)."""
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = word_splitter()
    trainer = trainers.BpeTrainer(vocab_size=room, show_progress=progress)
    learner.train_from_iterator(_without(lines, rare), trainer, length=len(lines))
    model = json.loads(learner.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), [(left, right) for left, right in model["merges"]]


def learn_unigram(lines: Sequence[str], rare: Iterable[str], room: int, progress: bool) -> list[tuple[str, float]]:
    """Pieces and their log probabilities, at most about `room`, best first (Kudo 2018)."""
    # The library takes as candidates what occurs before two different characters, and a whole word only ever stands
    # before the end. So every word is shown once more before a private character (64 of them, lest they form pieces).
    splitter = word_splitter()
    words = [[word for word, _ in splitter.pre_tokenize_str(line)] for line in _without(lines, rare)]
    counts = Counter(chain.from_iterable(words))
    repeated = sorted(word for word, count in counts.items() if count > 1 and len(word) > 1)
    shown = [word + _TAILS[i % len(_TAILS)] for i, word in enumerate(repeated)]
    learner = tokenizers.Tokenizer(models.Unigram())
    learner.pre_tokenizer = pre_tokenizers.Split("\n", "removed")
    trainer = trainers.UnigramTrainer(
        vocab_size=room + len(_TAILS) + room // 20,
        show_progress=progress,
        unk_token="<unk>",
        special_tokens=["<unk>"],
    )
    learner.train_from_iterator(("\n".join(line) for line in (*words, shown)), trainer, length=len(words) + 1)
    model = json.loads(learner.to_str())["model"]
    tails = set(_TAILS)
    scores = {piece: score for piece, score in model["vocab"] if piece != "<unk>" and tails.isdisjoint(piece)}
    # The trainer sums in the order of a hash table: scores differ in their last digits from run to run, and the
    # characters it appends below all others come in any order. One floor for those and three decimals undo both.
    floor = min((score for piece, score in scores.items() if len(piece) > 1), default=max(scores.values()))
    rounded = {piece: round(max(score, floor), 3) for piece, score in scores.items()}
    ranked = sorted(rounded, key=lambda piece: (-rounded[piece], piece))
    # every character has to stay, however low its score
    longer = room - sum(len(piece) == 1 for piece in ranked)
    kept = {piece for piece in ranked if len(piece) == 1} | set([p for p in ranked if len(p) > 1][: max(longer, 0)])
    return [(piece, rounded[piece]) for piece in ranked if piece in kept]


def _without(lines: Iterable[str], rare: Iterable[str]) -> Iterator[str]:
    table = {ord(character): " " for character in (*rare, *_RESERVED)}
    return (line.translate(table) for line in lines)
