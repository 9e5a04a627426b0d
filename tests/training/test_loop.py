"""The loop with a toy task: what it adds up, keeps, stops at, and says."""

import json
import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.toy import ToyBatch, ToyModel, ToyTask

from jumok.errors import UserError
from jumok.training import loop
from jumok.training.average import mean
from jumok.training.loop import train
from jumok.training.options import TextTraining
from jumok.training.run import Run, read_tensors
from jumok.training.task import Loss
from jumok.training.weights import load_weights, weights_of

CLOCKS = ("tokens_per_second", "minutes")


def options(**values: Any) -> TextTraining:
    usual = {"steps": 12, "learning_rate": 0.01, "warmup": 3, "metric": "val_loss", "log_every": 1, "device": "cpu"}
    return TextTraining.model_validate({**usual, "tensorboard": False, **values})


def go(path: Path, task: ToyTask | None = None, *, resume: bool = False, seed: int = 5, **values: Any) -> Run:
    run = Run.create(path, resume=resume)
    train(task or ToyTask(), options(**values), run, seed=seed, resume=resume)
    return run


def lines(run: Run) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in CLOCKS} for line in read]


def steps_of(run: Run) -> list[dict[str, Any]]:
    return [line for line in lines(run) if "loss" in line]


def scores_of(run: Run) -> list[float]:
    return [line["val_loss"] for line in lines(run) if "val_loss" in line]


def test_it_learns_and_leaves_a_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = go(tmp_path / "run", steps=120, learning_rate=0.03, tensorboard=True)
    first, last = steps_of(run)[0], steps_of(run)[-1]
    assert last["loss"] < first["loss"] / 2
    assert {"step", "epoch", "loss", "accuracy", "gradient_norm", "learning_rate"} == first.keys()
    config = run.config
    assert config["format"] == 1
    assert config["weights"] == "best"
    assert config["precision"] == "32-true"
    assert config["threads"] == torch.get_num_threads()
    assert config["versions"]["torch"] == torch.__version__
    assert config["recipe"]["training"]["steps"] == 120
    assert run.about_weights()["weights"] == "best"
    assert (run.path / "labels.txt").exists()
    assert list((run.path / "tensorboard").glob("events*"))
    assert "done after 120 steps" in capsys.readouterr().out


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    """Sums divided once: 4 batches of 4 unequal samples are 1 batch of 16, which a mean of means would not be."""
    many = go(tmp_path / "many", ToyTask(dropout=0.0, batch=4), accumulate=4)
    one = go(tmp_path / "one", ToyTask(dropout=0.0, batch=16), accumulate=1)
    for small, large in zip(steps_of(many), steps_of(one), strict=True):
        assert small == pytest.approx(large, rel=1e-4)


def test_a_step_is_adamw_with_the_clipped_gradient(tmp_path: Path) -> None:
    task = ToyTask(dropout=0.0)
    run = go(tmp_path / "run", task, steps=1, clip=0.05, warmup=0, weight_decay=0.1, betas=[0.8, 0.95], epsilon=1e-8)
    torch.manual_seed(5)
    model = task.build()
    assert isinstance(model, ToyModel)
    optimizer = torch.optim.AdamW(task.groups(model, 0.1), lr=0.01, betas=(0.8, 0.95), eps=1e-8)
    batch = task.load(task.batches(0)[0], 0)
    loss = task.loss(model, batch)
    (loss.total / loss.weight).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
    optimizer.step()
    assert steps_of(run)[0]["gradient_norm"] == pytest.approx(norm.item())
    assert norm > 0.05
    for name, tensor in run.weights().items():
        torch.testing.assert_close(tensor, model.get_parameter(name).detach(), rtol=1e-5, atol=1e-6)


def test_every_sample_is_seen_once_an_epoch(tmp_path: Path) -> None:
    task = ToyTask(samples=42)
    go(tmp_path / "run", task, steps=None, epochs=2, accumulate=4)
    trained = [batch for batch in task.loaded if len(batch) <= task.batch][1:]  # the first is the largest, tried
    assert trained == [tuple(batch) for epoch in (0, 1) for batch in task.batches(epoch)]


def test_the_largest_batch_is_tried_first_and_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ToyTask(dropout=0.5)
    tried = go(tmp_path / "tried", task)
    assert task.loaded[0] == tuple(task.largest())
    monkeypatch.setattr(loop, "try_largest", lambda *_, **__: None)
    assert lines(go(tmp_path / "untried", ToyTask(dropout=0.5))) == lines(tried)


