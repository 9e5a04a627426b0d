"""Translators to compare: the runs that are given, or rivals of one size trained here on the generated corpus."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jumok.config import override, parse, read_recipe
from jumok.data.sample import SOURCE, TARGET, write_sample
from jumok.data.text import read_parallel
from jumok.errors import Diverged
from jumok.files import atomic_write
from jumok.lab.finding import Cell, Setting, Table
from jumok.lab.readers import nearest_width, parameters
from jumok.models.translators import CONFIGS, build
from jumok.tasks.runs import RECIPES, translator_config
from jumok.tasks.translate import TranslateRecipe
from jumok.tasks.translate_predict import Translator
from jumok.tasks.translate_train import train_translator
from jumok.training.run import Run

# the story in its order
RIVALS: dict[str, dict[str, Any]] = {
    "no attention": {"architecture": "seq2seq", "cell": "lstm", "decoder": "summary", "directions": 1},
    "Bahdanau": {"architecture": "seq2seq", "cell": "gru", "decoder": "bahdanau", "score": "additive"},
    "Luong": {"architecture": "seq2seq", "cell": "lstm", "decoder": "luong", "score": "general"},
    "ConvS2S": {"architecture": "convs2s", "depth": 3},
    "Transformer": {"architecture": "transformer", "depth": 2, "heads": 4, "norm": "pre", "positions": "rotary"},
}
VOCAB = 900
BUDGET = 600_000
STEPS = {"full": 1200, "quick": 400}
WARMUP = {"full": 100, "quick": 60}
SENTENCE = "five past three in the afternoon on the twentieth of November, 2026"  # the one that is pictured
NORMAL_FORM = "2026-11-20T15:05"
GENERATED = "the generated corpus"
GIVEN = "the given runs' test sentences"
UNMATCHED = "not matched, neither in size nor in training; each is what it was when it was given"
MOST_JOINED = 6  # sentences in one source


@dataclass(frozen=True)
class Rival:
    """A trained translator under the name that figures use; `seed` of its training, where it was trained here."""

    name: str
    path: Path
    translator: Translator
    seed: int | None = None

    @property
    def parameters(self) -> int:
        # of the model as it was trained: 8-bit weights are no parameters to PyTorch
        with torch.device("meta"):
            return parameters(build(self.translator.models[0].config))

    @property
    def step_tokens(self) -> int:
        """The most target tokens, padding counted, that a step of its training saw."""
        config = translator_config(Run.open(self.path))
        options = config["recipe"]["training"]
        tokens: int = options["batch_tokens"] * options["accumulate"] * config["processes"]
        return tokens

    @property
    def steps(self) -> int:
        """How many steps its log tells of; without a log, how many its weights have had."""
        lines = self._log()
        kept = Run.open(self.path).config.get("kept") or {}
        last: int = max((line["step"] for line in lines if "step" in line), default=kept.get("step", 0))
        return last

    def _log(self) -> list[dict[str, Any]]:
        log = self.path / "metrics.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []

    def training(self) -> dict[str, float]:
        """Minutes spent and the median of target tokens a second, as its log tells; NaN without a log."""
        steps = [line for line in self._log() if "tokens_per_second" in line]
        if not steps:  # the run that ships has none
            return dict.fromkeys(("minutes", "rate"), math.nan)
        rates = sorted(line["tokens_per_second"] for line in steps)
        return {"minutes": steps[-1]["minutes"], "rate": rates[len(rates) // 2]}


Rivals = dict[str, list[Rival]]
"""By name, a translator a training: the same model from several seeds."""


def corpus(folder: Path) -> Path:
    """The generated corpus below `folder`, written if it is not there."""
    place = folder / "corpus" / "translate"
    if not (place / "README.txt").exists():
        write_sample(folder / "corpus")
    return place


def joined(lines: Sequence[str], count: int) -> list[str]:
    """Each `count` neighbouring lines as one; what is left over at the end is dropped."""
    return [" ".join(lines[start : start + count]) for start in range(0, len(lines) - count + 1, count)]


def mixed(lines: Sequence[str]) -> list[str]:
    """Two thirds of `lines` as they are, and of the last third a fifth each joined by two, three, ... six."""
    share = len(lines) // (3 * (MOST_JOINED - 1))
    rest = lines[len(lines) - share * (MOST_JOINED - 1) :]
    parts = [joined(rest[n * share : (n + 1) * share], n + 2) for n in range(MOST_JOINED - 1)]
    return [*lines[: len(lines) - len(rest)], *(line for part in parts for line in part)]


def lessons(folder: Path) -> Path:
    """What the rivals learn from: the generated corpus, some of its lines joined.

    One who never met two sentences in a row fails on them for that, and not for what a context vector can hold.
    """
    place = folder / "corpus" / "lessons"
    if not (place / f"val.{TARGET}").exists():
        place.mkdir(parents=True, exist_ok=True)
        for name in ("train", "val"):
            pairs = read_parallel(corpus(folder), name, SOURCE, TARGET)
            for ending, lines in ((SOURCE, pairs.sources), (TARGET, pairs.targets)):
                learnt = mixed(lines) if name == "train" else lines
                atomic_write(place / f"{name}.{ending}", "".join(f"{line}\n" for line in learnt))
    return place


@dataclass(frozen=True)
class Contest:
    """Models on one corpus, and sentences of it that none of them saw in training; who is missing has diverged."""

    corpus: str
    models: Rivals
    sources: Sequence[str]
    references: Sequence[str]
    missing: Sequence[str] = ()
    matched: bool = True

    def table(self) -> Table:
        """Parameters of each model, its trainings, their steps and the most tokens they were shown."""
        rows: list[tuple[Cell, ...]] = []
        for name, trained in self.models.items():
            first = trained[0]
            rows.append((name, first.parameters, len(trained), first.steps, first.steps * first.step_tokens))
        return Table(
            ["model", "parameters", "trainings", "steps", "training tokens (steps x batch, at most)"],
            rows,
            self.about,
        )

    @property
    def about(self) -> str:
        """Which corpus, and whether the models on it are of one size: a table's caption."""
        return f"{self.corpus}: {'matched in parameters, trained on the same batches' if self.matched else UNMATCHED}"


