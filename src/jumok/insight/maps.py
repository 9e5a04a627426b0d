"""What attention weights say: averages, words, sinks, entropy, and alignment scored against gold links.

Maps are ``(..., Q, K)`` arrays or CPU tensors whose rows sum to 1, as `record` gives them (without the batch).
**No shift by one**: row i of a decoder's map is the step that *writes* target piece i, having read the begin token and
pieces 0 to i - 1; so the rows stand beside the pieces of the output with its end token, and in the decoder's
self-attention the keys are the begin token and those pieces, one place later.
"""

import re
import unicodedata
from collections.abc import Collection, Hashable, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

Weights = npt.NDArray[np.floating] | Tensor
Map = npt.NDArray[np.float32]
Span = tuple[int, int]

# by name, since maps come from any tokenizer
_ANGLES = ("<s>", "</s>", "<pad>", "<bos>", "<eos>", "<cls>", "<sep>")
_BRACKETS = ("[START]", "[END]", "[PAD]", "[BOS]", "[EOS]", "[CLS]", "[SEP]")
SPECIAL = frozenset((*_ANGLES, *_BRACKETS))
_SPACES = ("▁", "Ġ", " ")
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


def as_map(weights: Weights) -> Map:
    """Weights as a float32 array."""
    array = weights.detach().float().cpu().numpy() if isinstance(weights, Tensor) else weights
    return np.asarray(array, dtype=np.float32)


def average(maps: Sequence[Weights]) -> Map:
    """The mean over all heads of all maps ``(H, Q, K)``, each layer counting the same -> ``(Q, K)``."""
    return as_map(np.mean([as_map(weights).mean(0) for weights in maps], axis=0))


def word_ids(pieces: Sequence[str]) -> list[int]:
    """Number of the word that each piece belongs to.

    A word begins at a space (``▁``), and where letters, digits and signs meet: ``▁2026 년`` are two words, ``- 11``
    too. Each sign and each special piece is a word, but an apostrophe between letters (don't) and a point or comma
    between digits (3.5) join. Bytes (``<0xEC>``) count as letters.
    """
    ids: list[int] = []
    word, before = -1, "start"
    for at, piece in enumerate(pieces):
        body = _body(piece)
        kind = _kind(piece, body[:1])
        after = pieces[at + 1] if at + 1 < len(pieces) else ""
        spaced = piece.startswith(_SPACES)
        joint = not spaced and _joins(before, body, _kind(after, after[:1]))
        alone = kind == "special" or (before != "space" and (kind != before or kind == "sign"))
        if spaced or (alone and not joint):
            word += 1
        ids.append(word)
        # after a joining sign what follows goes on in the same word
        if not joint:
            before = _kind(piece, body[-1:])
    return ids


def word_labels(pieces: Sequence[str], ids: Sequence[int]) -> list[str]:
    """The text of each word; bytes become characters again."""
    labels = []
    for word in range(max(ids, default=-1) + 1):
        own = [piece for piece, number in zip(pieces, ids, strict=True) if number == word]
        spelled = b"".join(bytes.fromhex(m[1]) if (m := _BYTE.fullmatch(p)) else _body(p).encode() for p in own)
        labels.append(spelled.decode(errors="replace") or "▁")
    return labels


def join_words(weights: Weights, rows: Sequence[int] | None = None, keys: Sequence[int] | None = None) -> Map:
    """Pieces joined to words: the *sum* over the key pieces of a word, the *mean* over its query pieces.

    ``w[a, b] = 1/|a| sum_{i in a} sum_{j in b} w[i, j]`` (Clark et al. 2019, "What Does BERT Look At?", section 4.1),
    so rows still sum to 1.

    Args:
        weights: ``(..., Q, K)``.
        rows: word number of each query piece, every number from 0 on used; None leaves the rows as they are.
        keys: the same for the key pieces.
    """
    joined = as_map(weights)
    if keys is not None:
        joined = joined @ _membership(keys, joined.shape[-1])
    if rows is not None:
        member = _membership(rows, joined.shape[-2])
        joined = (member / member.sum(0)).T @ joined
    return as_map(joined)


def sinks(pieces: Sequence[str], weights: Weights | None = None) -> list[int]:
    """Keys where attention rests for want of anything to look at (Clark et al. 2019; Xiao et al. 2024).

    Special pieces by name; with `weights` ``(..., Q, K)`` also signs (no letter, no digit) that take more than twice
    the even share ``1/K``.
    """
    found = {at for at, piece in enumerate(pieces) if piece in SPECIAL}
    if weights is not None:
        share = received(weights)
        found |= {at for at, piece in enumerate(pieces) if _is_sign(piece) and share[at] > 2 / len(pieces)}
    return sorted(found)


def received(weights: Weights) -> Map:
    """Share of all weight that each key takes, ``(..., Q, K)`` -> ``(K,)``."""
    weights = as_map(weights)
    return as_map(weights.reshape(-1, weights.shape[-1]).mean(0))


