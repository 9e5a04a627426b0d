"""The model that both sides of a writing row have: as Jumok stores it, and as a `VisionEncoderDecoderModel`.

The peer's encoder is its `ViTModel`. Its decoder is GPT-2 with attention to a memory, whose blocks are ours (pre-norm),
so that the very same weights fit; or TrOCR's, of the same sizes, with weights of its own.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    TrOCRConfig,
    TrOCRForCausalLM,
    VisionEncoderDecoderModel,
    ViTModel,
)

from benchmarks import worker
from jumok.data.tokenizer import BEGIN, END, PAD
from jumok.interop import huggingface
from jumok.models.image_to_text import ImageToText
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.models.vit import ViT, ViTConfig
from jumok.nn.text import TextDecoder
from jumok.training.weights import weights_of


@torch.no_grad()
def gpt2(config: ImageToTextConfig, decoder: TextDecoder) -> GPT2LMHeadModel:
    """GPT-2 with the weights of `decoder`.

    Its embedding is not scaled, so it is ours times ``sqrt(D)``; as it is the output projection too, the last norm is
    divided by that. Its positions are learned: the sinusoids. Its linear maps are stored as ``(in, out)``.
    """
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.max_len,
            n_embd=config.dim,
            n_layer=config.decoder_depth,
            n_head=config.heads,
            n_inner=config.hidden,
            activation_function="gelu",
            layer_norm_epsilon=decoder.norm.eps,
            add_cross_attention=True,
        )
    )
    scale = config.dim**0.5
    body = theirs.transformer
    body.wte.weight.copy_(decoder.tokens.embedding.weight * scale)
    body.wpe.weight.copy_(decoder.tokens.positions(torch.arange(config.max_len)))
    for block, other in zip(decoder.blocks, body.h, strict=True):
        pairs = (
            (block.attention.qkv, other.attn.c_attn),
            (block.attention.out, other.attn.c_proj),
            (block.cross.q, other.crossattention.q_attn),
            (block.cross.kv, other.crossattention.c_attn),
            (block.cross.out, other.crossattention.c_proj),
            (block.feed_forward.inner, other.mlp.c_fc),
            (block.feed_forward.outer, other.mlp.c_proj),
        )
        for mine, linear in pairs:
            linear.weight.copy_(mine.weight.T)
            linear.bias.copy_(mine.bias)
        norms = ((block.around_attention, other.ln_1), (block.around_cross, other.ln_cross_attn))
        for around, norm in (*norms, (block.around_feed_forward, other.ln_2)):
            norm.load_state_dict(around.norm.state_dict())
    body.ln_f.weight.copy_(decoder.norm.weight / scale)
    body.ln_f.bias.copy_(decoder.norm.bias / scale)
    return theirs


def trocr(config: ImageToTextConfig) -> TrOCRForCausalLM:
    """TrOCR's decoder, post-norm, of the same sizes."""
    return TrOCRForCausalLM(
        TrOCRConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.max_len,
            d_model=config.dim,
            decoder_layers=config.decoder_depth,
            decoder_attention_heads=config.heads,
            decoder_ffn_dim=config.hidden,
            cross_attention_hidden_size=config.dim,
            activation_function="gelu",
            scale_embedding=True,
            layernorm_embedding=False,
            tie_word_embeddings=True,
            decoder_start_token_id=BEGIN,
            pad_token_id=PAD,
        )
    )


def vit(model: ImageToText, folder: Path) -> ViTModel:
    """The encoder's weights by way of `jumok.interop`, which writes classifiers: the head is dropped again."""
    config = model.config
    sizes = config.transformer.model_dump(include={"image_size", "patch", "dim", "heads", "depth", "hidden"})
    classifier = ViT(ViTConfig(classes=2, **sizes))
    classifier.encoder.load_state_dict(model.encoder.state_dict())
    huggingface.save(classifier, folder)
    found: ViTModel = ViTModel.from_pretrained(folder, add_pooling_layer=False)
    return found


def joined(encoder: ViTModel, decoder: PreTrainedModel) -> VisionEncoderDecoderModel:
    """Both as one model that `generate` knows how to begin and end."""
    model = VisionEncoderDecoderModel(encoder=encoder, decoder=decoder)
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id, config.bos_token_id, config.eos_token_id, config.pad_token_id = (
            BEGIN,
            BEGIN,
            END,
            PAD,
        )
    return model


def prepare(folder: Path, values: dict[str, Any]) -> None:
    """Write `folder/model.safetensors`, `folder/gpt2` and `folder/trocr`."""
    torch.manual_seed(1)
    config = ImageToTextConfig(**values)
    model = ImageToText(config).eval()
    assert isinstance(model.decoder, TextDecoder)
    _told_apart(model.decoder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights_of(model), folder / "model.safetensors")
    for name, decoder in (("gpt2", gpt2(config, model.decoder)), ("trocr", trocr(config))):
        joined(vit(model, folder / "vit"), decoder).save_pretrained(folder / name)


@torch.no_grad()
def _told_apart(decoder: TextDecoder) -> None:
    """Attend to the image far more strongly than fresh weights do, so that outputs differ from image to image."""
    for block in decoder.blocks:
        for linear in (block.cross.q, block.cross.kv, block.cross.out):
            linear.weight.mul_(3)


def main() -> None:
    asked = worker.settings()
    prepare(Path(asked["work"]) / asked["name"], asked["job"]["model"])
    worker.ready("transformers", "torch")
    worker.wait()


if __name__ == "__main__":
    main()