def given_runs(setting: Setting) -> Rivals:
    """The translators that are given, as they are."""
    return {name: [Rival(name, path, Translator.load(path, precision="auto"))] for name, path in setting.runs.items()}


def short_sentence(setting: Setting) -> tuple[str, str]:
    """A test sentence of the given runs that fits a picture, the first of those nearest to ten words; its reference."""
    return min(zip(*setting.test, strict=True), key=lambda pair: abs(len(pair[0].split()) - 10))


def contests(setting: Setting) -> list[Contest]:
    """The given runs on their test sentences, if there are any; then the rivals on the generated corpus."""
    test = read_parallel(corpus(setting.folder), "test", SOURCE, TARGET)
    trained = generated_rivals(setting)
    missing = [name for name in RIVALS if name not in trained]
    found = [Contest(GENERATED, trained, test.sources, test.targets, missing)]
    if setting.runs:
        found.insert(0, Contest(GIVEN, given_runs(setting), *setting.test, matched=False))
    return found


def where(setting: Setting) -> str:
    """Which corpora and which models: the beginning of a figure's account of itself."""
    runs = ", ".join(map(str, setting.runs.values()))
    return (f"The given runs ({runs}) on their test sentences, {UNMATCHED}; " if runs else "") + (
        f"rivals trained here in {setting.pick(STEPS['full'], STEPS['quick']):,} steps on the generated corpus of "
        f"dates, times and amounts, a third of it joined by two to {MOST_JOINED}"
        + ("; so few steps that who learns late, as the Transformer does, is behind" if setting.quick else "")
    )


def rival_seeds(setting: Setting) -> Sequence[int]:
    """The seeds that each rival is trained from: two, for they cost the most of all; one where it must be quick."""
    return setting.seeds[: setting.pick(2, 1)]


def every_rival(setting: Setting) -> list[tuple[str, int]]:
    """All rivals, by name and seed."""
    return [(name, seed) for seed in rival_seeds(setting) for name in RIVALS]


