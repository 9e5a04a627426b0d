"""What every model that turns text into text is: an encoder, a decoder, and their embeddings."""

from typing import Any, ClassVar, Generic, Literal, TypeVar

from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from jumok.config import Config
from jumok.nn.convolution_text import ConvolutionDecoder, ConvolutionEncoder
from jumok.nn.recurrent_text import RecurrentDecoder, RecurrentEncoder
from jumok.nn.state import Encoded
from jumok.nn.text import TextDecoder, TextEncoder, TokenEmbedding

Tied = Literal["all", "target", "none"]
C = TypeVar("C", bound="EncoderDecoderConfig")


class EncoderDecoderConfig(Config):
    """What the configs of all such models have in common; ``PRESETS`` are a family's named sizes."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]]

    source_vocab: int = Field(ge=4, description="source vocabulary size")
    target_vocab: int = Field(ge=4, description="target vocabulary size")
    dim: int = Field(512, ge=2, description="width of the model: embeddings, states and features, d_model")
    max_len: int = Field(1024, ge=1, description="longest input and output in tokens")
    tied: Tied = Field("all", description="share embeddings: source, target and output (all); target and output; none")

    @model_validator(mode="after")
    def _one_vocabulary(self) -> "EncoderDecoderConfig":
        if self.tied == "all" and self.source_vocab != self.target_vocab:
            raise ValueError("tied = all needs one joint vocabulary; set tied = target or tokenizer.joint = true")
        return self

    @classmethod
    def preset(cls: type[C], name: str, **overrides: Any) -> C:
        """A model by its name in ``PRESETS``, with some values changed."""
        return cls(**(cls.PRESETS[name] | overrides))


C_co = TypeVar("C_co", bound=EncoderDecoderConfig, covariant=True)
Encoder = TextEncoder | RecurrentEncoder | ConvolutionEncoder
Decoder = TextDecoder | RecurrentDecoder | ConvolutionDecoder


class EncoderDecoder(nn.Module, Generic[C_co]):
    """``p(y_t | y_<t, x)``: an encoder reads the source, a decoder writes the target (Cho et al. 2014).

    ``model(source, lengths, target)`` gives logits ``(B, Q, V)``; `encode`, `begin` and `step` decode.
    """

    def __init__(self, config: C_co, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.config, self.encoder, self.decoder = config, encoder, decoder

    @property
    def output(self) -> nn.Linear:
        """The vocabulary projection."""
        return self.decoder.output

    def encode(self, source: Int[Tensor, "B K"], lengths: Int[Tensor, " B"]) -> Encoded:
        encoded: Encoded = self.encoder(source, lengths)
        return encoded

    def features(
        self, source: Int[Tensor, "B K"], lengths: Int[Tensor, " B"], target: Int[Tensor, "B Q"]
    ) -> Float[Tensor, "B Q D"]:
        """Decoder features of a forced pass, before the vocabulary projection: what training needs."""
        features: Tensor = self.decoder(self.encoder(source, lengths), target)
        return features

    def forward(
        self, source: Int[Tensor, "B K"], lengths: Int[Tensor, " B"], target: Int[Tensor, "B Q"]
    ) -> Float[Tensor, "B Q V"]:
        """Logits of the token after each token of `target`, which starts with the begin token."""
        logits: Tensor = self.decoder.output(self.features(source, lengths, target))
        return logits

    def begin(self, encoded: Encoded, beams: int, max_len: int) -> Any:
        """Start decoding with `beams` beams a sentence; `max_len` is how far it may go.

        Raises ValueError if that is past the last learned position.
        """
        self.decoder.tokens.check_length(max_len)
        return self.decoder.begin(encoded, beams)

    def step(self, tokens: Int[Tensor, "rows n"], state: Any) -> tuple[Float[Tensor, "rows V"], Any]:
        """Read tokens ``(B * beams, n)``; logits of the next token of each row."""
        logits, state = self.decoder.step(tokens, state)
        return logits, state


def embeddings(
    tied: Tied, source_vocab: int, target_vocab: int, dim: int
) -> tuple[TokenEmbedding, TokenEmbedding, nn.Linear]:
    """Source and target embedding and the vocabulary projection, with shared weights where `tied` says so.

    ``all``: one matrix for the three; ``target``: target embedding and projection (Press and Wolf 2017).
    """
    target = TokenEmbedding(target_vocab, dim)
    source = target if tied == "all" else TokenEmbedding(source_vocab, dim)
    output = nn.Linear(dim, target_vocab, bias=False)
    if tied == "none":
        nn.init.normal_(output.weight, std=dim**-0.5)
    else:
        output.weight = target.weight
    return source, target, output
