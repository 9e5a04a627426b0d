"""Saved states for exact resume: each is written aside, checked, renamed, and only then pointed to.

::

    state/step-N/model.safetensors, optimizer.safetensors, ema.safetensors, state.json, checksums.json
    state/latest                      the name of the newest state, swapped last
    state/averages/step-N.safetensors weights whose mean is tried at the end

A process killed at any moment leaves either the old pointer or the new one, and a whole state behind both.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from jumok.errors import UserError
from jumok.files import atomic_write, sha256
from jumok.training.progress import Progress
from jumok.training.run import read_tensors, sync, write_tensors


@dataclass(frozen=True)
class Snapshot:
    """A saved state that passed its checksums."""

    folder: Path
    state: dict[str, Any]

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of ``NAME.safetensors``, empty if the state has none."""
        path = self.folder / f"{name}.safetensors"
        return read_tensors(path) if path.exists() else {}


@dataclass(frozen=True)
class Snapshots:
    """The saved states of a run, below its ``state`` folder."""

    folder: Path

    def begin(self) -> None:
        """Make the folder: a run with weights that lacks it has lost its states. Raises `UserError` as `save` does."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write {self.folder}: {error.strerror}; choose another run=") from error

    def save(
        self, progress: Progress, tensors: dict[str, dict[str, Tensor]], random: list[Any], lines: int, keep: int
    ) -> Path:
        """Save a state and drop all but the last `keep`: `random` per process, `lines` of the log written so far.

        Raises `UserError` (full disk, read-only folder); what was saved before is untouched then.
        """
        step, latest = progress.step, self.latest()
        state = {"progress": asdict(progress), "random": random, "lines": lines}
        target = self._free_name(step)
        temporary = self.folder / f".writing-{target.name}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            temporary.mkdir()
            for name, content in tensors.items():
                write_tensors(temporary / f"{name}.safetensors", content)
            atomic_write(temporary / "state.json", json.dumps(state))
            sums = {file.name: sha256(file) for file in sorted(temporary.iterdir())}
            atomic_write(temporary / "checksums.json", json.dumps(sums, indent=2))
            sync(temporary)
            os.replace(temporary, target)
            sync(self.folder)
            atomic_write(self.folder / "latest", target.name)
        except (OSError, UserError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            reason = error.strerror if isinstance(error, OSError) else str(error)
            kept = f"the last good state is {latest}" if latest else "no state was saved before"
            raise UserError(f"cannot save step {step} in {self.folder}: {reason}; {kept}") from error
        self._prune(target, keep)
        return target

    def load(self, warn: Callable[[str], None]) -> Snapshot | None:
        """The newest whole state, or None if none was ever saved.

        A damaged one is named through `warn` and the one before it used. Raises `UserError` if all are damaged.
        """
        names = [path.name for path in self._all()]
        latest = self.latest()
        if latest in names:  # a state newer than the pointer is whole, but nothing promised it yet
            names.remove(latest)
            names.append(latest)
        elif latest:
            names.append(latest)
        for name in reversed(names):
            damage = self._damage(self.folder / name)
            if damage is None:
                return self._open(name)
            warn(f"the saved state {self.folder / name} is damaged ({damage}); trying the one before it")
        if names:
            raise UserError(f"no saved state in {self.folder} is whole; restore one, or train into another run=")
        return None

    def whole(self, warn: Callable[[str], None]) -> list[Snapshot]:
        """The saved states in the order of their steps; a damaged one is named through `warn` and left out."""
        found = {}
        for path in self._all():
            damage = self._damage(path)
            if damage is None:
                found[_order(path)[0]] = self._open(path.name)  # of a step that was saved twice the later one
            else:
                warn(f"the saved state {path} is damaged ({damage}); it is left out")
        return list(found.values())

    def latest(self) -> str | None:
        """The name of the newest saved state."""
        try:
            return (self.folder / "latest").read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def add_average(self, step: int, tensors: dict[str, Tensor]) -> str:
        """Keep these weights for the mean at the end, as long as a saved state lists them; returns their name."""
        folder = self.folder / "averages"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write {folder}: {error.strerror}; free space or choose another run=") from error
        write_tensors(folder / f"step-{step}.safetensors", tensors)
        return f"step-{step}.safetensors"

    def average(self, name: str) -> dict[str, Tensor]:
        """Weights kept by `add_average`. Raises `UserError` if they are damaged."""
        return read_tensors(self.folder / "averages" / name)

    def _open(self, name: str) -> Snapshot:
        return Snapshot(self.folder / name, json.loads((self.folder / name / "state.json").read_text(encoding="utf-8")))

    def _all(self) -> list[Path]:
        """Every state, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.glob("step-*") if path.is_dir()), key=_order)

    def _free_name(self, step: int) -> Path:
        # a step may be saved twice (stopped before its validation, and after it); neither touches the other
        path, again = self.folder / f"step-{step}", 1
        while path.exists():
            path, again = self.folder / f"step-{step}-{again}", again + 1
        return path

    def _damage(self, folder: Path) -> str | None:
        """What is wrong with a state, None if nothing."""
        try:
            sums = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))
            for name, expected in sums.items():
                if sha256(folder / name) != expected:
                    return f"{name} is not what was written"
        except (OSError, ValueError, AttributeError) as error:
            return str(error)
        return None

    def _sweep(self) -> None:
        """Remove what a killed process was writing."""
        for path in self.folder.glob(".writing-*"):
            shutil.rmtree(path, ignore_errors=True)

    def _prune(self, newest: Path, keep: int) -> None:
        """Drop old states, states of a future that was given up (a damaged one, say), and averages no state lists."""
        good = [path for path in self._all() if _order(path) <= _order(newest)][-keep:]
        for path in set(self._all()) - set(good):
            shutil.rmtree(path, ignore_errors=True)
        listed: set[str] = set()
        for path in good:
            try:
                listed.update(json.loads((path / "state.json").read_text(encoding="utf-8"))["progress"]["members"])
            except (OSError, ValueError, KeyError):
                return  # a damaged state lists nothing that can be trusted: drop no averages this time
        for path in (self.folder / "averages").glob("*.safetensors"):
            if path.name not in listed:
                path.unlink(missing_ok=True)


def _order(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.name.split("-")[1:])
