"""What a captioner learns by in the end: its own captions, better or worse than its others (self-critical training)."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from jumok.data.tokenizer import BEGIN, PAD
from jumok.decoding.search import Hypothesis, SearchOptions
from jumok.models.image_to_text import ImageToText
from jumok.nn.state import Encoded
from jumok.tasks.image_text import ImageTextBatch, ImageWriter
from jumok.tasks.inference import evaluating
from jumok.training.task import Loss

Reward = Callable[[int, Sequence[int]], float]
"""What the caption of these pieces is worth for the sample at this place: CIDEr-D on its common scale, around 1."""


@dataclass(frozen=True)
class SelfCritical:
    r"""REINFORCE with the model itself as its critic: :math:`-\sum_{i,k} (r_{ik} - b_{ik}) \log p(y_{ik} | x_i)`.

    :math:`y_{ik}` are `samples` captions that the model draws for image i, r their rewards. The baseline b is the
    reward of its greedy caption where one is drawn (Rennie et al. 2017), and the mean reward of the image's other
    samples where there are several (Luo 2020). Captions are drawn without gradient, and scored by a forced pass with
    it, both in evaluation mode: dropout would score another model than the one that drew.

    What is drawn depends on (seed, epoch, index) of each image alone, so a resumed run draws the same.
    """

    reward: Reward
    samples: int
    seed: int

    def __call__(self, model: ImageToText, batch: ImageTextBatch) -> Loss:
        """The summed loss of the images of `batch`, whose own captions it does not read."""
        places = batch.indices.tolist()
        with evaluating(model):
            drawn, greedy = self._written(model, batch)
            rewards = self._rewards(drawn, places)
            if greedy is None:
                others = rewards.sum(1, keepdim=True) - rewards
                baseline = others / (self.samples - 1)
            else:
                baseline = self._rewards(greedy, places)
            rows = [hypothesis.tokens for hypotheses in drawn for hypothesis in hypotheses]
            log_p = log_probabilities(model, model.encode(batch.images), rows, self.samples)
        advantage = (rewards - baseline).flatten().to(log_p.device)
        total = -(advantage * log_p).sum()
        told = {"reward": 100 * rewards.sum(), "baseline": 100 * baseline.expand_as(rewards).sum()}
        return Loss(total, float(rewards.numel()), told)

    def _written(
        self, model: ImageToText, batch: ImageTextBatch
    ) -> tuple[list[list[Hypothesis]], list[list[Hypothesis]] | None]:
        """The captions drawn for each image, and its greedy one where that is the baseline."""
        writer, numbers = ImageWriter([model]), batch.indices.tolist()
        seed = zlib.crc32(f"{self.seed} {batch.epoch}".encode())
        sampling = SearchOptions.model_validate({"sample": True, "n_best": self.samples, "seed": seed})
        drawn = writer.write(batch.images, sampling, numbers=numbers, max_length=writer.room)
        if self.samples > 1:
            return drawn, None
        greedy = SearchOptions.model_validate({"beam": 1})
        return drawn, writer.write(batch.images, greedy, numbers=numbers, max_length=writer.room)

    def _rewards(self, written: list[list[Hypothesis]], places: list[int]) -> Tensor:
        """(B, captions an image)."""
        pairs = zip(written, places, strict=True)
        return torch.tensor([[self.reward(place, h.tokens) for h in hypotheses] for hypotheses, place in pairs])


def log_probabilities(model: ImageToText, encoded: Encoded, rows: Sequence[Sequence[int]], each: int) -> Tensor:
    """``log p(y | x)`` of `each` captions `rows` for every image, one image after the other, as sampling draws; (N,).

    END is counted with them, but not after as many pieces as the model can write, where it has to follow; neither
    BEGIN nor PAD can be written.
    """
    batch = ImageTextBatch.collate(torch.empty(0), rows, range(len(rows)))
    device = encoded.features.device
    target, labels, lengths = (part.to(device) for part in (batch.target, batch.labels, batch.lengths))
    repeated = replace(encoded, features=encoded.features.repeat_interleave(each, 0))
    logits = model.output(model.decoder(repeated, target)).float()
    logits = logits.index_fill(2, torch.tensor([PAD, BEGIN], device=device), -torch.inf)
    chosen = lengths.clamp(max=model.config.max_len - 1)
    counted = torch.arange(labels.shape[1], device=device) < chosen[:, None]
    nll = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=PAD)
    return -nll.view_as(labels).masked_fill(~counted, 0.0).sum(1)
