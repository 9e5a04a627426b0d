"""What passes between encoder, decoder and search: `Encoded`, and the state of a decoding."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from jumok.nn.attention import KeyValue
from jumok.nn.mask import Mask


@dataclass(frozen=True)
class Encoded:
    """What every encoder returns and every decoder takes.

    ``features (B, K, D)`` and the ``mask`` of real keys; where they exist: ``values`` other than the features
    (ConvS2S), ``final`` recurrent state, ``prefix`` number of class or distillation tokens in front, ``grid`` of
    patches (height, width).
    """

    features: Float[Tensor, "B K D"]
    mask: Mask
    values: Float[Tensor, "B K D"] | None = None
    final: Tensor | None = None
    prefix: int = 0
    grid: tuple[int, int] | None = None


@runtime_checkable
class State(Protocol):
    """The state of decoding `B` sentences with some beams each: an argument and a result, never inside a module."""

    def reorder(self, parents: Int[Tensor, "B beams"]) -> None:
        """Beam ``i`` of each sentence continues what beam ``parents[:, i]`` was; the number of beams may change."""
        ...

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Forget every sentence but these rows."""
        ...


class Pool:
    """Self-attention keys and values of one layer, of all beams of a sentence together: written once, never moved.

    Room for ``(B, H, slots, D/H)``; the keys lie in memory as the product ``q k^T`` reads them, and products take the
    whole room (the mask hides what is not written yet), because a part of it would be copied first.
    """

    def __init__(self) -> None:
        self._keys: Tensor | None = None  # (B, H, D/H, slots)
        self._values: Tensor | None = None  # (B, H, slots, D/H)

    def write(self, new: KeyValue, start: int, room: int) -> KeyValue:
        """Write `new` from slot `start` on, in a pool of at least `room` slots; returns the whole pool."""
        if self._keys is None or self._values is None or self._keys.shape[3] < room:
            sentences, heads, _, width = new.keys.shape
            keys = new.keys.new_zeros(sentences, heads, width, room)
            values = new.values.new_zeros(sentences, heads, room, width)
            if self._keys is not None and self._values is not None:
                keys[..., :start] = self._keys[..., :start]
                values[:, :, :start] = self._values[:, :, :start]
            self._keys, self._values = keys, values
        end = start + new.keys.shape[2]
        self._keys[..., start:end] = new.keys.transpose(-2, -1)
        self._values[:, :, start:end] = new.values
        return KeyValue(self._keys.transpose(-2, -1), self._values)

    def keep(self, sentences: Tensor) -> None:
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys[sentences], self._values[sentences]

    def select(self, slots: Int[Tensor, "B kept"]) -> None:
        """Keep these slots of each sentence, in this order."""
        if self._keys is not None and self._values is not None:
            place = slots[:, None, :, None].expand(-1, self._values.shape[1], -1, self._values.shape[3])
            self._keys = self._keys.gather(3, place.transpose(-2, -1))
            self._values = self._values.gather(2, place)


