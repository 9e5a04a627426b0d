"""What a run says about itself, and what changed since: `config.json` made and compared."""

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jumok
from jumok.errors import UserError
from jumok.training.options import TrainingOptions

PACKAGES = ("torch", "lightning-fabric", "tokenizers", "safetensors", "sacrebleu", "numpy")
# a saved state means nothing under another one of these; dropout alone, among the model's keys, may change
FIXED = ("task", "model", "data", "recipe.task", "recipe.model", "recipe.tokenizer")


def describe(task: dict[str, Any], options: TrainingOptions) -> dict[str, Any]:
    """What the task says of itself, with the training options under ``recipe.training``, as JSON values."""
    described = {**task, "recipe": {**task.get("recipe", {}), "training": options.model_dump()}}
    return dict(json.loads(json.dumps(described)))


def surroundings(precision: str, threads: int, processes: int) -> dict[str, Any]:
    """What else decides the numbers: precision, threads, processes, versions, and the commit in a checkout."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "jumok": jumok.__version__,
        "precision": precision,
        "threads": threads,
        "processes": processes,
        "versions": versions,
        "git": _commit(),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The options that differ, one ``key: old -> new`` each.

    Raises `UserError` if one of them makes resuming meaningless: the task, the model's sizes, the tokenizer, the data.
    """
    old, new = _flat({key: before.get(key) for key in now}), _flat(now)
    lines = [
        (key, f"{key.removeprefix('recipe.')}: {old.get(key, 'unset')} -> {new.get(key, 'unset')}")
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    refused = [line for key, line in lines if _fixed(key)]
    if refused:
        raise UserError(
            f"cannot resume with another {'; '.join(refused)}: the saved state belongs to the old one;"
            " change it back, or train into another run="
        )
    return [line for _, line in lines]


def _fixed(key: str) -> bool:
    return any(key == fixed or key.startswith(fixed + ".") for fixed in FIXED) and not key.endswith("dropout")


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {prefix: values}
    return {key: leaf for name in values for key, leaf in _flat(values[name], f"{prefix}.{name}".lstrip(".")).items()}


def _commit() -> str | None:
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
