"""The run directory: one self-describing folder that training writes and everything else reads.

::

    config.json          format, task, recipe, model sizes, precision, threads, versions, hashes, which weights
    model.safetensors    the weights to use; which ones they are is in its header and in config.json
    tokenizer.json, ...  what else inference needs, written by the task
    metrics.jsonl        one line per log and per validation; tensorboard/ holds the same
    state/step-N/        what an exact resume needs (see `jumok.training.snapshots`); state/latest names the newest

Everything is JSON or safetensors: nothing that is read can run code.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from jumok.errors import UserError
from jumok.files import atomic_write

FORMAT = 1


@dataclass(frozen=True)
class Run:
    """A run directory. Make one with `Run.create` (to train into) or `Run.open` (to read)."""

    path: Path

    @classmethod
    def create(cls, path: Path | str, resume: bool = False) -> "Run":
        """The run to train into: a new folder or, with `resume`, an existing run or a new folder.

        Where training uses several processes only the first one looks and writes.
        Raises `UserError` for an existing run without `resume`, for a folder that holds something else, for a run
        of a newer format, and where the folder cannot be made.
        """
        run = cls(Path(path))
        if not first_process():
            return run
        if run.exists:
            if not resume:
                raise UserError(f"{run.path} is already a run; continue it with --resume, or choose another run=")
            _ = run.config
            run._sweep()
            return run
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            # what a process killed inside its very first write leaves behind is no reason to refuse
            strangers = [entry.name for entry in run.path.iterdir() if not entry.name.startswith(".config.json.")]
        except OSError as error:
            raise UserError(f"cannot use {run.path} as a run: {error.strerror}; choose another run=") from error
        if strangers:
            raise UserError(f"{run.path} is not empty and not a run (it holds {strangers[0]}); choose another run=")
        return run

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """An existing run.

        Raises `UserError` if there is none, or its ``config.json`` is damaged or of a newer format.
        """
        run = cls(Path(path))
        if not run.exists:
            why = "it holds no config.json" if run.path.is_dir() else "there is no such folder"
            raise UserError(f"{run.path} is not a run: {why}; give the folder that `jumok train` wrote")
        _ = run.config
        return run

    def _sweep(self) -> None:
        """Remove what a process killed inside a write left behind (see `write_tensors`, `atomic_write`)."""
        for pattern in (".*.safetensors.*", ".*.json.*"):
            for leftover in self.path.glob(pattern):
                leftover.unlink(missing_ok=True)

    @property
    def exists(self) -> bool:
        """Whether the folder is a run already."""
        return (self.path / "config.json").is_file()

    @property
    def config(self) -> dict[str, Any]:
        """``config.json``. Raises `UserError` if it is damaged or its format is newer than this Jumok."""
        path = self.path / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is damaged ({error}); restore the run from a copy, or train again") from error
        version = config.get("format") if isinstance(config, dict) else None
        if type(version) is not int:
            raise UserError(f"{path} names no format, so {self.path} is not a run of Jumok; give another folder")
        if version > FORMAT:
            raise UserError(
                f"{self.path} has format {version}, written by Jumok {config.get('jumok', '(unknown)')};"
                f" this Jumok reads up to format {FORMAT}: upgrade it"
            )
        return dict(config)

    def write_config(self, config: dict[str, Any]) -> None:
        """Replace ``config.json``, adding the format. Raises `UserError` where it cannot be written."""
        text = json.dumps({"format": FORMAT, **config}, ensure_ascii=False, indent=2)
        atomic_write(self.path / "config.json", text + "\n")

    def weights(self) -> dict[str, Tensor]:
        """The tensors of ``model.safetensors``, checked against the digest in its header.

        Raises `UserError` if the file is missing or damaged.
        """
        path = self.path / "model.safetensors"
        if not path.is_file():
            raise UserError(f"{self.path} has no weights yet; train it further: jumok train RECIPE run=... --resume")
        tensors = read_tensors(path)
        expected = self.about_weights().get("sha256")
        if expected is not None and expected != _digest(tensors):
            raise UserError(f"{path} is damaged: its content is not what was written; restore it, or train again")
        return tensors

    def about_weights(self) -> dict[str, str]:
        """The header of ``model.safetensors``: ``weights`` (best, ema, averaged or last), ``step``, scores."""
        path = self.path / "model.safetensors"
        try:
            with safe_open(path, "pt") as file:
                return dict(file.metadata() or {})
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} is damaged ({error}); restore it, or train again") from error

    def write_weights(self, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        """Replace ``model.safetensors`` in one move; `about` goes into its header, so weights and label never part."""
        write_tensors(self.path / "model.safetensors", tensors, {**about, "sha256": _digest(tensors)})


def first_process() -> bool:
    """Whether this process is the one that writes: the only one, or the first of several."""
    rank: int = rank_zero_only.rank  # type: ignore[attr-defined]  # lightning sets it on the function
    return rank == 0


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises `UserError` if it is missing, cut short or damaged."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged ({error}); restore it from a copy") from error


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all. Raises `UserError` where it cannot be written."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary, about)
        sync(Path(temporary))
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"cannot write {path}: {reason}; free space or choose another run=") from error


def sync(path: Path) -> None:
    """Have the system put a file or folder on the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(tensors: dict[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