@pytest.mark.parametrize(
    "message", ["[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory", None]
)
def test_too_large_a_batch_is_said_before_training(tmp_path: Path, message: str | None) -> None:
    class Hungry(ToyTask):
        def loss(self, model: torch.nn.Module, batch: ToyBatch) -> Loss:
            if batch.indices == tuple(self.largest()):
                raise RuntimeError(message) if message else torch.OutOfMemoryError("CUDA out of memory")
            return super().loss(model, batch)

    with pytest.raises(UserError, match=r"lower training.batch_tokens \(now 4096\)"):
        go(tmp_path / "run", Hungry())
    go(tmp_path / "run")  # nothing was written, so the folder is still free


def test_validation_changes_nothing(tmp_path: Path) -> None:
    often, seldom = go(tmp_path / "often", validate_every=1), go(tmp_path / "seldom", validate_every=12)
    assert len(scores_of(often)) == 12
    assert len(scores_of(seldom)) == 1
    assert steps_of(often) == steps_of(seldom)


def test_the_best_is_kept_and_patience_ends(tmp_path: Path) -> None:
    task = ToyTask(scores=[3.0, 2.0, math.nan, 2.5, 2.0, 9.0, 9.0, 1.0])
    run = go(tmp_path / "run", task, steps=30, validate_every=2, patience=4)
    assert steps_of(run)[-1]["step"] == 12  # the best at 4, then four that are not better
    assert run.about_weights() | {"sha256": ""} == {"weights": "best", "step": "4", "val_loss": "2.0", "sha256": ""}
    assert run.config["kept"] == {"step": 4, "val_loss": 2.0}
    short = go(tmp_path / "short", ToyTask(scores=[1.0]), steps=4, validate_every=4)
    assert all(torch.equal(short.weights()[name], tensor) for name, tensor in run.weights().items())


def test_patience_is_remembered(tmp_path: Path) -> None:
    go(tmp_path / "run", ToyTask(scores=[1.0, 2.0, 2.0]), steps=6, validate_every=2, patience=4)
    run = go(tmp_path / "run", ToyTask(scores=[2.0]), resume=True, steps=30, validate_every=2, patience=4)
    assert steps_of(run)[-1]["step"] == 10


def test_the_moving_average_is_validated_and_kept(tmp_path: Path) -> None:
    run = go(tmp_path / "run", ema=0.9, keep=1)
    assert run.config["weights"] == "ema"
    snapshot = run.path / "state" / "step-12"
    average, raw = read_tensors(snapshot / "ema.safetensors"), read_tensors(snapshot / "model.safetensors")
    assert not torch.equal(average["mix.weight"], raw["mix.weight"])
    assert all(torch.equal(average[name], tensor) for name, tensor in run.weights().items())
    task, model = ToyTask(), ToyModel(8, 0.1).eval()
    model.load_state_dict({**average, "again.weight": average["mix.weight"]})
    with torch.no_grad():
        assert task.validate(model, lambda _: None)["val_loss"] == pytest.approx(scores_of(run)[-1])


def test_the_mean_of_the_last_is_tried_and_kept_if_better(tmp_path: Path) -> None:
    # five validations of training, the sixth is of the mean
    run = go(tmp_path / "run", ToyTask(scores=[5.0, 4.0, 3.0, 3.0, 3.5, 1.0]), steps=10, validate_every=2, average=3)
    assert run.config["weights"] == "averaged"
    assert lines(run)[-1] == {"step": 10, "epoch": 0, "averaged_val_loss": 1.0}
    expected = mean(read_tensors(run.path / "state" / "averages" / f"step-{step}.safetensors") for step in (6, 8, 10))
    assert all(torch.equal(expected[name], tensor) for name, tensor in run.weights().items())
    worse = go(tmp_path / "worse", ToyTask(scores=[1.0, 1.0, 2.0]), steps=4, validate_every=2, average=2)
    assert worse.config["weights"] == "best"


@pytest.mark.parametrize("when", ["first", "later"])
def test_a_loss_that_is_no_number_stops(tmp_path: Path, when: str) -> None:
    order = [sample for batch in ToyTask().batches(0) for sample in batch]
    poison = order[0 if when == "first" else 4 * 6 + 1]  # in batch 1 or batch 7
    with pytest.raises(UserError, match="loss became nan") as caught:
        go(tmp_path / "run", ToyTask(poison=poison), save_every=2)
    message = str(caught.value)
    assert f"step {1 if when == 'first' else 7}, batch {1 if when == 'first' else 7} of epoch 1" in message
    assert str(poison) in message.partition("samples ")[2]
    run = Run(tmp_path / "run")
    if when == "later":
        assert "the last good state, step-6, is kept" in message
        assert all(torch.isfinite(tensor).all() for tensor in run.weights().values())
        assert [line["step"] for line in steps_of(run)] == [1, 2, 3, 4, 5, 6]
        assert steps_of(go(run.path, ToyTask(), resume=True)) == steps_of(
            go(tmp_path / "healthy", ToyTask(), save_every=2)
        )


