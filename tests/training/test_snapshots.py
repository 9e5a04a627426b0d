"""Saved states: whole or not at all, the newest good one used, old ones dropped."""

import errno
import os
import random
from pathlib import Path

import pytest
import torch

from jumok.errors import UserError
from jumok.training.progress import Progress
from jumok.training.snapshots import Snapshots


def save(snapshots: Snapshots, step: int, keep: int = 3, members: list[str] | None = None) -> dict[str, torch.Tensor]:
    tensors = {"w": torch.randn(50), "b": torch.tensor(float(step))}
    progress = Progress(step=step, members=members or [])
    snapshots.save(progress, {"model": tensors, "optimizer": {}}, [{}], step, keep)
    return tensors


def names(snapshots: Snapshots) -> list[str]:
    return sorted(path.name for path in snapshots.folder.iterdir())


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "state")
    assert snapshots.load(pytest.fail) is None
    tensors = save(snapshots, 7)
    loaded = snapshots.load(pytest.fail)
    assert loaded is not None
    assert Progress(**loaded.state["progress"]).step == 7
    assert all(torch.equal(loaded.tensors("model")[name], tensors[name]) for name in tensors)
    assert loaded.tensors("ema") == {}


def test_the_last_ones_are_kept_and_averages_with_them(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "state")
    members: list[str] = []
    for step in (2, 10, 100, 1000):
        members = [*members, snapshots.add_average(step, {"w": torch.ones(1)})][-2:]
        save(snapshots, step, keep=2, members=members)
    assert names(snapshots) == ["averages", "latest", "step-100", "step-1000"]
    kept = sorted(path.name for path in (tmp_path / "state" / "averages").iterdir())
    assert kept == ["step-10.safetensors", "step-100.safetensors", "step-1000.safetensors"]  # step 100's state lists 10


def test_a_step_saved_twice_never_touches_the_first(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "state")
    save(snapshots, 5)
    second = save(snapshots, 5)
    assert names(snapshots) == ["latest", "step-5", "step-5-1"]
    loaded = snapshots.load(pytest.fail)
    assert loaded is not None
    assert torch.equal(loaded.tensors("model")["w"], second["w"])


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "no checksums", "no folder"])
def test_a_damaged_state_is_named_and_the_one_before_used(tmp_path: Path, damage: str) -> None:
    snapshots = Snapshots(tmp_path / "state")
    first = save(snapshots, 5)
    save(snapshots, 9)
    newest = tmp_path / "state" / "step-9"
    victim = newest / random.choice(["model.safetensors", "state.json"])
    content = bytearray(victim.read_bytes())
    if damage == "flip":
        content[random.randrange(len(content))] ^= 1
        victim.write_bytes(content)
    elif damage == "cut":
        victim.write_bytes(content[: random.randrange(len(content))])
    elif damage == "remove":
        victim.unlink()
    elif damage == "no checksums":
        (newest / "checksums.json").unlink()
    else:
        for file in newest.iterdir():
            file.unlink()
        newest.rmdir()
    warnings: list[str] = []
    loaded = snapshots.load(warnings.append)
    assert loaded is not None
    assert torch.equal(loaded.tensors("model")["w"], first["w"])
    assert len(warnings) == 1
    assert "step-9 is damaged" in warnings[0]
    save(snapshots, 7)  # the next save clears the future that was given up
    assert names(snapshots) == ["latest", "step-5", "step-7"]


def test_nothing_whole_is_an_error_not_a_fresh_start(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "state")
    save(snapshots, 5)
    (tmp_path / "state" / "step-5" / "optimizer.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"no saved state in .* is whole"):
        snapshots.load(lambda _: None)


def test_a_full_disk_keeps_the_last_good_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = Snapshots(tmp_path / "state")
    first = save(snapshots, 5)
    count = 0
    for name in ("replace", "fsync"):
        for fails_at in range(1, 8):
            calls = 0

            def full(*arguments: object, real: object = getattr(os, name), at: int = fails_at) -> None:
                nonlocal calls
                calls += 1
                if calls == at:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                real(*arguments)  # type: ignore[operator]

            with monkeypatch.context() as patch:
                patch.setattr(os, name, full)
                try:
                    save(snapshots, 9)
                except UserError as error:
                    count += 1
                    assert "No space left on device" in str(error)  # noqa: PT017
                    assert "last good state is step-5" in str(error)  # noqa: PT017
            loaded = snapshots.load(pytest.fail)
            assert loaded is not None
            if loaded.folder.name == "step-5":
                assert torch.equal(loaded.tensors("model")["w"], first["w"])
                assert not list((tmp_path / "state").glob(".writing-*"))
            else:  # this many calls never fail: the save went through, so begin again
                snapshots = Snapshots(tmp_path / f"{name}-{fails_at}" / "state")
                first = save(snapshots, 5)
                tmp_path = tmp_path / f"{name}-{fails_at}"
    assert count > 8


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(UserError, match=r"cannot save step 3 .* no state was saved before"):
        save(Snapshots(tmp_path / "state"), 3)
