"""The laboratory: every experiment in turn, its figures, its numbers, and one page that tells the story."""

import json
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from jumok.config import Config
from jumok.data.text import read_parallel
from jumok.errors import UserError
from jumok.files import atomic_write
from jumok.lab import (
    bottleneck,
    context,
    gates,
    gradients,
    looking,
    memory,
    needs,
    price,
    quality,
    recency,
    saturation,
)
from jumok.lab.figures import canvas
from jumok.lab.finding import Finding, Setting
from jumok.lab.report import Section, report
from jumok.lab.rivals import every_rival, lessons, trained_rival
from jumok.lab.sentences import own_sentences
from jumok.tasks.runs import run_path, translator_config
from jumok.training.run import Run

Name = Literal[
    "memory", "gradients", "saturation", "gates", "recency", "bottleneck",
    "price", "needs", "quality", "looking", "context",
]  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """One experiment: `rivals`, by name and seed, are trained before it; it runs `alone` if it measures time."""

    title: str
    run: Callable[[Setting], Finding]
    rivals: Callable[[Setting], Sequence[tuple[str, int]]] | None = None
    alone: bool = False


# in the order of the story: what recurrence loses, what gates mend, what one vector holds, what attention needs
EXPERIMENTS: dict[Name, Experiment] = {
    "memory": Experiment(memory.TITLE, memory.run),
    "gradients": Experiment(gradients.TITLE, gradients.run),
    "saturation": Experiment(saturation.TITLE, saturation.run),
    "gates": Experiment(gates.TITLE, gates.run, rivals=gates.rivals),
    "recency": Experiment(recency.TITLE, recency.run),
    "bottleneck": Experiment(bottleneck.TITLE, bottleneck.run, rivals=every_rival),
    "price": Experiment(price.TITLE, price.run, alone=True),
    "needs": Experiment(needs.TITLE, needs.run),
    "quality": Experiment(quality.TITLE, quality.run, rivals=every_rival),
    "looking": Experiment(looking.TITLE, looking.run, rivals=every_rival),
    "context": Experiment(context.TITLE, context.run),
}


class LabData(Config):
    """Sentences: those that score the given runs, and a person's own."""

    folder: str | None = Field(None, description="folder with the test files; empty: that of the first run")
    test: str = Field("test_2016_flickr", description="name of the test files without the ending")
    sentences: str | None = Field(
        None, description="your own for words in context: lines of sentence, word, meaning and cue, tabs between"
    )


class CompareRecipe(Config):
    """What the laboratory does: one YAML file, or ``key=value`` on the command line."""

    task: Literal["compare"] = Field("compare", description="the job")
    run: str = Field(description="the folder to write report.html, figures/ and results.json to")
    runs: str = Field("", description="trained translators, RUN,RUN,...; empty: small ones are trained here")
    data: LabData = Field(default_factory=lambda: LabData.model_validate({}), description="sentences")
    experiments: list[Name] = Field(default_factory=lambda: list(EXPERIMENTS), description="which, in which order")
    seeds: list[int] = Field(default_factory=lambda: [1, 2, 3], min_length=1, description="one repetition each")
    quick: bool = Field(False, description="small versions of all, with the same shapes")


@dataclass(frozen=True)
class Compared:
    """Where the report is, and by title why an experiment has failed."""

    page: Path
    failed: Mapping[str, str]


