"""CTranslate2's side of the decoding rows, in a process as small as where it is deployed."""

import sys
from pathlib import Path
from typing import Any

from benchmarks.decoding import Translate, serve

# with its converters it imports these where they are installed; decoding needs neither
sys.modules |= dict.fromkeys(("torch", "transformers"))  # type: ignore[arg-type]

import ctranslate2  # noqa: E402


def load(asked: dict[str, Any]) -> Translate:
    translator = ctranslate2.Translator(
        str(Path(asked["work"]) / f"ctranslate2-{asked['precision']}"),
        device=asked["device"],
        compute_type=asked["precision"],
        inter_threads=asked["inter"],
        intra_threads=asked["intra"],
    )
    number = {name: i for i, name in enumerate(asked["specials"])}
    pad, begin, *_ = asked["specials"]
    # what we never write; it costs time, so only where outputs are compared
    never = [[pad], [begin]] if asked["outputs"] else None

    def translate(rows: list[list[int]]) -> list[list[int]]:
        results = translator.translate_batch(
            [[f"t{piece}" for piece in row] for row in rows],
            beam_size=asked["beam"],
            max_batch_size=asked["batch"],
            min_decoding_length=asked["tokens"],
            max_decoding_length=asked["tokens"],
            suppress_sequences=never,
        )
        texts = [result.hypotheses[0] for result in results]
        return [[number[word] if word in number else int(word[1:]) for word in text] for text in texts]

    return translate


if __name__ == "__main__":
    serve(load, "ctranslate2")
