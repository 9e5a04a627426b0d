"""Jumok's side of the rows of sentences: `SentenceEmbedder` from text to vectors, or its model alone."""

from pathlib import Path

import torch

from benchmarks import worker
from jumok.data.tokenizer import Tokenizer
from jumok.models.sentence_encoder import SentenceEncoder, TransformerEncoderConfig
from jumok.tasks.embed_predict import SentenceEmbedder
from jumok.tasks.inference import evaluating, in_image_precision, side_by_side


def main() -> None:
    asked = worker.settings()
    torch.set_num_threads(asked["threads"])
    folder = Path(asked["work"])
    stored = torch.load(folder / "sentences.pt")
    model = SentenceEncoder(TransformerEncoderConfig.model_validate(stored["config"]))
    model.load_state_dict(stored["weights"])
    model = in_image_precision(model.to(asked["device"]).eval(), asked["precision"], model.config.dim)
    embedder = SentenceEmbedder(model, Tokenizer.load(folder / "sentences.tokenizer.json"))
    lines: list[str] = worker.read("sentences")
    if asked["part"] == "whole":

        def turn() -> tuple[float, dict[str, object]]:
            found = embedder.embed(lines).vectors
            return len(lines), {"outputs": found[:4].tolist()}

    else:
        rows = embedder.tokenizer.encode_many(lines)
        batches = [
            (tokens.to(embedder.device), lengths.to(embedder.device))
            for tokens, lengths in sorted_batches(rows, asked["batch"])
        ]

        def turn() -> tuple[float, dict[str, object]]:
            def one(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
                with torch.inference_mode():
                    found: torch.Tensor = model(*batch)
                return found

            with evaluating(model):
                for _ in side_by_side(one, batches, embedder.device):
                    pass
            return len(lines), {}

    turn()
    worker.ready("torch", "jumok")
    worker.serve(turn)


def sorted_batches(rows: list[list[int]], size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Sentences in pieces, sorted by length, padded in batches of `size`."""
    from jumok.data.batching import pad

    order = sorted(rows, key=len)
    return [pad(order[start : start + size]) for start in range(0, len(order), size)]


if __name__ == "__main__":
    main()