def compare(recipe: CompareRecipe, say: Callable[[str], None] = print) -> Compared:
    """Run the experiments of `recipe` and write the report.

    What is finished is on disk after each experiment; started again, finished ones are not repeated. An experiment
    that fails is named in the report and in what is returned, and the others go on. Raises `UserError` for a run or
    test file that is missing.
    """
    folder = Path(recipe.run)
    canvas()  # without matplotlib nothing can be drawn: now, not after the first hour
    runs, test = _given(recipe)
    sentences = own_sentences(recipe.data.sentences) if recipe.data.sentences else ()
    figures = folder / "figures"
    _prepare(figures)
    seeds = recipe.seeds[:2] if recipe.quick else recipe.seeds
    setting = Setting(
        quick=recipe.quick, seeds=seeds, folder=folder, runs=runs, test=test, sentences=sentences, say=say
    )
    asked = {"quick": recipe.quick, "seeds": list(seeds), "runs": recipe.runs, "data": recipe.data.model_dump()}
    results = _finished(folder / "results.json", asked)
    todo = []
    for name in recipe.experiments:
        if name in results["experiments"]:
            say(f"{EXPERIMENTS[name].title}: kept from {folder / 'results.json'}")
        else:
            todo.append(name)
    _write(folder, results, recipe)  # from now on the folder is this laboratory's
    with closing(side_by_side(setting, todo, figures)) as outcomes:
        for name, outcome in outcomes:
            results["failed" if isinstance(outcome, str) else "experiments"][name] = outcome
            _write(folder, results, recipe)
            told = f"failed, {outcome}" if isinstance(outcome, str) else outcome["shows"]
            say(f"{EXPERIMENTS[name].title}: {told}")
    _write(folder, results, recipe)
    return Compared(folder / "report.html", {EXPERIMENTS[name].title: why for name, why in results["failed"].items()})


def side_by_side(
    setting: Setting, names: Sequence[Name], figures: Path
) -> Generator[tuple[Name, dict[str, Any] | str]]:
    """Each experiment's stored finding, or why it failed, as they end: one process a core, with one thread each.

    The small models of the laboratory gain nothing from a second thread. Raises `UserError` if a process is killed.
    """
    cores = torch.get_num_threads()
    quiet = replace(setting, say=_say)
    tasks = [name for name in names if not EXPERIMENTS[name].alone]
    needed = {name: rivals(setting) for name in tasks if (rivals := EXPERIMENTS[name].rivals) is not None}
    trained = list(dict.fromkeys(each for some in needed.values() for each in some))
    with _workers(max(1, min(cores, len(tasks) + len(trained)))) as pool:
        if trained:
            lessons(setting.folder)  # written once, before several ask for it
        ready = [pool.submit(_train, quiet, *each) for each in trained]
        first = [name for name in tasks if name not in needed]
        running = {pool.submit(_measure, EXPERIMENTS[name].run, quiet, figures, 1): name for name in first}
        wait(ready)  # what went wrong there is told by the experiments that need it
        later = [name for name in tasks if name in needed]
        running |= {pool.submit(_measure, EXPERIMENTS[name].run, quiet, figures, 1): name for name in later}
        for done in as_completed(running):
            yield running[done], done.result()
        for name in names:
            if EXPERIMENTS[name].alone:
                yield name, pool.submit(_measure, EXPERIMENTS[name].run, quiet, figures, cores).result()


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with the block, and soon if it is left by an error."""
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_obedient)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        _end(multiprocessing.active_children())
        if isinstance(error, BrokenProcessPool):
            raise UserError(
                "a process of the laboratory was killed from outside, most often for want of memory; what is finished "
                "is kept: start it again (with OMP_NUM_THREADS=1 one experiment runs at a time)"
            ) from error
        raise
    pool.shutdown()


def _end(processes: Sequence[BaseProcess], patience: float = 5.0) -> None:
    """End `processes`: a training saves where it stands; what then goes on to its next task is killed."""
    deadline = time.monotonic() + patience
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        process.kill()


def _obedient() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process ends the others
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End with the first process, even if that was killed: an orphan would hold its core and memory for ever."""
    first = multiprocessing.parent_process()
    assert first is not None
    first.join()
    os._exit(1)


def _say(line: str) -> None:
    print(line, flush=True)


def _train(setting: Setting, name: str, seed: int) -> None:
    torch.set_num_threads(1)
    trained_rival(setting, name, seed)


