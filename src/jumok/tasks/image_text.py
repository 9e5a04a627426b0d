"""What both jobs that turn images into text share: the batch they learn from, and the writer over a trained model."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jumok.data.batching import written
from jumok.data.tokenizer import BEGIN, END, PAD
from jumok.decoding.protocol import Decoder, Ensemble
from jumok.decoding.search import Hypothesis, SearchOptions, search
from jumok.models.image_to_text import ImageToText


@dataclass(frozen=True)
class ImageTextBatch:
    """Images (B, C, H, W) with a text each, as padded tensors.

    `target` (B, Q) is BEGIN + pieces, what the decoder reads; `labels` (B, Q) is pieces + END, what it must say; both
    have `lengths` (B,) real tokens and PAD after them. `indices` (B,) are the samples' places in the data, of `epoch`.
    """

    images: Tensor
    target: Tensor
    labels: Tensor
    lengths: Tensor
    indices: Tensor
    epoch: int = 0

    @classmethod
    def collate(
        cls, images: Tensor, rows: Sequence[Sequence[int]], indices: Sequence[int], epoch: int = 0
    ) -> "ImageTextBatch":
        """A batch of images with the pieces of their texts; BEGIN and END are set around them."""
        return cls(images, *written(rows), torch.tensor(indices, dtype=torch.int64), epoch)

    def to(self, device: torch.device | str) -> "ImageTextBatch":
        """The same batch on `device`."""
        tensors = (self.images, self.target, self.labels, self.lengths, self.indices)
        images, target, labels, lengths, indices = (tensor.to(device, non_blocking=True) for tensor in tensors)
        return ImageTextBatch(images, target, labels, lengths, indices, self.epoch)


class ImageWriter:
    """Writes pieces for images with one model, or with several as an ensemble: the mean of their probabilities.

    `vocabularies` are the members' token lists; unequal ones are refused with a `UserError`. The models are taken as
    they are: in evaluation mode the same image gives the same pieces alone and in any batch (in fp32).
    """

    def __init__(self, models: Sequence[ImageToText], vocabularies: Sequence[Sequence[str]] = ()) -> None:
        self.models = list(models)
        self.device = self.models[0].output.weight.device
        # one position is the begin token's
        self.room = min(model.config.max_len for model in self.models) - 1
        self.decoder: Decoder = self.models[0] if len(self.models) == 1 else Ensemble(self.models, vocabularies)

    def write(
        self, images: Tensor, options: SearchOptions, *, numbers: Sequence[int], max_length: int
    ) -> list[list[Hypothesis]]:
        """The `n_best` outputs for each image (B, C, H, W), best first, as `options` say.

        `numbers` are the images' numbers in the whole input: sampling draws by them, whatever the batch. An output has
        at most `options.max_length` pieces, else `max_length`, and never more than the model has positions.
        """
        images = images.to(self.device)
        most = min(self.room, options.max_length or max_length)
        with torch.inference_mode():
            encoded = [model.encode(images) for model in self.models]
            return search(
                self.decoder,
                encoded if len(self.models) > 1 else encoded[0],
                options,
                begin=BEGIN,
                end=END,
                pad=PAD,
                max_lengths=[most] * len(images),
                numbers=numbers,
                device=self.device,
            )
