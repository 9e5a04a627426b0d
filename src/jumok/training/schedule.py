"""Learning rates: pure functions of the step."""

import math

from jumok.training.options import TrainingOptions


def learning_rate(options: TrainingOptions, step: int, planned: int | None) -> float:
    r"""The learning rate of the optimiser's step number `step`, counted from 1.

    With the peak :math:`\eta` and :math:`w` warm-up steps it rises as :math:`\eta\, s / w` and then follows
    ``inverse_sqrt``: :math:`\eta \sqrt{w / s}`, the shape of eq. 3 of "Attention Is All You Need" (Vaswani 2017);
    ``cosine``: from :math:`\eta` to 1 % of it at step `planned`; ``constant``: :math:`\eta`.
    """
    peak, warmup = options.learning_rate, options.warmup
    if step < warmup:
        return peak * step / warmup
    if options.schedule == "inverse_sqrt":
        return peak * math.sqrt(max(1, warmup) / step)
    if options.schedule == "cosine":
        assert planned is not None, "TrainingOptions refuses a cosine schedule without a planned end"
        share = min(1.0, (step - warmup) / max(1, planned - warmup))
        return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
    return peak


def planned_steps(options: TrainingOptions, steps_per_epoch: int) -> int | None:
    """The step at which the limits will end the training; None if only the minutes limit it."""
    limits = [options.steps, None if options.epochs is None else options.epochs * steps_per_epoch]
    return min((limit for limit in limits if limit is not None), default=None)
