"""What is measured, how much of it, and the targets: the only place with numbers."""

from dataclasses import dataclass, field
from typing import Any

BASE = {"dim": 512, "heads": 8, "depth": 6, "hidden": 2048, "dropout": 0.1}
# bidirectional LSTM encoder, LSTM decoder, Luong's general score, input feeding
RECURRENT = {"dim": 512, "depth": 1, "dropout": 0.1}
IMAGES = {"dim": 384, "heads": 6, "depth": 12, "hidden": 1536, "image_size": 224, "patch": 16}  # ViT-S/16
SENTENCES = {"dim": 384, "heads": 12, "depth": 6, "hidden": 1536}  # MiniLM-L6
TOY = {"dim": 64, "heads": 4, "depth": 1, "hidden": 96, "dropout": 0.1}
# the preset vit-transformer: ViT-S/16 and a decoder of 4 blocks
CAPTIONER = {
    "encoder": "vit",
    "decoder": "transformer",
    "vocab_size": 8000,
    "image_size": 224,
    "max_len": 64,
    "patch": 16,
    "dim": 384,
    "heads": 6,
    "depth": 12,
    "decoder_depth": 4,
    "hidden": 1536,
}
# words of 32 x 128 pixels in 94 characters; what a VisionEncoderDecoderModel can be too, so a ViT in front
READER = {
    "encoder": "vit",
    "decoder": "transformer",
    "vocab_size": 98,
    "image_size": (32, 128),
    "max_len": 64,
    "patch": 8,
    "dim": 256,
    "heads": 4,
    "depth": 3,
    "decoder_depth": 2,
    "hidden": 1024,
}
# the preset reader
CTC = {
    "encoder": "resnet-transformer",
    "decoder": "ctc",
    "vocab_size": 98,
    "image_size": (32, 128),
    "stem": "small",
    "widths": (64, 128, 256),
    "blocks": (1, 1, 1),
    "strides": ((2, 2), (2, 2), (2, 1)),
    "tokens": "columns",
    "dim": 256,
    "heads": 4,
    "depth": 3,
    "hidden": 1024,
}
SMALL = {"dim": 32, "heads": 2, "depth": 1, "hidden": 64}
SMALL_CTC = {"widths": (8, 16, 32), **SMALL}


@dataclass(frozen=True)
class Writing:
    """A model that writes what an image shows, and how much of it it writes."""

    model: dict[str, Any]
    tokens: int  # written for every image, the end counted
    beam: int
    batch: int  # images
    batches: int = 4  # in a turn


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
    reader: Writing = Writing(READER, tokens=8, beam=1, batch=64)
    ctc: Writing = Writing(CTC, tokens=7, beam=1, batch=64)
    captioner: Writing = Writing(CAPTIONER, tokens=14, beam=4, batch=16)
    rendered: int = 4000  # words drawn in a turn
    fonts: int = 60  # font files they are drawn with
    sentence_model: dict[str, Any] = field(default_factory=lambda: SENTENCES)
    sentence_vocabulary: int = 8000
    embedded: int = 1024  # sentences in a turn
    embedded_batch: int = 64


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
    Writing({**READER, **SMALL}, tokens=5, beam=1, batch=4, batches=2),
    Writing({**CTC, **SMALL_CTC}, tokens=5, beam=1, batch=4, batches=2),
    Writing({**CAPTIONER, **SMALL, "image_size": 32, "patch": 8}, tokens=5, beam=4, batch=4, batches=2),
    40,
    4,
    {"dim": 32, "heads": 2, "depth": 1, "hidden": 64},
    400,
    32,
    8,
)


@dataclass(frozen=True)
class Row:
    """One line of the results; `floor` and `aim` are ratios, or of our own figure where `target` is its unit."""

    what: str
    unit: str
    floor: float | None = None
    aim: float | None = None
    target: str = "x"

    @property
    def digits(self) -> int:
        """How many of a figure are printed behind its point."""
        return {"GB": 2, "ms": 1}.get(self.unit, 0)


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
    "memory": Row("peak memory while decoding, against CTranslate2's fastest", "GB", 1.2, 0.8, "GB"),
    "memory-transformers": Row("the same against transformers' generate", "GB"),
    "images": Row("ViT-S/16 at 224, inference, against transformers' fastest", "images/s", 1.1, 1.3),
    "images-train": Row("ViT-S/16 at 224, training, against transformers' fastest", "images/s", 1.0, 1.2),
    "render": Row("drawing Latin words, against Pillow drawing them plainly", "words/s", 1500, 4000, "words/s"),
    "render-hangul": Row("the same with words in Hangul", "words/s", 1500, 4000, "words/s"),
    "read-ctc": Row(
        "reading 64 words with CTC, greedy, against its encoder's forward pass alone: time", "ms", 1.15, 1.05
    ),
    "read": Row("reading word by word, greedy, against transformers' VisionEncoderDecoderModel", "words/s", 1.5, 2.5),
    "caption": Row("captioning, beam 4, against transformers' VisionEncoderDecoderModel", "images/s", 1.2, 1.5),
    "caption-decoder": Row("the same, its decoder alone", "images/s", 1.8, 3.0),
    "embed": Row("sentence vectors, the model alone, against transformers' BertModel", "sentences/s", 1.1, 1.3),
    "embed-whole": Row("the same from text to vectors, against sentence-transformers", "sentences/s", 1.3, 2.0),
}
GROUPS = ("train", "joey", "decode", "single", "memory", "images", "render", "read", "caption", "embed")
