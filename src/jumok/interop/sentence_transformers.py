"""Sentence encoders as sentence-transformers reads them: a BERT with our weights, pooling, projection, length 1.

Or, of a DAN without hidden layers, a table with a vector for each token, which are averaged.

::

    save(model, tokenizer, "folder", lowercase=True)
    SentenceTransformer("folder").encode(["A man sleeps."])     # the same vectors

Our embeddings are scaled by sqrt(D) when they are read, theirs are stored so; fixed positions become a table; query,
key and value projections are fused here and lie apart there. Numbers are moved, never changed otherwise.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialize
from tokenizers import Regex, normalizers, processors
from tokenizers import Tokenizer as Inner
from torch import Tensor
from torch.nn import functional as F

from jumok.data.tokenizer import BEGIN, PAD, SPECIALS, UNKNOWN, Tokenizer
from jumok.errors import UserError
from jumok.files import atomic_write, make_room, write_folder
from jumok.models.sentence_encoder import AnyConfig, DANConfig, SentenceEncoder, TransformerEncoderConfig
from jumok.nn.pooling import WeightedPool

_POOLS = {"sqrt": "mean_sqrt_len_tokens", "mean": "mean", "weighted": "mean", "class": "cls"}
_MODULES = "sentence_transformers.models."  # names that every version since the second knows
_BLOCK = {
    "attention.out": "attention.output.dense",
    "around_attention.norm": "attention.output.LayerNorm",
    "feed_forward.inner": "intermediate.dense",
    "feed_forward.outer": "output.dense",
    "around_feed_forward.norm": "output.LayerNorm",
}


@torch.no_grad()
def save(model: SentenceEncoder, tokenizer: Tokenizer, folder: str | Path, *, lowercase: bool = False) -> None:
    """Write `folder`, new or empty. Raises `UserError`, naming them, for parts that have no place there."""
    config, folder = model.config, Path(folder)
    if wrong := unsupported(config):
        raise UserError(
            f"this encoder cannot leave: sentence-transformers has no place for {', '.join(wrong)}; train one with "
            "model.preset = bert, or a DAN with model.depth = 0 and model.pool = weighted or mean, to export it"
        )
    make_room(folder)
    writing = _bert_files if isinstance(config, TransformerEncoderConfig) else _table_files

    def write(place: Path) -> None:
        modules = writing(model, tokenizer, lowercase, place)
        listed = [
            {"idx": i, "name": str(i), "path": name, "type": _MODULES + kind} for i, (name, kind) in enumerate(modules)
        ]
        atomic_write(place / "modules.json", json.dumps(listed, indent=2) + "\n")
        _write(place / "config_sentence_transformers.json", {"similarity_fn_name": "cosine", "prompts": {}})

    write_folder(folder, write)


def _bert_files(model: SentenceEncoder, tokenizer: Tokenizer, lowercase: bool, place: Path) -> list[tuple[str, str]]:
    """Write a BERT and what follows it into `place`; folder and kind of each module."""
    config = model.config
    assert isinstance(config, TransformerEncoderConfig)
    _write(place / "config.json", _bert_config(config))
    _weights(place, _bert(model))
    _write_tokenizer(place, tokenizer, config, lowercase)
    _write(place / "sentence_bert_config.json", {"max_seq_length": config.max_len, "do_lower_case": False})
    parts = _modules(model, tokenizer)
    for name, values, tensors in parts:
        own = place / name
        own.mkdir()
        _write(own / "config.json", values)
        if tensors:
            _weights(own, tensors)
    return [("", "Transformer"), *((name, name.split("_", 1)[1]) for name, *_ in parts)]


def _table_files(model: SentenceEncoder, tokenizer: Tokenizer, lowercase: bool, place: Path) -> list[tuple[str, str]]:
    """The same of a DAN without hidden layers: the table of ``w(t) (W x_t + b)``, whose mean has the same direction.

    For ``W (sum_i w_i x_i / sum_i w_i) + b`` is ``sum_i w_i (W x_i + b)``, but for its length.
    """
    own = {name: tensor.detach().float() for name, tensor in model.state_dict().items()}
    words = own["encoder.tokens.embedding.weight"] * math.sqrt(model.config.dim)
    weights = model.pool.weight if isinstance(model.pool, WeightedPool) else words.new_ones(len(words))
    table = weights[:, None] * F.linear(words, own["head.0.weight"], own["head.0.bias"])
    names = "0_StaticEmbedding", "1_Normalize"
    for name in names:
        (place / name).mkdir()
    _weights(place / names[0], {"embedding.weight": table})
    _write_tokenizer(place / names[0], tokenizer, model.config, lowercase)
    _write(place / names[1] / "config.json", {})
    return [(name, name.split("_", 1)[1]) for name in names]


def unsupported(config: AnyConfig) -> list[str]:
    """What of an encoder has no place in a BERT, or of a DAN in a table, named one by one."""
    if isinstance(config, DANConfig):
        hidden = {
            f"depth = {config.depth} of a DAN": config.depth > 0,
            f"pool = {config.pool} of a DAN": config.pool == "sqrt",
        }
        return [what for what, wrong in hidden.items() if wrong]
    found = {
        f"norm = {config.norm}": config.norm != "post",
        f"activation = {config.activation}": config.activation == "swiglu",
        f"positions = {config.positions}": config.positions in ("rotary", "none"),
        "embedding_norm = false": not config.embedding_norm,
    }
    return [what for what, wrong in found.items() if wrong]


def _bert_config(config: TransformerEncoderConfig) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": config.vocab_size,
        "hidden_size": config.dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "intermediate_size": config.hidden,
        "hidden_act": config.activation,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "max_position_embeddings": config.max_len,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": PAD,
    }


def _bert(model: SentenceEncoder) -> dict[str, Tensor]:
    """The tensors of a ``BertModel``; its pooler, which nothing reads, is zero."""
    config, own = model.config, {name: tensor.detach().float() for name, tensor in model.state_dict().items()}
    tokens = model.encoder.tokens
    found = {
        "embeddings.word_embeddings.weight": own["encoder.tokens.embedding.weight"] * math.sqrt(config.dim),
        "embeddings.position_embeddings.weight": tokens.positions(torch.arange(config.max_len)).detach().float(),
        "embeddings.token_type_embeddings.weight": torch.zeros(1, config.dim),
        "pooler.dense.weight": torch.zeros(config.dim, config.dim),
        "pooler.dense.bias": torch.zeros(config.dim),
    }
    for kind in ("weight", "bias"):
        found[f"embeddings.LayerNorm.{kind}"] = own[f"encoder.tokens.norm.{kind}"]
        for number in range(len(model.encoder.blocks)):
            ours, theirs = f"encoder.blocks.{number}.", f"encoder.layer.{number}."
            parts = own[f"{ours}attention.qkv.{kind}"].chunk(3)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                found[f"{theirs}attention.self.{name}.{kind}"] = part
            for mine, other in _BLOCK.items():
                found[f"{theirs}{other}.{kind}"] = own[f"{ours}{mine}.{kind}"]
    return found


def _modules(model: SentenceEncoder, tokenizer: Tokenizer) -> list[tuple[str, dict[str, Any], dict[str, Tensor]]]:
    """What follows the BERT: folder, configuration and weights of each part."""
    config = model.config
    found: list[tuple[str, dict[str, Any], dict[str, Tensor]]] = []

    def add(kind: str, values: dict[str, Any], tensors: dict[str, Tensor] | None = None) -> None:
        found.append((f"{len(found) + 1}_{kind}", values, tensors or {}))

    if isinstance(model.pool, WeightedPool):
        weights = model.pool.weight.detach()
        pieces = tokenizer.pieces(range(config.vocab_size))
        lookup: dict[str, Any] = {"vocab": pieces, "word_weights": dict(zip(pieces, weights.tolist(), strict=True))}
        add("WordWeights", lookup | {"unknown_word_weight": 1.0}, {"emb_layer.weight": weights[:, None].contiguous()})
    add("Pooling", {"word_embedding_dimension": config.dim} | {
        f"pooling_mode_{name}": name.startswith(_POOLS[config.pool] + "_token") or name == _POOLS[config.pool]
        for name in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    })  # fmt: skip
    if config.projection:
        values = {"in_features": config.dim, "out_features": config.projection, "bias": True}
        head = {f"linear.{name}": tensor.detach().float() for name, tensor in model.head.state_dict().items()}
        add("Dense", values | {"activation_function": "torch.nn.modules.linear.Identity"}, head)
    add("Normalize", {})
    return found


def _write_tokenizer(place: Path, tokenizer: Tokenizer, config: AnyConfig, lowercase: bool) -> None:
    """The tokenizer with all that is done to a line before and after it."""
    inner = Inner.from_str(tokenizer.inner.to_str())
    before: list[Any] = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " ")]
    inner.normalizer = normalizers.Sequence(
        [*before, *([normalizers.Lowercase()] if lowercase else []), tokenizer.inner.normalizer]
    )
    begin = SPECIALS[BEGIN]
    # a table reads all that it is given
    inner.enable_truncation(config.max_len)
    if config.pool == "class":
        inner.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, BEGIN)])
    atomic_write(place / "tokenizer.json", inner.to_str())
    _write(
        place / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": config.max_len,
            "pad_token": SPECIALS[PAD],
            "unk_token": SPECIALS[UNKNOWN],
            "padding_side": "right",
            "model_input_names": ["input_ids", "attention_mask"],
        },
    )


def _weights(place: Path, tensors: dict[str, Tensor]) -> None:
    contiguous = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    atomic_write(place / "model.safetensors", serialize(contiguous, metadata={"format": "pt"}))


def _write(path: Path, values: dict[str, Any]) -> None:
    atomic_write(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
