"""Law: a run killed anywhere and resumed gives the same losses, bit for bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
def test_twenty_kills_change_nothing(tmp_path: Path, seed: int) -> None:
    """SIGKILL after random times and at random fsyncs and renames; then all is compared with an unbroken run."""
    command = [sys.executable, str(ROOT / "tests/training/lives.py"), str(tmp_path), str(seed), "20"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["kills"] == 20
    assert 0 < result["at_call"] < 20, "both kinds of kill were drawn"
    assert result["lines"] >= 30, "the whole log was compared"
    assert result["equal"], f"losses, scores or weights differ after the kills of seed {seed}"
