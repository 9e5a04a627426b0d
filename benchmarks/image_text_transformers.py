"""transformers' side of the writing rows: `VisionEncoderDecoderModel.generate`."""

from typing import Any

import torch
from torch import Tensor
from transformers import VisionEncoderDecoderModel
from transformers.modeling_outputs import BaseModelOutput

from benchmarks.image_text import Asked, serve
from benchmarks.worker import settings
from jumok.data.tokenizer import BEGIN, PAD

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Transformers:
    """One of its models, in one precision and with one kind of attention."""

    def __init__(self, asked: Asked) -> None:
        self.dtype = DTYPES[asked.values["precision"]]
        attention, decoder = asked.values["attention"], asked.values["decoder"]
        model = VisionEncoderDecoderModel.from_pretrained(
            f"{asked.folder}/{decoder}",
            dtype=self.dtype,
            attn_implementation="eager" if decoder == "trocr" else attention,  # TrOCR has no other
        )
        model.encoder.set_attn_implementation(attention)
        model.encoder.pooler = None  # nobody reads it
        self.model = model.to(asked.device).eval()
        tokens = asked.job["tokens"]
        self.options: dict[str, Any] = {
            "num_beams": asked.beam,
            "min_new_tokens": tokens,
            "max_new_tokens": tokens,
            "do_sample": False,
        }
        if asked.values["outputs"]:  # what we never write; it costs a pass over the scores, so only where compared
            self.options["bad_words_ids"] = [[PAD], [BEGIN]]

    @torch.inference_mode()
    def see(self, images: Tensor) -> Tensor:
        features: Tensor = self.model.encoder(pixel_values=images.to(self.dtype)).last_hidden_state
        return features

    @torch.inference_mode()
    def write_all(self, batches: list[Any], seen: bool) -> list[list[list[int]]]:
        outputs = []
        for batch in batches:
            # the output of the encoder is spread over the beams in place: a new one each time
            given = (
                {"encoder_outputs": BaseModelOutput(last_hidden_state=batch)}
                if seen
                else {"pixel_values": batch.to(self.dtype)}
            )
            outputs.append(self.model.generate(**given, **self.options)[:, 1:].tolist())
        return outputs


def main() -> None:
    asked = Asked(settings())
    torch.set_num_threads(asked.values["threads"])
    serve(Transformers(asked), asked, "torch", "transformers")


if __name__ == "__main__":
    main()
