"""A model at each saved step of its training: what is seen in it, step by step."""

import logging
from collections.abc import Callable
from typing import TypeVar

from torch import nn

from jumok.errors import UserError
from jumok.tasks.runs import run_path
from jumok.training.snapshots import Snapshots
from jumok.training.weights import load_weights

KEEP = "train with training.save_every=100 training.keep=50, say, and the last 50 of these steps can be seen"
log = logging.getLogger("jumok")
S = TypeVar("S")


def at_saved_steps(
    run: str, model: nn.Module, look: Callable[[], S], warn: Callable[[str], None] = log.warning
) -> list[tuple[int, S]]:
    """What `look` gives while `model` has the weights of each saved step of its run: ``(step, look())``, in order.

    The weights are those that were validated (with training.ema the averaged ones); `model` is left with those of the
    last saved step. A damaged state is named through `warn` and left out.

    Raises `UserError` as `look` does, and for a run that keeps no two saved steps.
    """
    folder = run_path(run) / "state"
    snapshots = Snapshots(folder).whole(warn)
    if len(snapshots) < 2:
        count = "only one saved step" if snapshots else "no saved step"
        raise UserError(f"a film needs two saved steps of a training, but {run} keeps {count} in {folder}; {KEEP}")
    seen = []
    for snapshot in snapshots:
        load_weights(model, snapshot.tensors("ema") or snapshot.tensors("model"), str(snapshot.folder))
        seen.append((int(snapshot.state["progress"]["step"]), look()))
    return seen
