"""The run directory: what is refused, what is whole, what is never lost."""

import json
import os
import random
from pathlib import Path

import pytest
import torch

from jumok.errors import UserError
from jumok.training.run import Run, write_tensors

CONFIG = {"task": "toy", "recipe": {}, "model": {}}


def make_run(path: Path) -> Run:
    run = Run.create(path)
    run.write_config(CONFIG)
    run.write_weights(
        {"a": torch.randn(40, 7), "b": torch.randn(3).bfloat16(), "n": torch.tensor(4)}, {"weights": "best"}
    )
    return run


def test_weights_come_back_and_say_which_they_are(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run")
    run.write_config(CONFIG)
    tensors = {
        "a": torch.randn(4, 7).t(),
        "b": torch.randn(3).bfloat16(),
        "n": torch.tensor(4),
        "empty": torch.zeros(0, 3),
    }
    run.write_weights(tensors, {"weights": "ema", "step": "12"})
    again = Run.open(tmp_path / "run")
    assert again.config == {"format": 1, **CONFIG}
    assert {name: tensor.tolist() for name, tensor in again.weights().items()} == {
        n: t.tolist() for n, t in tensors.items()
    }
    assert again.about_weights()["weights"] == "ema"
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "model.safetensors"]


def test_an_existing_run_needs_resume(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    with pytest.raises(UserError, match="already a run; continue it with --resume"):
        Run.create(tmp_path / "run")
    assert Run.create(tmp_path / "run", resume=True).exists


def test_resume_of_nothing_starts_fresh(tmp_path: Path) -> None:
    assert not Run.create(tmp_path / "new" / "run", resume=True).exists
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / ".config.json.x1y2").write_text("{")
    assert not Run.create(tmp_path / "killed").exists


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"not a run \(it holds thesis.tex\)"):
        Run.create(tmp_path)
    with pytest.raises(UserError, match=r"thesis\.tex"):
        Run.create(tmp_path, resume=True)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match=r"cannot use .*run as a run"):
        Run.create(tmp_path / "run")
    with pytest.raises(UserError, match="cannot use"):
        Run.create(tmp_path / "run" / "below")


@pytest.mark.parametrize("name", ["nowhere", "folder"])
def test_open_refuses_what_is_not_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"{name} is not a run"):
        Run.open(tmp_path / name)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run.path / "config.json").write_text(json.dumps({**CONFIG, "format": 2, "jumok": "9.1"}))
    with pytest.raises(UserError, match=r"has format 2, written by Jumok 9\.1"):
        Run.open(run.path)
    with pytest.raises(UserError, match="upgrade"):
        Run.create(run.path, resume=True)


@pytest.mark.parametrize("text", ["", "{", '{"task": "toy"}', "[1]", '{"format": "1"}', "\udcff"])
def test_a_damaged_config_is_named(tmp_path: Path, text: str) -> None:
    run = make_run(tmp_path / "run")
    (run.path / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"config\.json (is damaged|names no format)"):
        Run.open(run.path)


def test_truncated_weights_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = run.path / "model.safetensors"
    whole = path.read_bytes()
    for length in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
            Run.open(run.path).weights()
    path.unlink()
    with pytest.raises(UserError, match="has no weights yet"):
        run.weights()


def test_one_changed_byte_of_the_weights_is_noticed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = run.path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-random.randint(1, 1000)] ^= 1 << random.randint(0, 7)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors is damaged: its content"):
        run.weights()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(3)})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        write_tensors(path, {"a": torch.zeros(3)})
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_what_a_killed_write_left_behind_is_swept_on_resume(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    leftovers = [
        tmp_path / "run" / name for name in (".model.safetensors.x1_abc", ".config.json.ab12", ".tokenizer.json.q")
    ]
    for path in leftovers:
        path.write_bytes(b"half")
    Run.open(tmp_path / "run")
    assert all(path.exists() for path in leftovers)  # reading changes nothing
    run = Run.create(tmp_path / "run", resume=True)
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "model.safetensors"]
