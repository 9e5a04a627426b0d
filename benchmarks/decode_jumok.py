"""Jumok's side of the decoding rows."""

from typing import Any

import torch

from benchmarks import work
from benchmarks.decoding import Translate, portions, serve
from jumok.data.batching import pad
from jumok.data.tokenizer import BEGIN, END, PAD
from jumok.decoding.search import SearchOptions, search
from jumok.tasks.inference import side_by_side
from jumok.tasks.translate_predict import in_precision


def load(asked: dict[str, Any]) -> Translate:
    torch.set_num_threads(asked["threads"])
    device = torch.device(asked["device"])
    model = in_precision(work.read_model(asked["work"]).to(device).eval(), asked["precision"])
    # the last of the tokens is the end, for which the decoder takes a step like the peers' last one
    written = asked["tokens"] - 1
    options = SearchOptions(beam=asked["beam"], min_length=written, length_penalty=1.0)

    @torch.inference_mode()
    def decode(batch: list[list[int]]) -> list[list[int]]:
        source, lengths = pad(batch)
        encoded = model.encode(source.to(device), lengths.to(device))
        room = [written] * len(batch)
        found = search(model, encoded, options, begin=BEGIN, end=END, pad=PAD, max_lengths=room, device=device)
        return [best[0].tokens for best in found]

    def translate(rows: list[list[int]]) -> list[list[int]]:
        batches = list(portions(rows, asked["batch"]))
        return [tokens for _, found in side_by_side(decode, batches, device) for tokens in found]

    return translate


if __name__ == "__main__":
    serve(load, "torch", "jumok")
