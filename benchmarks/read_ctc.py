"""Both sides of the CTC row: reading a batch of words whole, or the forward pass of the same encoder alone."""

import torch
from torch import Tensor

from benchmarks import worker
from benchmarks.image_text import random_images
from jumok.decoding.ctc import greedy
from jumok.models.image_to_text import ImageToFrames
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.tasks.inference import in_image_precision
from jumok.training.memory import keep_freed_memory


@torch.no_grad()
def as_words_are(model: ImageToFrames, images: Tensor, tokens: int) -> None:
    """Let the fresh head say about so many tokens an image, and blanks between them, as a trained one does."""
    model.output.weight.mul_(30)
    logits = model(images)
    ahead = logits[..., 1:].max(-1).values - logits[..., 0]
    model.output.bias[0] += ahead.float().quantile(1 - tokens / logits.shape[1])


def main() -> None:
    asked = worker.settings()
    torch.set_num_threads(asked["threads"])
    torch.manual_seed(1)
    keep_freed_memory()  # as the reader does
    job, device = asked["job"], torch.device(asked["device"])
    config = ImageToTextConfig(**job["model"])
    images = [batch.to(device) for batch in random_images(job, job["batches"])]
    model = ImageToFrames(config).to(device).eval()
    as_words_are(model, images[0], job["tokens"])
    model = in_image_precision(model, asked["precision"], config.dim)

    @torch.inference_mode()
    def turn() -> tuple[float, dict[str, object]]:
        for batch in images:
            if asked["part"] == "whole":
                greedy(model(batch))
            else:
                # a GPU is waited for, as reading its answer waits for it
                model.encode(batch).features[0, 0, 0].item()
        return float(len(images) * job["batch"]), {}

    turn()
    worker.ready("torch", "jumok")
    worker.serve(turn)


if __name__ == "__main__":
    main()
