"""The optimisers of a training, made of the task's parameter groups."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from jumok.errors import UserError
from jumok.training.options import TrainingOptions

Group = dict[str, Any]
SLOTS = {torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"}, torch.optim.Muon: {"momentum_buffer"}}


def optimizers(groups: Iterable[Group], options: TrainingOptions) -> list[Optimizer]:
    """AdamW for all parameters; or Muon for those of groups marked ``matrices``, and AdamW for the others.

    AdamW: Loshchilov and Hutter 2019. Muon: a step is the momentum with its singular values set to about 1 (Jordan et
    al. 2024), times ``0.2 sqrt(max(n, m))``, so that rate and decay mean what they mean to AdamW (Liu et al. 2025,
    "Muon is Scalable for LLM Training", section 2.2).

    Raises `UserError` where Muon is asked for and there is nothing for it to train.
    """
    groups = [group for group in groups if group["params"]]
    matrices = [group for group in groups if group.get("matrices")] if options.optimizer == "muon" else []
    if options.optimizer == "muon" and not matrices:
        raise UserError(
            "training.optimizer = muon is for the matrices of Transformer blocks, and this training has none; "
            "set it to adamw"
        )
    others = [group for group in groups if not any(group is one for one in matrices)]
    made: list[Optimizer] = []
    if matrices:
        made.append(torch.optim.Muon(matrices, lr=0.0, adjust_lr_fn="match_rms_adamw"))
    if others:
        made.append(torch.optim.AdamW(others, lr=0.0, betas=options.betas, eps=options.epsilon, fused=True))
    return made


def parts_of(optimizers: Sequence[Optimizer]) -> list[Group]:
    """The parameter groups of all of them, as they hold them."""
    return [group for optimizer in optimizers for group in optimizer.param_groups]


def optimizer_tensors(model: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """The optimisers' states, each tensor as ``parameter-name/slot``."""
    return {
        f"{name}/{slot}": value
        for name, parameter in model.named_parameters()
        for optimizer in optimizers
        for slot, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizers(model: nn.Module, optimizers: Sequence[Optimizer], tensors: dict[str, Tensor]) -> None:
    """Give the optimisers the states that `optimizer_tensors` returned; their options stay as they are now.

    Raises `UserError` for the state of another optimiser.
    """
    slots: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, slot = key.rpartition("/")
        slots.setdefault(name, {})[slot] = tensor
    names = {parameter: name for name, parameter in model.named_parameters()}
    for optimizer in optimizers:
        order = [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
        if any(slots[name].keys() != SLOTS[type(optimizer)] for name in order if name in slots):
            raise UserError(
                "the saved state is of another training.optimizer: change it back, or train into another run="
            )
        state = {index: slots[name] for index, name in enumerate(order) if name in slots}
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