def test_a_gradient_that_is_no_number_stops(tmp_path: Path) -> None:
    class Steep(ToyTask):
        def loss(self, model: torch.nn.Module, batch: ToyBatch) -> Loss:
            loss = super().loss(model, batch)
            return Loss(loss.total + 0.0 * torch.sqrt(loss.total * 0.0), loss.weight)  # 0, with an infinite slope

    with pytest.raises(UserError, match="gradient became nan at step 1, batches 1-2 of epoch 1"):
        go(tmp_path / "run", Steep(), accumulate=2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wish_to_stop_finishes_the_step_and_saves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    class Impatient(ToyTask):
        def loss(self, model: torch.nn.Module, batch: ToyBatch) -> Loss:
            if len(self.loaded) == 8:  # the largest, a validation, and the sixth step
                os.kill(os.getpid(), number)
            return super().loss(model, batch)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run", Impatient(), save_every=0, validate_every=3)
    assert "stopped after step 6; saved in" in capsys.readouterr().out
    assert signal.getsignal(number) is before
    run = go(tmp_path / "run", resume=True, save_every=0, validate_every=3)
    assert lines(run) == lines(go(tmp_path / "whole", save_every=0, validate_every=3))


def test_a_step_of_muon_has_equal_singular_values(tmp_path: Path) -> None:
    """``0.2 sqrt(max(n, m))`` times a matrix whose singular values are about 1, which is as far as AdamW would go."""
    task = ToyTask(dropout=0.0, dim=32)
    run = go(tmp_path / "run", task, steps=1, warmup=0, optimizer="muon", learning_rate=0.01)
    torch.manual_seed(5)
    before = weights_of(task.build())
    moved = run.weights()["mix.weight"] - before["mix.weight"]
    values = torch.linalg.svdvals(moved.double()) / (0.01 * 0.2 * 32**0.5)
    assert 0.9 < values[0] < 1.3
    assert values[:8].min() > 0.6  # Newton-Schulz brings all but the smallest there; AdamW's first step has one of 5.7
    bias = run.weights()["output.bias"] - before["output.bias"]
    torch.testing.assert_close(bias.abs(), torch.full((4,), 0.01), rtol=1e-3, atol=1e-6)  # AdamW's first step


def test_muon_resumes_bit_for_bit(tmp_path: Path) -> None:
    whole = go(tmp_path / "whole", steps=16, optimizer="muon")
    go(tmp_path / "parts", steps=8, optimizer="muon")
    parts = go(tmp_path / "parts", steps=16, optimizer="muon", resume=True)
    assert steps_of(parts) == steps_of(whole)
    assert all(torch.equal(parts.weights()[name], tensor) for name, tensor in whole.weights().items())


def test_the_state_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    go(tmp_path / "run", steps=4)
    before = (tmp_path / "run" / "config.json").read_text()
    with pytest.raises(UserError, match=r"another training\.optimizer"):
        go(tmp_path / "run", steps=8, optimizer="muon", resume=True)
    assert (tmp_path / "run" / "config.json").read_text() == before


def test_muon_without_matrices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Transformer blocks"):
        go(tmp_path / "run", ToyTask(matrices=False), optimizer="muon")


def test_changed_options_are_reported_and_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go(tmp_path / "run", steps=6)
    run = go(tmp_path / "run", ToyTask(dropout=0.0), resume=True, steps=12, schedule="constant")
    said = capsys.readouterr().out
    assert "changed since the last session: training.schedule: inverse_sqrt -> constant" in said
    assert "changed since the last session: training.steps: 6 -> 12" in said
    assert "changed since the last session: dropout: 0.1 -> 0.0" in said
    assert [line["learning_rate"] for line in steps_of(run)[6:]] == [0.01] * 6
    assert run.config["recipe"]["training"]["schedule"] == "constant"


@pytest.mark.parametrize(
    ("change", "named"), [({"dim": 9}, "model.dim: 8 -> 9"), ({"samples": 52}, "data.hash: 48 -> 52")]
)
def test_changes_that_make_resuming_meaningless_are_refused(tmp_path: Path, change: dict[str, int], named: str) -> None:
    go(tmp_path / "run", steps=3)
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(UserError, match=f"cannot resume with another {named}"):
        go(tmp_path / "run", ToyTask(**change), resume=True)  # type: ignore[arg-type]
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_other_batches_continue_at_the_same_share_of_the_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go(tmp_path / "run", steps=6)  # half of 12 batches
    task = ToyTask(batch=8)
    run = go(tmp_path / "run", task, resume=True, steps=9)
    assert "continuing at the same share of epoch 1" in capsys.readouterr().out
    assert [line["epoch"] for line in steps_of(run)][6:] == [0, 0, 1]
    assert tuple(task.batches(0)[3]) in task.loaded
    assert tuple(task.batches(0)[2]) not in task.loaded


def test_a_damaged_state_falls_back_to_the_same_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = go(tmp_path / "run", save_every=4, validate_every=5)
    expected = lines(whole)
    newest = whole.path / "state" / "step-12" / "optimizer.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    run = go(tmp_path / "run", resume=True, save_every=4, validate_every=5)
    assert "step-12 is damaged (optimizer.safetensors is not what was written)" in capsys.readouterr().out.replace(
        "\n", " "
    )
    assert lines(run) == expected


def test_damaged_weights_are_named_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = go(tmp_path / "run", save_every=4, validate_every=5).path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:10])
    run = go(tmp_path / "run", resume=True, save_every=4, validate_every=5)
    assert "model.safetensors is damaged" in capsys.readouterr().out.replace("\n", " ")
    assert run.weights()


