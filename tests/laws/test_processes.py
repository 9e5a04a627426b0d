"""Law: a step gives the same gradient whether one process adds up four batches or two processes two each."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import pair

from jumok.training.run import Run

ROOT = Path(__file__).parents[2]
CLOCKS = ("tokens_per_second", "minutes")


def lines_of(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in CLOCKS} for line in lines]


def run_two_processes(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, str(ROOT / "tests/training/pair.py"), str(folder), "2", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=140)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return lines_of(folder)


@pytest.mark.timeout(300)
def test_two_processes_give_the_gradients_of_one(tmp_path: Path) -> None:
    # 36 samples are 9 batches: the third step of each epoch has one batch, so that one of the processes has none
    pair.main(tmp_path / "one", 1, 4, 7, 36, 0.0, False)
    alone, both = lines_of(tmp_path / "one"), run_two_processes(tmp_path / "two", "2", "7", "36", "0")
    assert [line["step"] for line in alone] == [1, 2, 3, 3, 4, 5, 6, 6, 7, 7]
    for one, two in zip(alone, both, strict=True):
        assert one == pytest.approx(two, rel=1e-5)
    ours, theirs = Run.open(tmp_path / "one").weights(), Run.open(tmp_path / "two").weights()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-6)


@pytest.mark.timeout(300)
def test_two_processes_resume_exactly(tmp_path: Path) -> None:
    whole = run_two_processes(tmp_path / "run", "1", "10", "48", "0.2")
    weights = Run.open(tmp_path / "run").weights()
    (tmp_path / "run" / "state" / "latest").write_text("step-3")
    for later in ("step-6", "step-9", "step-10"):
        shutil.rmtree(tmp_path / "run" / "state" / later)
    assert run_two_processes(tmp_path / "run", "1", "10", "48", "0.2", "--resume") == whole
    again = Run.open(tmp_path / "run").weights()
    assert all(torch.equal(again[name], weights[name]) for name in weights)
