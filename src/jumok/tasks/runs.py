"""Run directories as the user names them: what a name means, and what a run says of itself."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.training.run import Run

DEMO = "demo"
SHIPPED = Path(__file__).parents[1] / DEMO
RECIPES = Path(__file__).parents[1] / "recipes"  # those that work after `pip install`, away from a checkout


def run_path(name: str | Path) -> Path:
    """The folder of a run: ``demo`` is the one in the package, anything else is a path (so is ``./demo``)."""
    return SHIPPED if str(name).strip() == DEMO else Path(str(name).strip())


def task_of(path: str | Path) -> str:
    """The job of a run, or ``classify`` for published weights. Raises `UserError` for what is neither."""
    from jumok.training.run import Run

    folder = run_path(str(path).split(",")[0])
    return "classify" if is_published(folder) else str(Run.open(folder).config.get("task"))


def is_published(folder: Path) -> bool:
    """Whether it holds weights in another tool's layout: a ``config.json`` without Jumok's format beside them."""
    file = folder / "config.json"
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        return False
    try:
        values = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and "format" not in values


def translator_config(run: "Run") -> dict[str, Any]:
    """The ``config.json`` of a translator's run. Raises `UserError` for another task, and if it lacks a part."""
    return _whole_config(run, "translate", "translator", ("data", "decoding"))


def classifier_config(run: "Run") -> dict[str, Any]:
    """The ``config.json`` of a classifier's run. Raises `UserError` for another task, and if it lacks a part."""
    return _whole_config(run, "classify", "classifier", ("data",))


def reader_config(run: "Run") -> dict[str, Any]:
    """The ``config.json`` of a reader's run. Raises `UserError` for another task, and if it lacks a part."""
    return _whole_config(run, "read", "reader", ("data",))


def captioner_config(run: "Run") -> dict[str, Any]:
    """The ``config.json`` of a captioner's run. Raises `UserError` for another task, and if it lacks a part."""
    return _whole_config(run, "caption", "captioner", ("data", "decoding"))


def embedder_config(run: "Run") -> dict[str, Any]:
    """The ``config.json`` of a sentence encoder's run. Raises `UserError` for another task, and if it lacks a part."""
    return _whole_config(run, "embed", "sentence encoder", ("data",))


def _whole_config(run: "Run", task: str, what: str, groups: tuple[str, ...]) -> dict[str, Any]:
    config = run.config
    if config.get("task") != task:
        raise UserError(f"{run.path} is a run of the task {config.get('task')}; this needs a {what}")
    recipe = config.get("recipe")
    parts = {"recipe": recipe, "model": config.get("model")}
    parts |= {f"recipe.{key}": recipe.get(key) for key in groups} if isinstance(recipe, dict) else {}
    lacking = [name for name, part in parts.items() if not isinstance(part, dict)]
    if lacking:
        file = run.path / "config.json"
        raise UserError(
            f"{file} is damaged: it lacks {', '.join(lacking)}; restore the run from a copy, or train again"
        )
    return config


@contextmanager
def into_run(path: str, resume: bool) -> Iterator["Run"]:
    """The run to train into. If nothing was written to a new one, nothing stays: an empty folder would only puzzle."""
    from jumok.training.run import Run, first_process

    new = not Path(path).exists()
    run = Run.create(path, resume=resume)
    try:
        yield run
    except BaseException:
        if new and first_process():
            with suppress(OSError):
                run.path.rmdir()
        raise


def describe_run(path: str | Path) -> dict[str, dict[str, Any]]:
    """What `jumok info` shows: run, model, scores, data, recipe and versions, each a mapping of plain values.

    Raises `UserError` if it is no run, damaged, or of a newer format.
    """
    from safetensors import safe_open

    from jumok.training.run import Run

    run = Run.open(run_path(path))
    config = run.config
    about: dict[str, Any] = {"path": str(run.path), "task": config.get("task")}
    model = dict(config.get("model", {}))
    weights = run.path / "model.safetensors"
    if weights.is_file():
        about["weights"] = run.about_weights().get("weights")
        about["megabytes"] = round(weights.stat().st_size / 1e6, 2)
        with safe_open(weights, "pt") as file:
            names = list(file.keys())
            model["parameters"] = sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    else:
        about["weights"] = "none yet: the training has not come to its first validation"
    about |= {key: config[key] for key in ("precision", "threads", "processes") if key in config}
    versions = {"jumok": config.get("jumok"), **config.get("versions", {}), "git": config.get("git")}
    return {
        "run": about,
        "model": {key: value for key, value in model.items() if value is not None},
        "scores": dict(config.get("kept", {})),
        "data": flat(config.get("data", {})),
        "recipe": flat(config.get("recipe", {})),
        "versions": {key: value for key, value in versions.items() if value is not None},
    }


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values under dotted keys, without the unset ones."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            result[prefix + key] = value
    return result
