"""Attention weights as the model computes them: ``with record(model) as maps:``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from jumok.errors import UserError
from jumok.insight.recorded import Maps
from jumok.nn.attention import Tap

# What Fabric, DDP and torch.compile put in front of, or between, a model's own names.
_OUTER = ("_forward_module", "_original_module", "module")
_ANYWHERE = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")

Layer = int | str


@contextmanager
def record(
    model: nn.Module, layers: Layer | Sequence[Layer] | None = None, heads: Sequence[int] | None = None
) -> Iterator[Maps]:
    """Record the attention weights of one forward pass: module path of the attention -> ``(B, H, Q, K)``.

    Maps are detached float32 copies on the CPU, taken before dropout, in the order in which the layers run; the rows
    of padded queries are in them. Only the recorded layers leave the fused kernels, and only inside the block.

    A layer that runs again inside the block would overwrite what it recorded, so it raises, with one exception: a
    recurrent decoder attends step by step, and calls of one query each over the same keys are joined along Q. For a
    text found by search, record one forced pass over the winner.

    Args:
        model: a model of the house, also one wrapped by Fabric, DDP or `torch.compile`; the keys are unwrapped names.
        layers: which layers (one, or several): an index in each stack (0 is the first block, -1 the last), the name
            of a module ("decoder", "decoder.blocks.0.cross") or a pattern ("*.cross"); None records all.
        heads: indices of the heads to keep, in this order, negative ones from the last; None keeps all.

    Raises:
        UserError: a layer or head does not exist, or the model has no attention; the message lists what there is.
        RuntimeError: a layer is being recorded already, runs twice, or nothing ran inside the block.

    >>> with record(model, layers="*.cross") as maps:
    ...     model(source, lengths, target)
    >>> maps["decoder.blocks.0.cross"].shape
    torch.Size([1, 8, 12, 9])
    """
    taps = _choose(_find(model), layers)
    busy = [name for name, tap in taps.items() if tap.sink is not None]
    if busy:
        raise RuntimeError(f"{_listed(busy)}: being recorded already; leave that `record` block first")
    maps = Maps()
    for name, tap in taps.items():
        tap.sink = _sink(maps, name, None if heads is None else list(heads))
    try:
        yield maps
    finally:
        for tap in taps.values():
            tap.sink = None
    if not maps:
        raise RuntimeError(f"nothing was recorded: none of {_listed(list(taps))} ran inside the block")


def attention_layers(model: nn.Module, layers: Layer | Sequence[Layer] | None = None) -> dict[str, nn.Module]:
    """The attention modules that `layers` name, as `record` understands them, by their module paths.

    Raises `UserError` for a layer that does not exist; the message lists what there is.
    """
    taps = _choose(_find(model), layers)
    owners = {_unwrapped(path): module for path, module in model.named_modules()}
    return {name: owners[name] for name in taps}


def layer_names(model: nn.Module) -> list[str]:
    """Module paths that `record` can record, in the order of the model."""
    return list(_find(model))


def _find(model: nn.Module) -> dict[str, Tap]:
    found = {}
    for path, module in model.named_modules():
        if isinstance(module, Tap):
            found[_unwrapped(path).rpartition(".")[0]] = module
    if not found:
        raise UserError(f"{type(model).__name__} has no attention to record")
    return found


def _unwrapped(path: str) -> str:
    parts = [part for part in path.split(".") if part not in _ANYWHERE]
    while parts[0] in _OUTER:
        parts.pop(0)
    return ".".join(parts)


def _choose(taps: dict[str, Tap], layers: Layer | Sequence[Layer] | None) -> dict[str, Tap]:
    if layers is None:
        return taps
    chosen: set[str] = set()
    for layer in [layers] if isinstance(layers, int | str) else layers:
        matched = _numbered(list(taps), layer) if isinstance(layer, int) else _named(list(taps), layer)
        if not matched:
            raise UserError(f"no attention layer matches {layer!r}; there are {_listed(list(taps))}")
        chosen.update(matched)
    if not chosen:
        raise UserError(f"layers is empty; choose among {_listed(list(taps))}")
    return {name: tap for name, tap in taps.items() if name in chosen}


def _named(names: list[str], wanted: str) -> list[str]:
    return [name for name in names if name == wanted or name.startswith(f"{wanted}.") or fnmatchcase(name, wanted)]


def _numbered(names: list[str], index: int) -> list[str]:
    """Names whose block has this index in its stack; an attention outside any stack is a stack of one."""
    places = {name: _place(name) for name in names}
    matched = []
    for name, (stack, number) in places.items():
        numbers = sorted({n for other, n in places.values() if other == stack})
        wanted = index if index >= 0 else numbers[index] if -index <= len(numbers) else None
        if number == wanted:
            matched.append(name)
    return matched


def _place(name: str) -> tuple[str, int]:
    """``encoder.blocks.3.attention`` -> (``encoder.blocks``, 3)."""
    parts = name.split(".")
    for at in range(len(parts) - 1, -1, -1):
        if parts[at].isdigit():
            return ".".join(parts[:at]), int(parts[at])
    return name, 0


def _sink(maps: dict[str, Tensor], name: str, heads: list[int] | None) -> Callable[[Tensor], None]:
    steps: list[Tensor] = []

    def receive(weights: Tensor) -> None:
        count = weights.shape[1]
        missing = [head for head in heads or [] if not -count <= head < count]
        if missing:
            raise UserError(f"{name} has no head {missing[0]}; its heads are 0 to {count - 1}")
        # a copy: what follows may work in place; and a plain tensor, usable after `torch.inference_mode`
        with torch.inference_mode(False), torch.no_grad():
            seen = (weights if heads is None else weights[:, heads]).to("cpu", torch.float32, copy=True)
            if steps and not (seen.shape == steps[0].shape and seen.shape[2] == 1):
                raise RuntimeError(f"{name} ran twice inside one `record` block; open a block for each forward pass")
            steps.append(seen)
            maps[name] = seen if len(steps) == 1 else torch.cat(steps, 2)

    return receive


def _listed(names: list[str]) -> str:
    return ", ".join(names)
