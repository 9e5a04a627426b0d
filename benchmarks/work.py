"""The work that both sides get: weights, training batches and sentences, written once into a folder."""

import json
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks import worker
from jumok.data.batching import TextBatch, collate, token_batches
from jumok.data.text import read_parallel
from jumok.data.tokenizer import TokenizerConfig, TokenizerPair
from jumok.interop import marian
from jumok.models.seq2seq import Seq2Seq, Seq2SeqConfig
from jumok.models.transformer import Transformer, TransformerConfig
from jumok.training.weights import load_weights, weights_of

Pair = tuple[list[int], list[int]]


def read(folder: str, name: str) -> Any:
    """One of the JSON files of the work folder: batches, sentences, sizes."""
    return json.loads((Path(folder) / f"{name}.json").read_text())


def read_batches(folder: str) -> list[TextBatch]:
    """The training batches, of one side as of the other."""
    rows = [([source for source, _ in rows], [target for _, target in rows]) for rows in read(folder, "batches")]
    return [collate(sources, targets, range(len(sources))) for sources, targets in rows]


def read_model(folder: str) -> Transformer:
    """The model that every side has, as a run of Jumok stores it."""
    model = Transformer(TransformerConfig(**read(folder, "sizes")))
    load_weights(model, load_file(Path(folder) / "model.safetensors"), folder)
    return model


def recurrent_model(folder: str, sizes: dict[str, Any]) -> Seq2Seq:
    """The LSTM with attention of the recurrent row, of the same vocabulary."""
    torch.manual_seed(1)
    vocabulary = read(folder, "sizes")["target_vocab"]
    options = {"cell": "lstm", "directions": 2, "decoder": "luong", "score": "general", "input_feeding": True}
    return Seq2Seq(Seq2SeqConfig(source_vocab=vocabulary, target_vocab=vocabulary, **options, **sizes))


def matrix_work(model: dict[str, Any], source: int, target: int) -> float:
    """Floating point operations of one forward pass in matrix products with weights, for real tokens.

    Scores and mixes of attention, a few per cent at these lengths, are left out: a share of the peak is understated.
    """
    dim, hidden, depth = model["dim"], model["hidden"], model["depth"]
    encoder = depth * (4 * dim * dim + 2 * dim * hidden)
    decoder = depth * (6 * dim * dim + 2 * dim * hidden) + dim * model["target_vocab"]
    memory = depth * 2 * dim * dim
    return 2.0 * (source * (encoder + memory) + target * decoder)


def prepare(folder: Path, plan: dict[str, Any], data: str | None) -> None:
    """Write the work: `data` is a folder with Multi30k, None for random tokens of like lengths."""
    pairs, sentences, vocabulary = _pairs(plan, data)
    sizes = plan["model"] | {"source_vocab": vocabulary, "target_vocab": vocabulary}
    torch.manual_seed(1)
    model = Transformer(TransformerConfig(**sizes))
    save_file(weights_of(model), folder / "model.safetensors")
    marian.write(model, None, folder / "marian")
    lengths = [len(source) for source, _ in pairs], [len(target) for _, target in pairs]
    budget = plan["batch_tokens"]
    rows = token_batches(*lengths, budget=budget, seed=1, epoch=0)
    # the first and the last of an epoch may be small
    full = [[pairs[i] for i in batch] for batch in rows if sum(lengths[1][i] + 1 for i in batch) > 0.8 * budget]
    files = {"sizes": sizes, "batches": full[: plan["steps"]], "sentences": sentences, "pairs": pairs}
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))


def _pairs(plan: dict[str, Any], data: str | None) -> tuple[list[Pair], list[list[int]], int]:
    """Training pairs, sentences to translate, and the size of the vocabulary."""
    shuffled = random.Random(1)
    if data is None:
        pairs = [_random_pair(shuffled, plan["vocabulary"]) for _ in range(29_000)]
        fresh = [source for source, _ in pairs]
        vocabulary = plan["vocabulary"]
    else:
        train = read_parallel(Path(data), "train", "de", "en", "nfc")
        config = TokenizerConfig(kind="bpe", size=plan["vocabulary"])
        tokenizer = TokenizerPair.train(train.sources, train.targets, config).source
        encoded = tokenizer.encode_many(train.sources), tokenizer.encode_many(train.targets)
        pairs = list(zip(*encoded, strict=True))
        fresh = tokenizer.encode_many(read_parallel(Path(data), "val", "de", "en", "nfc").sources)
        vocabulary = tokenizer.vocab_size
    middling = [source for source in fresh if 12 <= len(source) <= 24]
    return pairs, shuffled.sample(middling, plan["sentences"]), vocabulary


def _random_pair(random_: random.Random, vocabulary: int) -> Pair:
    # as Multi30k has them in 8,000 joint pieces: about 15 a side, alike on both
    length = min(max(round(random_.gauss(15, 5)), 4), 45)
    other = max(length + random_.randint(-3, 2), 3)
    return tuple([random_.randrange(4, vocabulary) for _ in range(n)] for n in (length, other))  # type: ignore[return-value]


def main() -> None:
    """Called by the harness in a process of its own, so that the harness stays small."""
    asked = worker.settings()
    prepare(Path(asked["work"]), asked["plan"], asked["data"])
    worker.ready("torch")
    worker.wait()


if __name__ == "__main__":
    main()