def test_a_full_disk_ends_with_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def full(source: str, target: Path) -> None:
        if Path(target).name == "step-4":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(
        UserError, match=r"cannot save step 4 .* No space left on device; the last good state is step-2"
    ):
        go(tmp_path / "run", save_every=2)
    monkeypatch.undo()
    assert lines(go(tmp_path / "run", resume=True)) == lines(go(tmp_path / "whole"))


def test_minutes_are_counted_over_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def tick() -> float:
        nonlocal now
        now += 1.0  # every look at the clock is a second
        return now

    monkeypatch.setattr(time, "monotonic", tick)
    whole = go(tmp_path / "whole", steps=None, minutes=1.0, save_every=1)
    first = go(tmp_path / "run", steps=None, minutes=0.5, save_every=1)
    count = len(steps_of(first))
    assert 0 < count < len(steps_of(whole))
    again = go(tmp_path / "run", resume=True, steps=None, minutes=1.0, save_every=1)
    assert abs(len(steps_of(again)) - len(steps_of(whole))) <= 2


def test_weights_of_another_run_start_this_one(tmp_path: Path) -> None:
    source = go(tmp_path / "source")
    run = Run.create(tmp_path / "run")
    train(ToyTask(scores=[1.0], begin=source), options(steps=1, learning_rate=1e-12), run, seed=1)
    for name, tensor in source.weights().items():
        torch.testing.assert_close(run.weights()[name], tensor)
    with pytest.raises(UserError, match=r"6 of another shape: hidden.weight is \[8, 6\], wanted \[12, 6\]"):
        train(ToyTask(dim=12, begin=source), options(), Run.create(tmp_path / "wide"), seed=1)


def test_weights_that_do_not_fit_are_listed() -> None:
    model, tensors = ToyModel(8, 0.0), weights_of(ToyModel(8, 0.0))
    assert "again.weight" not in tensors, "tied weights are stored once"
    tensors["head.scale"] = tensors.pop("hidden.bias")
    with pytest.raises(UserError, match=r"1 missing: hidden\.bias; 1 surplus: head\.scale"):
        load_weights(model, tensors, "RUN")


def test_no_data_is_said_before_training(tmp_path: Path) -> None:
    class Empty(ToyTask):
        def batches(self, epoch: int) -> list[list[int]]:
            return []

    with pytest.raises(UserError, match="nothing to train on"):
        go(tmp_path / "run", Empty())


def test_an_unknown_metric_is_said_before_training(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bleu"):
        go(tmp_path / "run", metric="bleu")
    assert not list((tmp_path / "run").iterdir())


def test_bf16_is_stored_and_trains(tmp_path: Path) -> None:
    run = go(tmp_path / "run", precision="bf16", steps=2)
    assert run.config["precision"] == "bf16-mixed"
    assert all(tensor.dtype == torch.float32 for tensor in run.weights().values())


def test_a_gpu_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"training\.device=cpu"):
        go(tmp_path / "run", device="cuda")
