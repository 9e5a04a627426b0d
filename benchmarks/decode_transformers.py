"""transformers' side of the decoding rows: `generate` on the Marian folder that `jumok.interop` wrote."""

from typing import Any

import torch
from transformers import MarianMTModel

from benchmarks.decoding import Translate, portions, serve
from jumok.data.batching import pad

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load(asked: dict[str, Any]) -> Translate:
    torch.set_num_threads(asked["threads"])
    device = torch.device(asked["device"])
    model = MarianMTModel.from_pretrained(f"{asked['work']}/marian", dtype=DTYPES[asked["precision"]]).to(device).eval()
    if not asked["outputs"]:
        model.generation_config.bad_words_ids = None  # it costs a pass over the scores, and changes no time of others

    @torch.inference_mode()
    def translate(rows: list[list[int]]) -> list[list[int]]:
        outputs: list[list[int]] = []
        for batch in portions(rows, asked["batch"]):
            source, lengths = pad(batch)
            mask = torch.arange(source.shape[1]) < lengths[:, None]
            written = model.generate(
                input_ids=source.to(device),
                attention_mask=mask.long().to(device),
                num_beams=asked["beam"],
                min_new_tokens=asked["tokens"],
                max_new_tokens=asked["tokens"],
                max_length=None,
                do_sample=False,
            )
            outputs += written[:, 1:].tolist()
        return outputs

    return translate


if __name__ == "__main__":
    serve(load, "torch", "transformers")
