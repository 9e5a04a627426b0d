"""A model's weights as plain named tensors, and back, with names in the messages."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from jumok.errors import UserError


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers by name; a tensor that is tied under several names appears once, under the first."""
    return {name: tensor.detach() for name, tensor in _unique(model)}


@torch.no_grad()
def load_weights(model: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copy `tensors` into `model`, strictly; `where` says in a message whose they are.

    Raises `UserError` that lists missing and surplus names and unequal shapes; the model is unchanged then.
    """
    own = dict(_unique(model))
    tied = set(model.state_dict()) - set(own)
    check_fit(own, {name: tensor for name, tensor in tensors.items() if name not in tied}, where)
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def check_fit(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], where: str) -> None:
    """Raises `UserError` that lists missing and surplus names of `tensors` and unequal shapes, if there are any."""
    missing = sorted(wanted.keys() - tensors.keys())
    surplus = sorted(tensors.keys() - wanted.keys())
    unequal = [
        f"{name} is {list(tensors[name].shape)}, wanted {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if missing or surplus or unequal:
        parts = [
            f"{len(names)} {what}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
            for what, names in (("missing", missing), ("surplus", surplus), ("of another shape", unequal))
            if names
        ]
        raise UserError(f"the weights of {where} do not fit this model ({'; '.join(parts)}); use the same model sizes")


def _unique(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    # keep_vars gives the very tensors, so that tied ones can be told by identity
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor
