"""A sentence encoder of random weights in BERT's layout, and sentences: what every side of these rows loads."""

import json
import random
from pathlib import Path

import torch

from benchmarks import worker
from jumok.data.tokenizer import Tokenizer, TokenizerConfig
from jumok.interop.sentence_transformers import save
from jumok.models.sentence_encoder import SentenceEncoder, TransformerEncoderConfig


def main() -> None:
    asked = worker.settings()
    rng, folder = random.Random(1), Path(asked["work"])
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(4000)]
    # words by Zipf's law, as many a sentence as captions have
    weights = [1 / (rank + 1) for rank in range(len(words))]
    lines = [
        " ".join(rng.choices(words, weights, k=max(3, round(rng.gauss(12, 4))))) for _ in range(asked["sentences"])
    ]
    tokenizer = Tokenizer.train(lines, TokenizerConfig(size=asked["vocabulary"]))
    torch.manual_seed(1)
    sizes = asked["sentence_model"] | {"vocab_size": tokenizer.vocab_size, "max_len": 128}
    model = SentenceEncoder(TransformerEncoderConfig.preset("bert", **sizes)).eval()
    save(model, tokenizer, folder / "sentences")
    torch.save({"weights": model.state_dict(), "config": model.config.model_dump()}, folder / "sentences.pt")
    tokenizer.save(folder / "sentences.tokenizer.json")
    (folder / "sentences.json").write_text(json.dumps(lines))
    worker.ready("torch")
    worker.wait()


if __name__ == "__main__":
    main()