def trainings(setting: Setting, models: Rivals, shown: str = "band: lowest to highest") -> str:
    """How often each model was trained here, and which trainings diverged: for a figure's account of itself."""
    count = len(rival_seeds(setting))
    text = f"{count} trainings of each model ({shown})" if count > 1 else "one training of each model"
    lost = {name: count - len(models.get(name, ())) for name in RIVALS}
    told = ", ".join(f"{name} ({number} of {count})" for name, number in lost.items() if number)
    return f"{text}; diverged: {told}" if told else text


def generated_rivals(setting: Setting) -> Rivals:
    """The rivals trained on the generated corpus, in the same number of steps on the same batches.

    A training that diverges is left out: that it is missing is its result. Raises `Diverged` if all are.
    """
    found: Rivals = {}
    for name in RIVALS:
        for seed in rival_seeds(setting):
            path = trained_rival(setting, name, seed)
            if path is not None:
                found.setdefault(name, []).append(Rival(name, path, Translator.load(path), seed))
    if not found:
        raise Diverged("every rival's training on the generated corpus diverged")
    return found


def trained_rival(setting: Setting, name: str, seed: int) -> Path | None:
    """The run of one rival, trained now unless it is there; None if its training diverges."""
    path = setting.folder / "rivals" / f"{name.lower().replace(' ', '-')}-{seed}"
    recipe = _recipe(setting, path, RIVALS[name], seed)
    diverged = path.with_name(f"{path.name}.diverged")  # so that it is not tried again by each who asks
    if diverged.exists():
        return None
    if not _finished(path, recipe):
        setting.say(f"training on the generated corpus: {name}, seed {seed}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # several are trained at once: one terminal is no place for all their bars
            with open(f"{path}.log", "a", encoding="utf-8") as log, redirect_stdout(log):
                train_translator(recipe, resume=path.exists(), say=lambda _: None)
        except Diverged as error:
            setting.say(f"{name}, seed {seed}, diverged: {error}")
            atomic_write(diverged, f"{error}\n")
            return None
    return path


def widths(model: Mapping[str, Any], dim: int) -> dict[str, int]:
    """The sizes that follow from a rival's width."""
    return {"dim": dim, "hidden": 2 * dim} if model["architecture"] == "transformer" else {"dim": dim}


def matched_width(model: Mapping[str, Any]) -> int:
    """The width that gives a rival about `BUDGET` parameters."""
    config = CONFIGS[model["architecture"]]

    def size(dim: int) -> int:
        sizes = {"source_vocab": VOCAB, "target_vocab": VOCAB, **widths(model, dim)}
        with torch.device("meta"):
            return parameters(build(config(**(dict(model) | sizes))))

    return nearest_width(size, BUDGET, 8)


def _recipe(setting: Setting, path: Path, model: Mapping[str, Any], seed: int) -> TranslateRecipe:
    width = matched_width(model)
    steps = setting.pick(STEPS["full"], STEPS["quick"])
    values = override(read_recipe(RECIPES / "demo.yaml"), [f"tokenizer.size={VOCAB}"])
    values["run"] = str(path)
    values["data"] |= {"folder": str(lessons(setting.folder)), "max_length": 256}
    values["model"] = dict(model) | widths(model, width) | {"dropout": 0.05, "max_len": 320}
    values["training"] |= {"steps": steps, "validate_every": steps, "tensorboard": False, "threads": 1}
    # Muon is for Transformer blocks, and rivals learn alike
    values["training"] |= {"optimizer": "adamw", "ema": 0.0}
    values["training"]["precision"] = "fp32"  # on every machine the same; and small cells are fastest in it
    values["training"]["warmup"] = setting.pick(WARMUP["full"], WARMUP["quick"])
    values["training"]["log_every"] = min(20, steps)
    # one check, at the end: what counts is measured afterwards, on the test sentences
    values["training"]["metric"] = "val_loss"
    values["validation"]["lines"] = 10
    values["seed"] = seed
    return parse(TranslateRecipe, values, "the laboratory's recipe")


def _finished(path: Path, recipe: TranslateRecipe) -> bool:
    if not (path / "model.safetensors").is_file():
        return False
    # validated and kept at its last step: one that was interrupted has kept an earlier one
    return bool((Run.open(path).config.get("kept") or {}).get("step") == recipe.training.steps)
