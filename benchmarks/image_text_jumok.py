"""Jumok's side of the writing rows: what `jumok read` and `jumok caption` do with batches, side by side."""

from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.image_text import Asked, serve
from benchmarks.worker import settings
from jumok.data.tokenizer import BEGIN, END, PAD
from jumok.decoding.search import SearchOptions, search
from jumok.models.image_to_text import ImageToText
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.nn.state import Encoded
from jumok.tasks.inference import in_image_precision, side_by_side
from jumok.training.weights import load_weights


class Jumok:
    """Encoder and search."""

    def __init__(self, asked: Asked) -> None:
        config = ImageToTextConfig(**asked.job["model"])
        model = ImageToText(config)
        load_weights(model, load_file(f"{asked.folder}/model.safetensors"), asked.folder)
        self.model = in_image_precision(model.to(asked.device).eval(), asked.values["precision"], config.dim)
        # the last of the tokens is the end, for which the decoder takes a step like the peer's last one
        self.room, self.device = asked.job["tokens"] - 1, asked.device
        self.options = SearchOptions(beam=asked.beam, min_length=self.room)

    @torch.inference_mode()
    def see(self, images: Tensor) -> Encoded:
        return self.model.encode(images)

    def write_all(self, batches: list[Any], seen: bool) -> list[list[list[int]]]:
        def write(batch: Any) -> list[list[int]]:
            encoded = batch if seen else self.see(batch)
            room = [self.room] * len(encoded.features)
            found = search(
                self.model,
                encoded,
                self.options,
                begin=BEGIN,
                end=END,
                pad=PAD,
                max_lengths=room,
                device=self.device,
            )
            return [best[0].tokens for best in found]

        return [found for _, found in side_by_side(write, batches, self.device)]


def main() -> None:
    asked = Asked(settings())
    torch.set_num_threads(asked.values["threads"])
    serve(Jumok(asked), asked, "torch", "jumok")


if __name__ == "__main__":
    main()
