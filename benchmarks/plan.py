"""What is measured, how much of it, and the targets: the only place with numbers."""

from dataclasses import dataclass, field
from typing import Any

BASE = {"dim": 512, "heads": 8, "depth": 6, "hidden": 2048, "dropout": 0.1}
# bidirectional LSTM encoder, LSTM decoder, Luong's general score, input feeding
RECURRENT = {"dim": 512, "depth": 1, "dropout": 0.1}
IMAGES = {"dim": 384, "heads": 6, "depth": 12, "hidden": 1536, "image_size": 224, "patch": 16}  # ViT-S/16
TOY = {"dim": 64, "heads": 4, "depth": 1, "hidden": 96, "dropout": 0.1}


@dataclass(frozen=True)
class Plan:
    """Sizes of the work; `QUICK` only shows that everything runs."""

    model: dict[str, Any] = field(default_factory=lambda: BASE)
    recurrent: dict[str, Any] = field(default_factory=lambda: RECURRENT)
    vocabulary: int = 8000
    batch_tokens: int = 4096  # target tokens a batch
    steps: int = 4  # timed steps in a turn
    rounds: int = 3  # turns of each side, in alternation
    sentences: int = 192
    single: int = 24  # sentences decoded one at a time
    tokens: int = 24  # written for every sentence, the end counted
    beam: int = 4
    batches: tuple[int, ...] = (48, 96)  # sentences decoded together by Jumok and transformers
    peer_batches: tuple[int, ...] = (32, 64, 192)  # by CTranslate2
    checked: int = 16  # sentences whose greedy output must agree
    image_model: dict[str, Any] = field(default_factory=lambda: IMAGES)
    images: int = 32  # a batch
    image_steps: int = 2  # batches in a turn


FULL = Plan()
QUICK = Plan(
    TOY,
    {"dim": 64, "depth": 1, "dropout": 0.1},
    600,
    256,
    2,
    1,
    12,
    3,
    6,
    4,
    (4, 12),
    (4, 12),
    4,
    {"dim": 32, "heads": 2, "depth": 2, "hidden": 64, "image_size": 32, "patch": 8},
    4,
    1,
)


@dataclass(frozen=True)
class Row:
    """One line of the results; `floor` and `aim` are ratios, or gigabytes for memory."""

    what: str
    unit: str
    floor: float | None = None
    aim: float | None = None


ROWS = {
    "train": Row("training, against transformers' MarianMTModel, bf16 autocast", "target tokens/s", 1.4, 1.8),
    "train-eager": Row("the same with its eager attention", "target tokens/s"),
    "train-fp32": Row("training, both in fp32", "target tokens/s"),
    "train-compiled": Row("training, bf16, both compiled", "target tokens/s"),
    "joey": Row("training, against JoeyNMT 2.3, its own loader and loop, fp32", "target tokens/s", 5.5, 8.0),
    "joey-recurrent": Row("training an LSTM with attention, against JoeyNMT 2.3's, fp32", "target tokens/s", 1.5, 3.0),
    "decode-ctranslate2": Row("decoding, against CTranslate2's fastest", "tokens/s", 1.05, 1.5),
    "decode-transformers": Row("decoding, against transformers' generate, its fastest", "tokens/s", 1.9, 3.0),
    "decode-fp32": Row("decoding in fp32, against CTranslate2's fastest", "tokens/s"),
    "single": Row("one sentence at a time, against CTranslate2's fastest", "tokens/s", 1.0, 1.3),
    "memory": Row("peak memory while decoding, against CTranslate2's fastest", "GB", 1.2, 0.8),
    "memory-transformers": Row("the same against transformers' generate", "GB"),
    "images": Row("ViT-S/16 at 224, inference, against transformers' fastest", "images/s", 1.1, 1.3),
    "images-train": Row("ViT-S/16 at 224, training, against transformers' fastest", "images/s", 1.0, 1.2),
}
GROUPS = ("train", "joey", "decode", "single", "memory", "images")