def without(weights: Weights, keys: Collection[int]) -> Map:
    """The same weights with these keys at zero and each row stretched to sum to 1 again; an empty row stays zero."""
    kept = as_map(weights).copy()
    kept[..., list(keys)] = 0.0
    total = kept.sum(-1, keepdims=True)
    return as_map(np.divide(kept, total, out=np.zeros_like(kept), where=total > 0))


def entropy(weights: Weights) -> Map:
    """``-sum_j w_j log2 w_j`` in bits, the mean over the queries: ``(..., Q, K)`` -> ``(...)``, one figure a head.

    0 looks at one key; ``log2 K`` looks at all alike.
    """
    weights = as_map(weights)
    logs = np.log2(weights, out=np.zeros_like(weights), where=weights > 0)
    return as_map(-(weights * logs).sum(-1).mean(-1))


def best_match(weights: Weights) -> list[int]:
    """The key that each query of a map ``(Q, K)`` looked at most."""
    return [int(key) for key in as_map(weights).argmax(-1)]


def gold_pairs(
    source_spans: Sequence[Span], target_spans: Sequence[Span], links: Sequence[tuple[Span, Span]]
) -> set[tuple[int, int]]:
    """(target piece, source piece) pairs that a gold link joins: each overlaps its side of the link.

    Spans are characters ``text[start:end]``, a link is (source span, target span).
    """
    pairs = set()
    for source, target in links:
        sources = [at for at, span in enumerate(source_spans) if _overlap(span, source)]
        pairs |= {(i, j) for i, span in enumerate(target_spans) if _overlap(span, target) for j in sources}
    return pairs


def alignment_accuracy(
    weights: Weights, source_spans: Sequence[Span], target_spans: Sequence[Span], links: Sequence[tuple[Span, Span]]
) -> float:
    """Share (0-100) of linked target pieces whose most-attended source piece lies in a linked source span.

    Args:
        weights: ``(Q, K)``, rows as this module's head says; rows past `target_spans` (the end token) do not count, a
            best key past `source_spans` (an end token) is a miss.
        source_spans: characters of each source piece; target_spans: of each target piece.
        links: gold (source span, target span) pairs.

    Raises:
        ValueError: no target piece is linked, or the map is smaller than the spans.
    """
    rows, keys = as_map(weights).shape
    if rows < len(target_spans) or keys < len(source_spans):
        raise ValueError(f"a map of {rows} x {keys} for {len(target_spans)} target, {len(source_spans)} source pieces")
    gold = gold_pairs(source_spans, target_spans, links)
    linked = {row for row, _ in gold}
    if not linked:
        raise ValueError("no target piece is linked to the source: nothing to score")
    best = best_match(weights)
    return 100.0 * sum((row, best[row]) in gold for row in linked) / len(linked)


def alignment_precision(found: Collection[Hashable], possible: Collection[Hashable]) -> float:
    """``100 |A & P| / |A|``: share of the found pairs that are possible; pairs as in `alignment_error_rate`."""
    return 100.0 * len(set(found) & set(possible)) / len(set(found))


def alignment_error_rate(
    found: Collection[Hashable], sure: Collection[Hashable], possible: Collection[Hashable] = ()
) -> float:
    """``AER = 100 (1 - (|A & S| + |A & P|) / (|A| + |S|))`` (Och and Ney 2003); 0 is perfect.

    `found` A, `sure` S and `possible` P are sets of pairs (target, source), or for a corpus (sentence, target,
    source); P includes S.
    """
    a, s = set(found), set(sure)
    p = s | set(possible)
    return 100.0 * (1.0 - (len(a & s) + len(a & p)) / (len(a) + len(s)))


def _membership(ids: Sequence[int], size: int) -> Map:
    if len(ids) != size or set(ids) != set(range(max(ids) + 1)):
        raise ValueError(f"word numbers {list(ids)} must be one for each of {size} pieces, all used from 0 on")
    return np.eye(max(ids) + 1, dtype=np.float32)[list(ids)]


def _body(piece: str) -> str:
    return piece[1:] if piece.startswith(_SPACES) else piece


def _kind(piece: str, character: str) -> str:
    if piece in SPECIAL or piece == "<unk>":
        return "special"
    if _BYTE.fullmatch(piece):
        return "letter"
    if not character:
        return "space" if piece else "end"
    category = unicodedata.category(character)[0]
    return {"L": "letter", "M": "letter", "N": "digit"}.get(category, "sign")


def _joins(before: str, body: str, after: str) -> bool:
    joiners = {"letter": ("'", "’"), "digit": (".", ",")}
    return before == after and body in joiners.get(before, ())


def _is_sign(piece: str) -> bool:
    body = _body(piece)
    return bool(body) and not _BYTE.fullmatch(piece) and not any(map(str.isalnum, body))


def _overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]
