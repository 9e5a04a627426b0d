"""The training loop: one function, read from top to bottom, for every task.

Exact resume: a run killed at any moment and continued gives the same losses, gradient norms, scores and weights, bit
for bit, on the CPU, with the same versions, precision, threads and number of processes (the run stores them all). On a
GPU the same state is restored, but kernels that add up in varying order may round differently.
"""

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial

import torch

from jumok.errors import UserError
from jumok.training import randomness
from jumok.training.average import MovingAverage
from jumok.training.describe import changes, describe, surroundings
from jumok.training.display import Display
from jumok.training.interrupt import Stop
from jumok.training.loading import deal, loaded, processes_to_load
from jumok.training.logs import Logs
from jumok.training.optimizers import load_optimizers, optimizer_tensors, optimizers, parts_of
from jumok.training.options import TrainingOptions
from jumok.training.processes import PRECISIONS, deterministic, device_type, first_only, gather, start
from jumok.training.progress import Progress
from jumok.training.run import Run
from jumok.training.schedule import learning_rate, planned_steps
from jumok.training.snapshots import Snapshots
from jumok.training.steps import Whole, check_finite, keep_weights, score, try_average, try_largest
from jumok.training.task import B, Task
from jumok.training.weights import load_weights, weights_of


def train(task: Task[B], options: TrainingOptions, run: Run, *, seed: int, resume: bool = False) -> None:
    r"""Train `task` into `run` until a limit of `options`; the weights to use end in ``model.safetensors``.

    A step's gradient is :math:`\sum_b \nabla L_b / \sum_b w_b` over the ``accumulate`` batches :math:`b` of every
    process, :math:`L_b` being the summed loss and :math:`w_b` the weight. With `resume` the run continues from its
    newest whole state, if it has one. Ctrl-C or SIGTERM finishes the step, saves, and raises `KeyboardInterrupt`.

    Raises `UserError` for what a user can mend: options that do not fit the saved state, a batch too large for the
    memory, a loss that is no number (the last good state stays), a full disk.
    """
    # Where it runs. What an earlier session resolved is kept, so that the numbers continue exactly.
    higher = task.higher_is_better(options.metric)
    stored = run.config if resume and run.exists else {}
    described = describe(task.describe(), options)
    changed = changes(stored, described) if stored else []
    precision = PRECISIONS.get(options.precision) or stored.get("precision") or task.precision(device_type(options))
    threads = stored.get("threads") if stored.get("processes") == options.devices else None
    fabric = start(options, precision, options.threads or threads)
    rank, world = fabric.global_rank, fabric.world_size
    config = described | surroundings(precision, torch.get_num_threads(), world) | {"weights": stored.get("weights")}

    with deterministic(fabric.device.type), Stop() as stop:
        # What is trained, fresh.
        randomness.seed_all(seed)
        model = task.build()
        snapshots = Snapshots(run.path / "state")
        notes = [f"changed since the last session: {line}" for line in changed]
        snapshot = snapshots.load(notes.append) if resume else None
        weights_file = run.path / "model.safetensors"
        if resume and weights_file.exists() and not snapshots.folder.exists():
            raise UserError(
                f"{run.path} has weights, but its saved states are gone ({snapshots.folder}): it cannot be resumed; "
                f"choose another run=, with from={run.path} to begin with these weights"
            )
        if snapshot is None:
            task.start(model)
        module = fabric.setup_module(Whole(model))
        steppers = optimizers(task.groups(model, options.weight_decay), options)
        parameters = [parameter for part in parts_of(steppers) for parameter in part["params"]]
        average = MovingAverage(model, options.ema) if options.ema else None
        kept = model if average is None else average.model  # the weights that are validated and kept
        per_epoch = math.ceil(len(task.batches(0)) / (options.accumulate * world))
        if not per_epoch:
            raise UserError("there is nothing to train on: the first epoch has no batch; look at the data report above")
        planned = planned_steps(options, per_epoch)
        loaders = processes_to_load(options.loaders, fabric.device.type)
        progress, lines, damaged = Progress(), 0, False
        randomness.seed_all((seed + 1) * 1_000_003 + rank)

        # The saved state over it.
        if snapshot is not None:
            notes.append(f"continuing from {snapshot.folder}")
            progress, lines = Progress(**snapshot.state["progress"]), snapshot.state["lines"]
            load_weights(model, snapshot.tensors("model"), str(snapshot.folder))
            load_optimizers(model, steppers, snapshot.tensors("optimizer"))
            if average is not None:  # switched on only now, it starts from the weights
                load_weights(kept, snapshot.tensors("ema") or snapshot.tensors("model"), str(snapshot.folder))
            if weights_file.exists():
                try:
                    run.weights()
                except UserError as error:
                    notes.append(f"{error}; until the next validation those of the saved state stand in")
                    progress.best, damaged = None, True
            if rank < len(snapshot.state["random"]):
                randomness.restore(snapshot.state["random"][rank], fabric.device)

        # The largest batch before anything is written: a run that starts does not run out of memory an hour later.
        try_largest(task, fabric, module, parameters, options, fresh=snapshot is None)
        logs = Logs(run.path, options.tensorboard)
        first_only(fabric, snapshots.begin)
        first_only(fabric, run.write_config, config)
        first_only(fabric, task.snapshot, run.path)
        first_only(fabric, logs.start, lines, progress.step)
        if damaged:
            first_only(fabric, keep_weights, run, kept, "last", progress, {})

        def save() -> None:
            tensors = {"model": weights_of(model), "optimizer": optimizer_tensors(model, steppers)}
            if average is not None:
                tensors["ema"] = weights_of(average.model)
            random = gather(fabric, randomness.capture(fabric.device))
            first_only(fabric, snapshots.save, progress, tensors, random, logs.lines, options.keep)
            if progress.best is None:  # nothing better is known yet, so the run is usable with these
                first_only(fabric, keep_weights, run, kept, "last", progress, {})

        with Display(progress.share(options), fabric.is_global_zero, options.UNIT) as display:
            for note in notes:
                display.note(note)
            batches: Sequence[list[int]] = []
            loads: Iterator[B] = iter(())
            began = time.monotonic() - progress.seconds
            stopping, saved, units, busy = False, progress.step, 0.0, 0.0
            while True:
                # Between two steps: stop, validate, save, end.
                if stopping:
                    save()
                    display.note(f"stopped after step {progress.step}; saved in {run.path}, continue with --resume")
                    raise KeyboardInterrupt if fabric.is_global_zero else SystemExit(0)
                if progress.validation_due(options):
                    scores = first_only(fabric, score, task, kept, fabric, options.metric, display.activity)
                    first_only(fabric, logs.write, {"step": progress.step, "epoch": progress.epoch, **scores})
                    display.scores(progress.step, scores)
                    if progress.judge(scores[options.metric], higher):
                        label = "best" if average is None else "ema"
                        first_only(fabric, keep_weights, run, kept, label, progress, scores)
                    if options.average:
                        member = first_only(fabric, snapshots.add_average, progress.step, weights_of(model))
                        progress.members = [*progress.members, member][-options.average :]
                    save()
                    saved = progress.step
                elif options.save_every and progress.step % options.save_every == 0 and progress.step > saved:
                    save()
                    saved = progress.step
                if progress.finished(options):
                    break

                # This step's batches: the next ones of the epoch, dealt out to the processes.
                if not batches:
                    batches = task.batches(progress.epoch)
                    if not progress.enter(batches):
                        display.note(f"the batches changed; continuing at the same share of epoch {progress.epoch + 1}")
                    deals = deal(batches[progress.position :], options.accumulate, rank, world)
                    loads = loaded(task, progress.epoch, deals, loaders)
                dealt = batches[progress.position : progress.position + options.accumulate * world]
                mine, turns = dealt[rank::world], math.ceil(len(dealt) / world)
                started = time.monotonic()

                # Gradients of the summed loss. A process without a batch in the last turn takes part with weight 0.
                model.zero_grad(set_to_none=True)
                sums: list[torch.Tensor] = []
                names: tuple[str, ...] = ()
                for turn in range(turns):
                    share = 1.0 if turn < len(mine) else 0.0
                    batch = next(loads).to(fabric.device)
                    with fabric.no_backward_sync(module, enabled=turn < turns - 1):
                        total, weight, metrics = module(partial(task.loss, model, batch))
                        fabric.backward(total * share)
                    sums.append(torch.stack([total.detach(), weight, *metrics.values()]).double() * share)
                    names = tuple(metrics)

                # One reduction carries the sums, the wish to stop, and the first process's clock.
                clock = [float(stop.requested), time.monotonic() - began if rank == 0 else 0.0]
                vector = torch.cat([torch.stack(sums).sum(0), torch.tensor(clock).to(sums[0])])
                vector = torch.as_tensor(fabric.all_reduce(vector, reduce_op="sum"))

                # Divided once by the weight of all (DDP has taken the mean over processes), checked, clipped.
                gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
                norm = torch.nn.utils.get_total_norm(gradients) * (world / vector[1])
                loss, weighed, *extra, votes, seconds, length = torch.cat([vector, norm.double()[None]]).tolist()
                check_finite(loss, length, sums, dealt, mine, progress, fabric, snapshots)
                clipped = min(1.0, options.clip / (length + 1e-6)) if options.clip else 1.0
                torch._foreach_mul_(gradients, clipped * world / weighed)

                rate = learning_rate(options, progress.step + 1, planned)
                for part in parts_of(steppers):
                    part["lr"] = rate * part.get("scale", 1.0)
                for stepper in steppers:
                    stepper.step()
                progress.advance(len(dealt))
                if average is not None:
                    average.update(model, progress.step)
                if progress.position == 0:
                    batches = []

                # What it says.
                stopping, progress.seconds = votes > 0, seconds
                units, busy = units + weighed, busy + time.monotonic() - started
                progress.add({"loss": loss, "weight": weighed, **dict(zip(names, extra, strict=True))})
                display.step(progress.step, progress.epoch, loss / weighed, units / busy, progress.share(options))
                if progress.step % options.log_every == 0:
                    line = {"step": progress.step, "epoch": progress.epoch, **progress.means(), "gradient_norm": length}
                    line |= {"learning_rate": rate, f"{options.UNIT}_per_second": units / busy, "minutes": seconds / 60}
                    first_only(fabric, logs.write, line)
                    progress.window, units, busy = {}, 0.0, 0.0

            if len(progress.members) > 1:
                state = (run, progress, snapshots, logs, display)
                first_only(fabric, partial(try_average, task, model, fabric, options.metric, higher, *state))
            first_only(fabric, logs.close)
            best = (
                f"{options.metric} {math.nan if progress.best is None else progress.best:.4g} at {progress.best_step}"
            )
            display.note(f"done after {progress.step} steps, best {best}; the run is {run.path}")