def _measure(run: Callable[[Setting], Finding], setting: Setting, figures: Path, threads: int) -> dict[str, Any] | str:
    """In a worker: the finding as plain values, its figures written; one broken experiment must not cost the others."""
    torch.set_num_threads(threads)
    start = time.monotonic()
    try:
        kept = _kept(run(setting), figures)
    except UserError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return kept | {"seconds": round(time.monotonic() - start, 1)}


def _given(recipe: CompareRecipe) -> tuple[dict[str, Path], tuple[list[str], list[str]]]:
    """The runs by name, and the sentences to score them on."""
    paths = [run_path(name) for name in recipe.runs.split(",") if name.strip()]
    if not paths:
        if recipe.data.folder:
            raise UserError("data.folder holds the test sentences of the runs in runs=, but there are none; give runs=")
        return {}, ([], [])
    if len(set(paths)) < len(paths):
        raise UserError(f"runs={recipe.runs} names a run twice; name each once")
    data = []
    for path in paths:
        data.append(translator_config(Run.open(path))["recipe"]["data"])
    languages = {(each["source"], each["target"]) for each in data}
    if len(languages) > 1:
        pairs = ", ".join(f"{path} {each['source']}-{each['target']}" for path, each in zip(paths, data, strict=True))
        raise UserError(f"the runs translate between different languages ({pairs}); compare like with like")
    ((source, target),) = languages
    test = read_parallel(recipe.data.folder or data[0]["folder"], recipe.data.test, source, target)
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return dict(zip(names, paths, strict=True)), (test.sources, test.targets)


def _prepare(figures: Path) -> None:
    try:
        figures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {figures}: {error.strerror}; choose another run=") from error


def _finished(path: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier call left, to go on from. Raises `UserError` if it had other settings."""
    if not path.is_file():
        return {"setting": dict(asked), "experiments": {}, "failed": {}}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        other = [key for key, value in asked.items() if found["setting"][key] != value]
        found["experiments"].keys()
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not of this laboratory ({error}); give another run= or remove it") from error
    if other:
        changes = ", ".join(f"{key} = {found['setting'][key]}, not {asked[key]}" for key in other)
        raise UserError(
            f"{path} holds results of other settings ({changes}); give another run=, or remove {path.parent}"
        )
    whole = {name: each for name, each in found["experiments"].items() if _whole(each, path.parent / "figures")}
    return found | {"experiments": whole, "failed": {}}


def _whole(result: object, figures: Path) -> bool:
    """Whether a stored result has all that a report needs; what lacks something is measured again."""
    if not isinstance(result, dict) or not {"shows", "how", "figures", "tables", "data"} <= result.keys():
        return False
    names = result["figures"]
    return isinstance(names, dict) and all((figures / f"{name}.png").is_file() for name in names)


def _kept(finding: Finding, figures: Path) -> dict[str, Any]:
    """A finding as plain values, its figures written."""
    from io import BytesIO

    for name, drawing in finding.drawings.items():
        content = BytesIO()
        drawing.figure.savefig(content, format="png")
        atomic_write(figures / f"{name}.png", content.getvalue())
    return {
        "shows": finding.shows,
        "how": finding.how,
        "figures": {name: drawing.caption for name, drawing in finding.drawings.items()},
        "tables": [asdict(table) for table in finding.tables],
        "data": _plain(finding.data),
    }


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: what is no number is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(folder: Path, results: Mapping[str, Any], recipe: CompareRecipe) -> None:
    atomic_write(folder / "results.json", json.dumps(results, ensure_ascii=False, indent=1))
    sections = [
        Section(EXPERIMENTS[name].title, results["experiments"].get(name), results["failed"].get(name))
        for name in recipe.experiments
        if name in results["experiments"] or name in results["failed"]
    ]
    atomic_write(folder / "report.html", report(sections, folder / "figures", results["setting"]))
