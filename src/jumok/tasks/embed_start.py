"""A sentence encoder that does not start from nothing: with the encoder of another run."""

from pathlib import Path

from torch import Tensor

from jumok.data.tokenizer import Tokenizer, TokenizerPair
from jumok.errors import UserError
from jumok.models.sentence_encoder import AnyConfig, TransformerEncoderConfig
from jumok.tasks.model_options import check_same_sizes
from jumok.tasks.runs import run_path, task_of
from jumok.training.run import Run

_SIZES = ("dim", "heads", "depth", "hidden", "norm", "activation", "positions")


def encoder_weights(name: str, config: AnyConfig) -> dict[str, Tensor]:
    """The weights that an encoder of `config` takes over from the run `name`: of a translator its encoder's.

    Raises `UserError` if the run is of another job, and where the sizes do not fit.
    """
    run = Run.open(run_path(name))
    stored = run.config["model"]
    weights = run.weights()
    if task_of(name) == "embed":
        check_same_sizes(
            {key: value for key, value in stored.items() if key not in ("labels", "scales")},
            config.model_dump(mode="json"),
            name,
        )
        # what classes and temperatures there are is this recipe's matter
        return {key: value for key, value in weights.items() if not key.startswith(("classifier.", "log_scales"))}
    if not isinstance(config, TransformerEncoderConfig) or stored.get("architecture", "transformer") != "transformer":
        raise UserError(f"{name} is a translator; a sentence encoder starts from it only if both are Transformers")
    if config.embedding_norm:
        raise UserError(f"{name} has no norm of its embeddings; set model.embedding_norm = false to start from it")
    mine = config.model_dump(mode="json")
    unequal = [f"model.{key} = {stored[key]} (here {mine[key]})" for key in _SIZES if stored.get(key) != mine[key]]
    if stored["source_vocab"] != config.vocab_size:
        unequal.append(f"{stored['source_vocab']:,} pieces (here {config.vocab_size:,})")
    if config.positions == "learned" and stored["max_len"] != config.max_len:
        unequal.append(f"model.max_len = {stored['max_len']} (here {config.max_len})")
    if unequal:
        raise UserError(f"the run {name} has {', '.join(unequal)}; set the same to start from it")
    return {key: value for key, value in weights.items() if key.startswith("encoder.")}


def start_tokenizer(name: str, sampling: float) -> Tokenizer:
    """The tokenizer of the run to start from: a translator's of its source, sampled as this recipe asks."""
    job = task_of(name)
    folder = Path(run_path(name))
    if job == "translate":
        return TokenizerPair.load(folder).source.resampled(sampling)
    if job == "embed":
        return Tokenizer.load(folder / "tokenizer.json").resampled(sampling)
    raise UserError(f"{name} is a run of the task {job}; start from a sentence encoder or a translator")
