"""Translators as Hugging Face Marian folders, written and read: equal logits, equal greedy output.

Marian's network is the paper's: post-norm, scaled embeddings, sinusoidal positions. Three things differ in the layout.

1. Query, key and value projections lie apart; here they are fused (``qkv``, ``kv``): split and joined.
2. Marian puts all sines of a position before all cosines, the paper interleaves them::

       paper   sin_0 cos_0 sin_1 cos_1 ... sin_n cos_n
       Marian  sin_0 sin_1 ... sin_n cos_0 cos_1 ... cos_n

   Nothing else in the network knows an order of the ``dim`` model dimensions: layer norm, residual sums and products
   are the same for any, so both are one network with its dimensions renamed. The renaming applies to the axis of each
   weight that stands on the residual stream: columns of embeddings, of the query, key and value projections and of the
   first feed-forward layer; rows and bias of the attention output and of the second feed-forward layer; layer norms.
   What lies between (head dimensions, the ``hidden`` units) keeps its order. Numbers are moved, never changed.
3. Original Marian starts its output from the padding token; here from BEGIN (``decoder_start_token_id``).

``generation_config.json`` makes ``generate`` do what `jumok.decoding` does: BEGIN and padding are never written, the
end is never forced. Its length penalty, ``log p / length^a``, is not GNMT's: scores, and with beams now and then the
choice, are equal at penalty 0 only.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from jumok.config import parse
from jumok.data.tokenizer import BEGIN, END, PAD, SPECIALS, UNKNOWN, Tokenizer, TokenizerPair
from jumok.errors import UserError
from jumok.files import atomic_write
from jumok.interop.marian_layout import (
    UNSHARED,
    MarianConfig,
    marian_config,
    marian_order,
    our_config,
    renamed,
    unsupported,
    weights,
)
from jumok.models.transformer import Transformer, TransformerConfig

_WEIGHTS, _BIAS = "model.safetensors", "final_logits_bias"
_POSITIONS = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")


class SpecialTokens(NamedTuple):
    """The token numbers that `jumok.decoding.search` asks for."""

    begin: int
    end: int
    pad: int


def write(model: Transformer, tokenizers: TokenizerPair | Tokenizer | None, folder: Path) -> None:
    """Write `model`, which must be post-norm and sinusoidal, and its tokenizer as a Marian folder.

    ``MarianMTModel.from_pretrained(folder)`` loads the model. Our subwords are not the SentencePiece files that
    ``MarianTokenizer`` reads: ``AutoTokenizer.from_pretrained(folder)`` gives a fast tokenizer of the same pieces
    (separate vocabularies: the source's; the target's is in ``folder/target``). What the pieces do not hold is left to
    the caller: NFC and stripping of lines, and a text that spells ``</s>`` becomes that token there. CTranslate2's
    Marian converter expects padding as the last token and starts from a zero vector, so it does not fit this folder;
    ``benchmarks/decode_ctranslate2.py`` shows one that does.

    Raises `UserError` that names everything in the model that Marian has no place for.
    """
    folder, config = Path(folder), model.config
    wrong = [
        f"{name} = {value}, Marian has {choice}"
        for name, value, choices, choice in (
            ("norm", config.norm, ("post",), "post alone"),
            ("positions", config.positions, ("sinusoidal",), "sinusoidal alone"),
            ("activation", config.activation, ("relu", "gelu"), "relu and gelu"),
        )
        if value not in choices
    ]
    pair = TokenizerPair(tokenizers, tokenizers) if isinstance(tokenizers, Tokenizer) else tokenizers
    if pair is not None:
        sizes = (pair.source.vocab_size, config.source_vocab), (pair.target.vocab_size, config.target_vocab)
        wrong += [f"the tokenizer has {ours} pieces, the model {theirs}" for ours, theirs in sizes if ours != theirs]
    if wrong:
        raise UserError(f"cannot write {folder} as a Marian folder: {'; '.join(wrong)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}; choose another") from error
    own, order = model.state_dict(), marian_order(config.dim)
    tensors = {_BIAS: torch.zeros(1, config.target_vocab)}
    for weight in weights(config):
        tensor = renamed(own[weight.ours], weight.stream, order)
        parts = tensor.chunk(len(weight.theirs))
        tensors |= {name: part.contiguous() for name, part in zip(weight.theirs, parts, strict=True)}
    # the format is what transformers looks for
    atomic_write(folder / _WEIGHTS, save(tensors, metadata={"format": "pt"}))
    if pair is not None:
        _write_tokenizer(pair.source, folder, config.max_len)
        if not pair.joint:
            (folder / "target").mkdir(exist_ok=True)
            _write_tokenizer(pair.target, folder / "target", config.max_len)
    _write_json(folder / "generation_config.json", _generation(config))
    _write_json(folder / "config.json", _FIXED | marian_config(config).model_dump())


def read(folder: Path) -> Transformer:
    """The model of a Marian folder in float32, in evaluation mode; its token numbers are those of the folder.

    `special_tokens` gives begin, end and padding. Dropout inside the feed-forward and dropped layers have no place here
    and matter in training only. Raises `UserError` where the folder is no Marian folder, is damaged, or holds what our
    Transformer does not have: another activation (the published OPUS-MT models have ``swish``), unscaled embeddings, a
    bias on the logits, unequal encoder and decoder sizes; the message names each.
    """
    folder = Path(folder)
    theirs = _read_config(folder)
    try:
        file: Any = safe_open(folder / _WEIGHTS, framework="pt")
    except FileNotFoundError as error:
        hint = "save the model again in one file: model.save_pretrained(folder, max_shard_size='100GB')"
        raise UserError(f"there is no {folder / _WEIGHTS}; {hint}") from error
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {folder / _WEIGHTS}: {error}; copy the folder again") from error
    with file:
        names = set(file.keys())
        wrong = unsupported(theirs)
        if _BIAS in names and bool(file.get_tensor(_BIAS).any()):
            wrong.append(f"{_BIAS} is not zero (our output layer has no bias)")
        if wrong:
            raise UserError(f"cannot read {folder} as a Transformer of Jumok: {'; '.join(wrong)}")
        model = Transformer(our_config(theirs, f"{folder / 'config.json'}"))
        wanted = list(weights(model.config))
        needed = {name for weight in wanted for name in weight.theirs}
        ignored = {_BIAS, *_POSITIONS, *UNSHARED}
        missing, surplus = sorted(needed - names), sorted(names - needed - ignored)
        if missing or surplus:
            raise UserError(f"{folder / _WEIGHTS} does not fit its config.json: missing {missing}, surplus {surplus}")
        own, order = model.state_dict(), marian_order(model.config.dim).argsort()
        for weight in wanted:
            parts = torch.cat([file.get_tensor(name) for name in weight.theirs])
            place = own[weight.ours]
            if parts.shape != place.shape:
                shapes = f"{list(parts.shape)}, config.json says {list(place.shape)}"
                raise UserError(f"{folder / _WEIGHTS}: {' + '.join(weight.theirs)} is {shapes}; copy the folder again")
            place.copy_(renamed(parts, weight.stream, order))
    return model.eval()


def special_tokens(folder: Path) -> SpecialTokens:
    """Begin, end and padding of a Marian folder. Raises `UserError` if it is none."""
    config = _read_config(Path(folder))
    return SpecialTokens(config.decoder_start_token_id, config.eos_token_id, config.pad_token_id)


_FIXED: dict[str, Any] = {
    "architectures": ["MarianMTModel"],
    "is_encoder_decoder": True,
    "bos_token_id": BEGIN,
    "forced_eos_token_id": None,
    "activation_dropout": 0.0,
    "static_position_embeddings": True,
    "normalize_before": False,
    "normalize_embedding": False,
}


def _generation(config: TransformerConfig) -> dict[str, Any]:
    return {
        "bos_token_id": BEGIN,
        "decoder_start_token_id": BEGIN,
        "eos_token_id": END,
        "pad_token_id": PAD,
        "bad_words_ids": [[PAD], [BEGIN]],
        "max_length": config.max_len,
        "num_beams": 4,
        "early_stopping": True,
    }


def _write_tokenizer(tokenizer: Tokenizer, folder: Path, max_len: int) -> None:
    tokenizer.save(folder / "tokenizer.json")
    values = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_len,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "pad_token": SPECIALS[PAD],
        "bos_token": SPECIALS[BEGIN],
        "eos_token": SPECIALS[END],
        "unk_token": SPECIALS[UNKNOWN],
    }
    _write_json(folder / "tokenizer_config.json", values)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    atomic_write(path, json.dumps(values, indent=2) + "\n")


def _read_config(folder: Path) -> MarianConfig:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} is not a Marian folder: cannot read {path} ({error})") from error
    if not isinstance(values, dict) or values.get("model_type") != "marian":
        kind = values.get("model_type") if isinstance(values, dict) else None
        raise UserError(f"{path} is not of a Marian model (model_type = {kind}); give a MarianMTModel folder")
    return parse(MarianConfig, values, str(path))
