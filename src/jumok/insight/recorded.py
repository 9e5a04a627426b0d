"""What `record` fills: attention maps by module path, which can be kept, and handed to other tools."""

from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from jumok.errors import UserError
from jumok.files import atomic_write

Kind = Literal["encoder", "decoder", "cross"]


class Maps(dict[str, Tensor]):
    """Module path of an attention -> its weights ``(B, H, Q, K)``, float32 on the CPU, in the order of the layers."""

    def kind(self, kind: Kind) -> tuple[Tensor, ...]:
        """The maps of one kind, layer by layer: a tuple of ``(B, H, Q, K)``, the shape that BertViz takes.

        ``head_view(maps.kind("encoder"), tokens)``, or for a translation ``head_view(encoder_attention=..,
        decoder_attention=.., cross_attention=maps.kind("cross"), ..)``. Raises `UserError` if there is none.
        """
        found = tuple(weights for name, weights in self.items() if kind_of(name) == kind)
        if not found:
            raise UserError(f"there is no {kind} attention among {', '.join(self) or 'no maps'}")
        return found

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` of float32 arrays under their module paths, whole or not at all."""
        content = BytesIO()
        # positional names of numpy's own would clash with a path called "file"
        np.savez_compressed(content, **{name: weights.numpy() for name, weights in self.items()})  # type: ignore[arg-type]
        atomic_write(Path(path), content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "Maps":
        """Read what `save` wrote. Raises `UserError` if it is no such file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls({name: torch.from_numpy(file[name]) for name in file.files})
        except (OSError, ValueError, EOFError, TypeError) as error:
            raise UserError(f"{path} holds no maps ({error}); write it with maps.save(path)") from error


def kind_of(name: str) -> Kind:
    """What a module path looks from and at: ``decoder.blocks.0.cross`` is "cross"."""
    if name.rpartition(".")[2] == "cross":
        return "cross"
    return "encoder" if name.startswith("encoder") else "decoder"
