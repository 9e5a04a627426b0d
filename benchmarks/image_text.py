"""The work of the rows that write what an image shows: random images, outputs of one length, whole or decoder alone."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks import worker


class Writer(Protocol):
    """One side: it sees a batch of images, and writes outputs of the asked number of tokens for what was seen.

    `write_all` does both for several batches, or takes them as seen.
    """

    def see(self, images: Tensor) -> Any: ...

    def write_all(self, batches: list[Any], seen: bool) -> list[list[list[int]]]: ...


@dataclass(frozen=True)
class Asked:
    """What the harness wants of a side; `job` is `plan.Writing` as plain values."""

    values: dict[str, Any]

    @property
    def job(self) -> dict[str, Any]:
        job: dict[str, Any] = self.values["job"]
        return job

    @property
    def beam(self) -> int:
        return 1 if self.values["outputs"] else int(self.job["beam"])

    @property
    def device(self) -> torch.device:
        return torch.device(self.values["device"])

    @property
    def folder(self) -> str:
        return f"{self.values['work']}/{self.values['name']}"


def random_images(job: dict[str, Any], batches: int) -> list[Tensor]:
    """The same images for both sides."""
    size = job["model"]["image_size"]
    height, width = (size, size) if isinstance(size, int) else size
    drawn = torch.Generator().manual_seed(2)
    return [torch.randn(job["batch"], 3, height, width, generator=drawn) for _ in range(batches)]


def serve(writer: Writer, asked: Asked, *packages: str) -> None:
    """Warm up, and write for all batches at each "go"; seen beforehand where the decoder alone is measured."""
    decoder_alone = asked.values["part"] == "decoder"
    images = [batch.to(asked.device) for batch in random_images(asked.job, asked.job["batches"])]
    batches = [writer.see(batch) for batch in images] if decoder_alone else images
    writer.write_all(batches[:1], decoder_alone)
    worker.ready(*packages)

    def turn() -> tuple[float, dict[str, Any]]:
        rows = [row for found in writer.write_all(batches, decoder_alone) for row in found]
        assert {len(row) for row in rows} <= {asked.job["tokens"], asked.job["tokens"] - 1}  # the end, told or not
        return float(len(rows)), {"outputs": rows} if asked.values["outputs"] else {}

    worker.serve(turn)
