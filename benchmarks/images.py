"""The work of the image rows: the same random images and labels, forward alone or with the step of the optimiser."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import worker


def serve(model: nn.Module, logits: Callable[[Tensor], Tensor], asked: dict[str, Any], *packages: str) -> None:
    """Turns of `steps` batches through `logits`, which is the model in the precision that was asked for."""
    torch.manual_seed(2)
    device, size = torch.device(asked["device"]), asked["image_model"]["image_size"]
    images = torch.randn(asked["images"], 3, size, size).to(device)
    labels = torch.randint(1000, (asked["images"],)).to(device)
    training = asked["mode"] == "training"
    model.train(training)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True) if training else None

    def step() -> Tensor:
        if optimizer is None:
            with torch.inference_mode():
                return logits(images)
        found = logits(images)
        F.cross_entropy(found.float(), labels, label_smoothing=0.1).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return found.detach()

    first = step().float().argmax(-1).tolist()  # before any step has changed the weights
    step()
    worker.ready(*packages)
    while True:
        worker.wait()
        started = time.perf_counter()
        for _ in range(asked["steps"]):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        worker.report(asked["steps"] * asked["images"], time.perf_counter() - started, outputs=first)
