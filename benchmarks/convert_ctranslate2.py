"""The same weights as a CTranslate2 model.

CTranslate2's own loader for the family of Marian (BART) maps the weights and positions of the folder that
`jumok.interop` wrote. Its loader for Marian itself would also drop the last token and start from a zero vector.
"""

from pathlib import Path

from ctranslate2.converters.transformers import BartLoader
from transformers import MarianMTModel

from benchmarks import worker
from jumok.data.tokenizer import BEGIN, END, SPECIALS, UNKNOWN


def convert(marian: Path, folder: Path, precision: str) -> None:
    """The model of a Marian folder of ours, weights stored in `precision`."""
    model = MarianMTModel.from_pretrained(marian)
    spec = BartLoader().get_model_spec(model)
    tokens = [*SPECIALS, *(f"t{i}" for i in range(len(SPECIALS), model.config.vocab_size))]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.bos_token = spec.config.decoder_start_token = SPECIALS[BEGIN]
    spec.config.eos_token, spec.config.unk_token = SPECIALS[END], SPECIALS[UNKNOWN]
    spec.validate()
    spec.optimize(quantization=None if precision == "float32" else precision)
    folder.mkdir()
    spec.save(str(folder))


def main() -> None:
    asked = worker.settings()
    work = Path(asked["work"])
    convert(work / "marian", work / f"ctranslate2-{asked['precision']}", asked["precision"])
    worker.ready("ctranslate2", "transformers")
    worker.wait()


if __name__ == "__main__":
    main()
