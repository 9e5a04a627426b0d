"""Subwords: raw text in, raw text out, nothing lost; BPE or unigram, trained inside and stored in the run.

A word begins with ``▁`` in place of its space. Digits stand alone and punctuation ends a word, so a number is copied
digit by digit and no text typed by a user can spell a special piece. A character that the training text (nearly)
lacks is spelled in UTF-8 bytes, hence any text comes back: ``decode(encode(x)) == x`` with runs of spaces made one.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import tokenizers
from pydantic import Field
from tokenizers import Regex, decoders, models, normalizers

from jumok.config import Config, parse
from jumok.data.sampling import BpeDropout, Sampler, UnigramSampling
from jumok.data.subwords import ESCAPES, SPACE, alphabet, learn_bpe, learn_unigram, word_splitter
from jumok.errors import UserError
from jumok.files import atomic_write

PAD, BEGIN, END, UNKNOWN = 0, 1, 2, 3
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
_FIXED = len(SPECIALS) + len(_BYTES)
_CACHED_TEXTS = 1 << 18


class TokenizerConfig(Config):
    """How text becomes subword pieces."""

    kind: Literal["bpe", "unigram"] = Field("bpe", description="bpe (merges, Sennrich 2016) or unigram (Kudo 2018)")
    size: int = Field(8000, ge=_FIXED + 40, description="pieces in the vocabulary, 260 of them special or bytes")
    joint: bool = Field(True, description="one vocabulary for both languages, else one each")
    sampling: float = Field(
        0.0, ge=0.0, le=1.0, description="subword sampling in training: bpe dropout, or unigram alpha; 0 is off"
    )


class Tokenizer:
    """Text to piece ids and back; ids 0 to 3 are `<pad> <s> </s> <unk>`, 4 to 259 the bytes."""

    def __init__(self, inner: tokenizers.Tokenizer, config: TokenizerConfig) -> None:
        self.inner, self.config = inner, config
        self._model: dict[str, Any] = json.loads(inner.to_str())["model"]
        vocab = self._model["vocab"]
        bpe = isinstance(vocab, dict)
        self._pieces: list[str] = sorted(vocab, key=vocab.__getitem__) if bpe else [piece for piece, _ in vocab]
        self._spelled = [_spell(i, piece) for i, piece in enumerate(self._pieces)]
        self._normalizer, self._splitter = _normalizer(), word_splitter()
        self._words: dict[str, list[str]] = {}
        self._sampler = self._make_sampler() if config.sampling else None

    @classmethod
    def train(cls, lines: Iterable[str], config: TokenizerConfig, *, progress: bool = False) -> "Tokenizer":
        """Learn the pieces of `lines`; the same lines give the same tokenizer, byte for byte.

        A text too small for `config.size` gives fewer pieces (see `notice`). Raises `UserError` if there is no text.
        """
        lines = list(lines)
        room = config.size - _FIXED
        common, rare = alphabet(lines, room)
        if not common:
            raise UserError("there is no text to learn subwords from; every training line is empty")
        model: models.Model
        if config.kind == "bpe":
            pieces, merges = learn_bpe(lines, rare, room, progress)
            vocab = {piece: i for i, piece in enumerate((*SPECIALS, *_BYTES, *pieces))}
            model = models.BPE(vocab=vocab, merges=merges, unk_token=SPECIALS[UNKNOWN], byte_fallback=True)
        else:
            scored = learn_unigram(lines, rare, room, progress)
            fixed = [(piece, 0.0) for piece in SPECIALS] + [(piece, scored[-1][1]) for piece in _BYTES]
            model = models.Unigram([*fixed, *scored], unk_id=UNKNOWN, byte_fallback=True)
        return cls(_pipeline(model), config)

    @property
    def vocab_size(self) -> int:
        """Number of pieces, special ones and bytes included."""
        return len(self._pieces)

    @property
    def notice(self) -> str | None:
        """What the user should know: a vocabulary of another size than asked for."""
        if self.vocab_size == self.config.size:
            return None
        cause = "the text holds no more" if self.vocab_size < self.config.size else "its characters need them"
        return f"tokenizer: {self.vocab_size:,} pieces instead of the {self.config.size:,} asked for; {cause}"

    def encode(self, text: str) -> list[int]:
        """Piece ids of `text`, without BEGIN and END."""
        return self.inner.encode(text, add_special_tokens=False).ids

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of every text, several at a time."""
        return [encoding.ids for encoding in self.inner.encode_batch_fast(list(texts), add_special_tokens=False)]

    def sample(self, text: str, seed: int) -> list[int]:
        """Piece ids by subword sampling, a pure function of (text, seed); `encode` where sampling is off."""
        if self._sampler is None:
            return self.encode(text)
        return self._sampler.sample(self._split(text), seed)

    def resampled(self, sampling: float) -> "Tokenizer":
        """The same pieces, sampled at another rate in training."""
        return Tokenizer(self.inner, self.config.model_copy(update={"sampling": sampling}))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of piece ids; special pieces are skipped, bytes that form no character become U+FFFD."""
        text = b"".join([self._spelled[i] for i in ids]).decode(errors="replace")
        for plain, escaped in reversed(ESCAPES):
            if escaped[0] in text:
                text = text.replace(escaped, plain)
        return re.sub(" +", " ", text).strip(" ")

    def decode_many(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """`decode` of every row."""
        return [self.decode(row) for row in rows]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Piece ids as they are written: ``▁Ein``, ``<0xEC>``, ``</s>``."""
        return [self._pieces[i] for i in ids]

    def words(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Piece ids of `text` and the characters ``text[start:end]`` that each stands for, without the space before.

        All byte pieces of a character have its place; a ``▁`` alone has an empty one before the next character.
        """
        ids = self.encode(text)
        owners = _owners(text)
        spans, at = [], 0
        for i in ids:
            size = len(self._spelled[i])
            space = self._spelled[i].startswith(b" ")
            owned = owners[at + space : at + size]
            spans.append((owned[0], owned[-1] + 1) if owned else (owners[at], owners[at]))
            at += size
        return ids, spans

    def save(self, path: Path) -> None:
        """Write `path` (a Hugging Face tokenizers file) and its options beside it."""
        atomic_write(path, self.inner.to_str(pretty=False))
        atomic_write(_options(path), json.dumps(self.config.model_dump(), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote. Raises `UserError` if it is missing or damaged."""
        path = Path(path)
        try:
            inner = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
            kind = json.loads(inner.to_str())["model"]["type"].lower()
            options = _options(path)
            values = json.loads(options.read_text(encoding="utf-8")) if options.exists() else None
        except FileNotFoundError as error:
            raise UserError(f"there is no tokenizer {path}; the run is not complete") from error
        except Exception as error:  # the library raises plain Exception for whatever it cannot read
            raise UserError(f"{path} is not a tokenizer ({error}); restore it from a copy of the run") from error
        if values is None:
            values = {"kind": kind, "size": max(inner.get_vocab_size(), _FIXED + 40)}
        tokenizer = cls(inner, parse(TokenizerConfig, values, str(options)))
        if kind != tokenizer.config.kind or tokenizer._pieces[:_FIXED] != [*SPECIALS, *_BYTES]:
            raise UserError(f"{path} is not a tokenizer of Jumok: its first pieces are other ones")
        return tokenizer

    def _split(self, text: str) -> list[str]:
        words = self._words.get(text)
        if words is None:
            normal = self._normalizer.normalize_str(text)
            words = [sys.intern(word) for word, _ in self._splitter.pre_tokenize_str(normal)]
            if len(self._words) < _CACHED_TEXTS:
                self._words[text] = words
        return words

    def _make_sampler(self) -> Sampler:
        spell = range(len(SPECIALS), _FIXED)
        vocab = self._model["vocab"]
        if self.config.kind == "bpe":
            learnt = {piece: i for i, piece in enumerate(self._pieces) if i >= _FIXED}
            return Sampler(BpeDropout(learnt, [(a, b) for a, b in self._model["merges"]], spell, self.config.sampling))
        scores = {piece: (i, score) for i, (piece, score) in enumerate(vocab) if i >= _FIXED}
        unknown = min(score for _, score in scores.values()) - 10.0
        return Sampler(UnigramSampling(scores, spell, unknown, self.config.sampling))


class TokenizerPair:
    """The tokenizers of both languages: one and the same object when the vocabulary is joint."""

    def __init__(self, source: Tokenizer, target: Tokenizer) -> None:
        self.source, self.target = source, target

    @property
    def joint(self) -> bool:
        """Whether both languages share one vocabulary."""
        return self.source is self.target

    @property
    def notices(self) -> list[str]:
        """The notices of the one or two tokenizers."""
        both = (self.source,) if self.joint else (self.source, self.target)
        return [tokenizer.notice for tokenizer in both if tokenizer.notice]

    @classmethod
    def train(
        cls, sources: Sequence[str], targets: Sequence[str], config: TokenizerConfig, *, progress: bool = False
    ) -> "TokenizerPair":
        """Learn from both sides of the training pairs."""
        if config.joint:
            joint = Tokenizer.train([*sources, *targets], config, progress=progress)
            return cls(joint, joint)
        return cls(*(Tokenizer.train(side, config, progress=progress) for side in (sources, targets)))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`, or `source.tokenizer.json` and `target.tokenizer.json`, into a run."""
        if self.joint:
            self.source.save(Path(folder) / "tokenizer.json")
        else:
            self.source.save(Path(folder) / "source.tokenizer.json")
            self.target.save(Path(folder) / "target.tokenizer.json")

    @classmethod
    def load(cls, folder: Path) -> "TokenizerPair":
        """Read what `save` wrote. Raises `UserError` if it is missing or damaged."""
        folder = Path(folder)
        if (folder / "source.tokenizer.json").exists():
            return cls(*(Tokenizer.load(folder / f"{side}.tokenizer.json") for side in ("source", "target")))
        joint = Tokenizer.load(folder / "tokenizer.json")
        return cls(joint, joint)


def _normalizer() -> normalizers.Normalizer:
    escapes = [normalizers.Replace(plain, escaped) for plain, escaped in ESCAPES]
    return normalizers.Sequence([normalizers.Replace(Regex("^ +| +$| +(?= )"), ""), *escapes])


def _pipeline(model: models.Model) -> tokenizers.Tokenizer:
    inner = tokenizers.Tokenizer(model)
    # SPECIALS are not "added tokens" of the library: those would be found in the user's text
    inner.normalizer = _normalizer()
    inner.pre_tokenizer = word_splitter()
    back = [decoders.Replace(escaped, plain) for plain, escaped in reversed(ESCAPES)]
    inner.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0), *back]
    )
    return inner


def _spell(index: int, piece: str) -> bytes:
    if index < len(SPECIALS):
        return b""
    return bytes([index - len(SPECIALS)]) if index < _FIXED else piece.replace(SPACE, " ").encode()


def _owners(text: str) -> list[int]:
    """For every byte of the text that the pieces spell, the place of the character it comes from."""
    owners: list[int] = []
    spaced = True
    escapes = {ord(plain): escaped for plain, escaped in ESCAPES}
    for at, character in enumerate(text):
        if character == " ":
            spaced = True
            continue
        if spaced:
            owners.append(at)
            spaced = False
        owners += [at] * len(character.translate(escapes).encode())
    return owners


def _options(path: Path) -> Path:
    return Path(path).with_name(Path(path).stem + ".options.json")
