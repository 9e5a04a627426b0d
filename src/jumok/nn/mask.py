"""Who may attend to whom: one small value for every model."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Mask:
    """Which keys each query may attend to; True means "may attend". The parts are combined with "and".

    ``lengths``: key ``j`` of row ``b`` is real when ``j < lengths[b]``.
    ``causal``: query ``i`` sees key ``j`` when ``j <= i + (K - Q)``: the last query sees every key, so one new
    query after ``t`` cached keys sees ``t + 1`` (Vaswani et al. 2017, section 3.2.3).
    ``pattern``: an explicit table, broadcastable to ``(B, H, Q, K)``.
    ``nonempty``: True when the builder knows that every query has at least one key, which saves looking.

    ::

        lengths=[2, 3], K=3     causal, Q=K=3     causal, Q=1, K=3
        row 0:  1 1 .           1 . .             1 1 1
        row 1:  1 1 1           1 1 .
                                1 1 1

    A query with nothing to attend to gets zeros from every attention path, never NaN and never an average.
    """

    lengths: Int[Tensor, " B"] | None = None
    causal: bool = False
    pattern: Bool[Tensor, "..."] | None = None
    nonempty: bool | None = None
    _tensors: dict[tuple[object, ...], Tensor | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def allowed(self, queries: int, keys: int, device: torch.device | None = None) -> Bool[Tensor, "B H Q K"] | None:
        """The mask as a tensor ``(B|1, H|1, Q|1, K)``, or None when every query may attend to every key."""
        place = ("allowed", queries, keys)
        if place not in self._tensors:
            self._tensors[place] = self._build(queries, keys, device)
        return self._tensors[place]

    def bias(
        self, queries: int, keys: int, dtype: torch.dtype, device: torch.device | None = None
    ) -> Float[Tensor, "B H Q K"] | None:
        """The mask as something to add to scores: 0 where attention is allowed, a very negative number elsewhere."""
        place = ("bias", queries, keys, dtype)
        if place not in self._tensors:
            allowed = self.allowed(queries, keys, device)
            # half of the smallest number: adding a score to it cannot reach -inf, so that no row becomes NaN
            self._tensors[place] = (
                None
                if allowed is None
                else torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, torch.finfo(dtype).min / 2)
            )
        return self._tensors[place]

    def attended(self, queries: int, keys: int) -> Bool[Tensor, "B H Q 1"] | None:
        """Which queries have any key at all; None when all have, which is the rule."""
        if self._all_attended and not (self.causal and queries > keys):
            return None
        allowed = self.allowed(queries, keys)
        return None if allowed is None else allowed.any(-1, keepdim=True)

    @cached_property
    def _all_attended(self) -> bool:
        if self.nonempty is not None:
            return self.nonempty
        if self.pattern is not None:
            return False
        return self.lengths is None or bool((self.lengths > 0).all())

    def _build(self, queries: int, keys: int, device: torch.device | None) -> Tensor | None:
        parts: list[Tensor] = []
        if self.lengths is not None:
            real = torch.arange(keys, device=self.lengths.device) < self.lengths[:, None]
            parts.append(real[:, None, None, :])
        if self.causal and queries > 1:
            triangle = torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)
            parts.append(triangle[None, None])
        if self.pattern is not None:
            parts.append(self.pattern)
        if not parts:
            return None
        together = parts[0]
        for part in parts[1:]:
            together = together & part
        return together


FULL = Mask()
