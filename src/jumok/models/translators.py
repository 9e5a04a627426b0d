"""The models that translate: which config makes which."""

from typing import Any

from jumok.config import parse
from jumok.errors import UserError
from jumok.models.convs2s import ConvS2S, ConvS2SConfig
from jumok.models.encoder_decoder import EncoderDecoder
from jumok.models.seq2seq import Seq2Seq, Seq2SeqConfig
from jumok.models.transformer import Transformer, TransformerConfig

TranslatorConfig = TransformerConfig | Seq2SeqConfig | ConvS2SConfig
TranslationModel = EncoderDecoder[TranslatorConfig]

CONFIGS: dict[str, type[TransformerConfig] | type[Seq2SeqConfig] | type[ConvS2SConfig]] = {
    "transformer": TransformerConfig,
    "seq2seq": Seq2SeqConfig,
    "convs2s": ConvS2SConfig,
}


def build(config: TranslatorConfig) -> TranslationModel:
    """A fresh model of this config's family."""
    if isinstance(config, TransformerConfig):
        return Transformer(config)
    return Seq2Seq(config) if isinstance(config, Seq2SeqConfig) else ConvS2S(config)


def read_config(values: dict[str, Any], where: str) -> TranslatorConfig:
    """The config that a run stored. Raises `UserError` if it is none, naming `where`."""
    family = values.get("architecture", "transformer")
    if not isinstance(family, str) or family not in CONFIGS:
        raise UserError(f"{where}: model.architecture = {family!r} is not one of {', '.join(CONFIGS)}")
    return parse(CONFIGS[family], values, where)
