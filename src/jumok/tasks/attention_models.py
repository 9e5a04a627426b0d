"""Which models have attention to look at, and what can be looked at instead in those that have none."""

from torch import nn

from jumok.errors import UserError
from jumok.models.resnet import ResNet
from jumok.models.sentence_encoder import SentenceEncoder
from jumok.models.seq2seq import Seq2Seq
from jumok.nn.attention import Tap

_HAVE = (
    "what has: transformer, convs2s, a seq2seq whose model.decoder is bahdanau or luong; vit, deit; captioners, "
    "readers; the transformer among sentence encoders"
)


def check_attention(model: nn.Module, run: str) -> None:
    """Raises `UserError` for a model without attention: it names those that have it, and what to look at instead."""
    if any(isinstance(module, Tap) for module in model.modules()):
        return
    what, instead = type(model).__name__, ""
    if isinstance(model, Seq2Seq):
        what = f"seq2seq with model.decoder = {model.config.decoder}"
        instead = f"; what it remembers, and its gates, are drawn by `jumok compare` with runs={run}"
    elif isinstance(model, ResNet):
        what, instead = "ResNet", f"; its filters and what its units see stand beside a ViT's with --with {run}"
    elif isinstance(model, SentenceEncoder):
        what, instead = "DAN", "; what each pair of words adds to the cosine is seen without --layers and --heads"
    raise UserError(f"{run} is a {what} and has no attention to look at ({_HAVE}){instead}")
