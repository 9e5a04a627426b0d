"""The pieces of the loop that would hide its line: trying the largest batch, scoring, keeping weights, averaging."""

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from jumok.errors import Diverged, UserError
from jumok.training.average import mean
from jumok.training.display import Display
from jumok.training.logs import Logs
from jumok.training.options import TrainingOptions
from jumok.training.processes import gather
from jumok.training.progress import Progress
from jumok.training.randomness import untouched
from jumok.training.run import Run
from jumok.training.snapshots import Snapshots
from jumok.training.task import B, Loss, Report, Task
from jumok.training.weights import load_weights, weights_of


class Whole(nn.Module):
    """A model with its loss as one forward pass, which is what DDP and autocast have to see.

    ``loss`` may call any method of the model, and use its weights outside of it (a tied output layer).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, loss: Callable[[], Loss]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The total, the weight and the metrics of ``loss()``, all scalars on the device of the total."""
        one = loss()
        weight, *metrics = (
            torch.as_tensor(value, dtype=torch.float32, device=one.total.device).detach()
            for value in (one.weight, *one.metrics.values())
        )
        return one.total, weight, dict(zip(one.metrics, metrics, strict=True))


def try_largest(
    task: Task[B],
    fabric: Fabric,
    module: Any,
    parameters: Sequence[nn.Parameter],
    options: TrainingOptions,
    *,
    fresh: bool,
) -> None:
    """One forward and backward pass of the largest batch; neither weights, buffers nor random states change.

    Before a `fresh` training's first step the optimiser's two moments do not exist: their room is held meanwhile.

    Raises `UserError` naming the key of a batch's size if the memory does not suffice.
    """
    model = module.module.model
    buffers = [buffer.clone() for buffer in model.buffers()]
    try:
        ballast = [torch.empty_like(parameter) for parameter in [*parameters, *parameters]] if fresh else []
        with untouched(fabric.device):
            batch = task.load(task.largest(), 0).to(fabric.device)
            total, _, _ = module(partial(task.loss, model, batch))
            fabric.backward(total)
        del ballast
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not _out_of_memory(error):
            raise
        size = getattr(options, options.SIZE)
        more = f" and raise training.accumulate (now {options.accumulate}) to make up for it"
        raise UserError(
            f"the largest batch does not fit into the memory of {fabric.device}; lower training.{options.SIZE} (now"
            f" {size})" + (more if "accumulate" in type(options).model_fields else "")
        ) from error
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(before)


def check_finite(
    loss: float,
    norm: float,
    sums: Sequence[Tensor],
    dealt: Sequence[list[int]],
    mine: Sequence[list[int]],
    progress: Progress,
    fabric: Fabric,
    snapshots: Snapshots,
) -> None:
    """Raises `Diverged` naming step and batch if loss or gradient is no number, before it reaches the weights."""
    if math.isfinite(loss) and math.isfinite(norm):
        return
    bad = [batch for batch, one in zip(mine, sums, strict=False) if not torch.isfinite(one[0])]
    found = [batch for part in gather(fabric, bad) for batch in part]
    what = f"loss became {loss}" if found else f"gradient became {norm}"
    samples = "; ".join(
        ", ".join([*map(str, batch[:12]), *(["..."] if batch[12:] else [])]) for batch in found or dealt
    )
    first, last = progress.position + 1, progress.position + len(dealt)
    batches = f"batch {first}" if first == last else f"batches {first}-{last}"
    kept = snapshots.latest()
    state = f"the last good state, {kept}, is kept: --resume" if kept else "no state was saved yet: train again"
    if not fabric.is_global_zero:
        raise SystemExit(0)
    raise Diverged(
        f"the {what} at step {progress.step + 1}, {batches} of epoch {progress.epoch + 1} (samples {samples}); {state}"
        " with a lower training.learning_rate, a longer training.warmup, or training.precision=fp32"
    )


def score(task: Task[B], model: nn.Module, fabric: Fabric, metric: str, report: Report) -> dict[str, float]:
    """The task's scores of `model`; random states and the training mode are as before afterwards."""
    was_training = model.training
    model.eval()
    try:
        with untouched(fabric.device), torch.no_grad(), fabric.autocast():
            scores = {name: float(value) for name, value in task.validate(model, report).items()}
    finally:
        model.train(was_training)
    if metric not in scores:
        choices = ", ".join(sorted(scores))
        raise UserError(f"training.metric = {metric}, but validation gives {choices}; choose one of these")
    return scores


def keep_weights(run: Run, model: nn.Module, label: str, progress: Progress, scores: dict[str, float]) -> None:
    """Make these the weights of the run, and say in ``config.json`` which they are."""
    about = {"weights": label, "step": progress.step, **scores}
    run.write_weights(weights_of(model), {name: str(value) for name, value in about.items()})
    run.write_config({**run.config, "weights": label, "kept": {"step": progress.step, **scores}})


def try_average(
    task: Task[B],
    model: nn.Module,
    fabric: Fabric,
    metric: str,
    higher_is_better: bool,
    run: Run,
    progress: Progress,
    snapshots: Snapshots,
    logs: Logs,
    display: Display,
) -> None:
    """Score the mean of the kept weights, and make it the run's if it is better than the best."""
    mixed = copy.deepcopy(model)
    load_weights(mixed, mean(snapshots.average(name) for name in progress.members), "the kept averages")
    scores = score(task, mixed, fabric, metric, display.activity)
    line = {f"averaged_{name}": value for name, value in scores.items()}
    logs.write({"step": progress.step, "epoch": progress.epoch, **line})
    display.scores(progress.step, scores, f"mean of {len(progress.members)}")
    value, best = scores[metric], progress.best
    if best is None or (value > best if higher_is_better else value < best):
        progress.best, progress.best_step = value, progress.step
        keep_weights(run, mixed, "averaged", progress, scores)


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