class PooledBeams:
    """Decoding state of a Transformer decoder: pools of keys, and which slots each beam descends from.

    A beam search that moves its cache copies every key at every step. Here a key stays where it was written; each
    sentence has one pool of ``steps x beams`` slots a layer, every beam's query scores the whole pool, and
    ``ancestry (B, beams, slots)`` hides what is not the beam's own past. `reorder` moves nothing but that mask.
    Memory keys are shared by the beams of a sentence in the same way, because beams stand in the query dimension.
    """

    CHUNK = 32  # slots; pools grow by it
    COMPACT_EVERY = 16  # steps

    def __init__(self, memory: list[KeyValue], memory_mask: Mask, beams: int) -> None:
        sentences, device = memory[0].keys.shape[0], memory[0].keys.device
        self.step, self.slots = 0, 0
        self.memory, self.memory_mask = [laid_out(part) for part in memory], memory_mask
        self.pools = [Pool() for _ in memory]
        self.ancestry: Bool[Tensor, "B beams room"] = torch.zeros(sentences, beams, 0, dtype=torch.bool, device=device)
        self._compacted = 0
        self._own: dict[tuple[int, int], Bool[Tensor, "queries slots"]] = {}

    @property
    def beams(self) -> int:
        return self.ancestry.shape[1]

    def layers(self, new: int) -> list["LayerCache"]:
        """What each layer sees while `new` tokens a beam are read."""
        room = -(-(self.slots + self.beams * new) // self.CHUNK) * self.CHUNK
        if room > self.ancestry.shape[2]:
            self.ancestry = torch.nn.functional.pad(self.ancestry, (0, room - self.ancestry.shape[2]))
        positions = torch.arange(self.step, self.step + new, device=self.ancestry.device).repeat(self.beams)
        # the last of a beam's new tokens sees all of them: that row is the beam's past from now on
        self.ancestry[:, :, self.slots : self.slots + self.beams * new] = self._own_block(new)[new - 1 :: new]
        window = self._window(new)
        return [LayerCache(pool, self.slots, self.ancestry.shape[2], positions, window) for pool in self.pools]

    def advance(self, new: int) -> None:
        """Count `new` read tokens a beam."""
        self.slots += self.beams * new
        self.step += new
        if self.beams > 1 and self.step - self._compacted >= self.COMPACT_EVERY:
            self._compact()

    def reorder(self, parents: Int[Tensor, "B beams"]) -> None:
        self.ancestry = self.ancestry.gather(1, parents[:, :, None].expand(-1, -1, self.ancestry.shape[2]))

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        self.ancestry = self.ancestry[sentences]
        self.memory = [laid_out(KeyValue(k[sentences], v[sentences])) for k, v in self.memory]
        if self.memory_mask.lengths is not None:
            self.memory_mask = Mask(self.memory_mask.lengths[sentences])
        for pool in self.pools:
            pool.keep(sentences)

    def _window(self, new: int) -> Mask:
        """The mask of `new` queries a beam, ``(B, 1, beams * new, room)``: own past, then own block of new slots."""
        pattern = self.ancestry
        if new > 1:
            pattern = pattern.repeat_interleave(new, dim=1)
            pattern[:, :, self.slots : self.slots + self.beams * new] = self._own_block(new)
        return Mask(pattern=pattern[:, None], nonempty=True)

    def _own_block(self, new: int) -> Bool[Tensor, "queries slots"]:
        """Which of the ``beams * new`` new tokens sees which: the earlier ones of its own beam, and itself."""
        size = (self.beams, new)
        if size not in self._own:
            beams = torch.eye(self.beams, dtype=torch.bool, device=self.ancestry.device)
            causal = torch.ones(new, new, dtype=torch.bool, device=self.ancestry.device).tril()
            self._own[size] = torch.kron(beams, causal)
        return self._own[size]

    def _compact(self) -> None:
        """Drop the slots that no beam descends from; most of a long search is such dead ends."""
        alive = self.ancestry.any(1)
        self.slots = int(alive.sum(1).max())
        room = -(-self.slots // self.CHUNK) * self.CHUNK
        slots = (~alive).to(torch.int8).sort(dim=1, stable=True).indices[:, :room]
        self.ancestry = self.ancestry.gather(2, slots[:, None].expand(-1, self.beams, -1))
        for pool in self.pools:
            pool.select(slots)
        self._compacted = self.step


def laid_out(part: KeyValue) -> KeyValue:
    """The same keys and values, lying in memory as ``q k^T`` and ``w v`` read them, so that no step copies them."""
    return KeyValue(part.keys.transpose(-2, -1).contiguous().transpose(-2, -1), part.values.contiguous())


@dataclass(frozen=True)
class LayerCache:
    """One layer's view of `PooledBeams` for one call."""

    pool: Pool
    slots: int
    room: int
    positions: Int[Tensor, " Q"]
    window: Mask

    def extend(self, new: KeyValue) -> tuple[KeyValue, Mask]:
        """All keys so far with the `new` ones, and which query may attend to which."""
        return self.pool.write(new, self.slots, self.room), self.window
