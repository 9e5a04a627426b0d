"""The studies: DeiT and its teacher, transfer, resolution, inductive bias, accuracy for the time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.studies.study import Study, Values, part, rate
from jumok.insight.figures import PALETTE, canvas
from jumok.metrics.classes import mcnemar
from jumok.tasks.classify_predict import Classifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PATCH = 4
PRICED_PATCH = 8  # of the sizes that have names: with 4 ViT-S ends no epoch in minutes of a core
SIZES = {
    "image_size": 32, "patch": PATCH, "dim": 128, "heads": 4, "depth": 6, "hidden": 256, "positions": "sinusoidal",
    "patch_dropout": 0.5,
}  # fmt: skip
VIT: Values = {"architecture": "vit", **SIZES}
DEIT: Values = {"architecture": "deit", **SIZES}
RESNET: Values = {"architecture": "resnet", "preset": "small", "image_size": 32}
TEACHER = 2.5  # times the minutes of a student
FEW = 0.1  # share of the images: a teacher is for students that lack data, not time
TUNING = 1 / 3  # of the rate from nothing, for weights that are trained already
Found = tuple[Values, "Figure | None"]


def deit(study: Study) -> Found:
    """DeiT taught by a ResNet against the same ViT without a teacher: `FEW` images, the same minutes, McNemar."""
    study = replace(study, data=part(study.data, study.out / f"part-{FEW}", FEW))
    # the teacher learns longer than its students, who meet it ready-made
    teacher = study.trained("teacher", study.recipe(RESNET), TEACHER * study.minutes)
    models = {"ViT": study.recipe(VIT), "DeiT": study.recipe(DEIT, distillation=_taught_by(teacher))}
    rows: list[Values] = []
    right: dict[str, list[Any]] = {name: [] for name in models}
    for seed in study.seeds:
        for name, values in models.items():
            run = study.trained(f"{name.lower()}-{seed}", values | {"seed": seed})
            found = study.score(run)
            right[name].append(found.right)
            rows.append({"model": name, "seed": seed, "top1": found.scores.top1, **study.facts(run)})
    each = [mcnemar(a, b).as_dict() for a, b in zip(right["DeiT"], right["ViT"], strict=True)]
    pooled = mcnemar(np.concatenate(right["DeiT"]), np.concatenate(right["ViT"])).as_dict()
    found = study.score(teacher)
    return {
        "rows": [{"model": "ResNet, the teacher", "top1": found.scores.top1, **study.facts(teacher)}, *rows],
        "mcnemar": {"each": each, "pooled": pooled},
    }, None


def transfer(study: Study, large: Path) -> Found:
    """Pretrained on `large`, tuned on shares of the data, against learning from nothing; a ResNet beside."""
    shares = (0.05, 0.2, 1.0)
    rows: list[Values] = []
    models = {"ViT": VIT, "ResNet-20": RESNET | {"preset": "resnet20"}}  # about as fast as each other
    for name, model in models.items():
        before = replace(study, data=large)
        start = before.trained(f"pretrained-{name.lower()}", before.recipe(model))
        for share in shares:
            own = replace(study, data=part(study.data, study.out / f"part-{share}", share))
            for how, changes in (
                ("from nothing", {}),
                ("pretrained", {"from_": str(start), "training": {"learning_rate": TUNING * rate(model)}}),
            ):
                values = own.recipe(model, **changes)
                run = own.trained(f"{name.lower()}-{how.replace(' ', '-')}-{share}", values, study.minutes / 3)
                row = {"model": name, "start": how, "share": 100 * share, "top1": own.score(run).scores.top1}
                rows.append(row | study.facts(run))
    figure, axis = canvas()
    for number, name in enumerate(models):
        for how, style in (("from nothing", "--"), ("pretrained", "-")):
            mine = [row for row in rows if (row["model"], row["start"]) == (name, how)]
            places, scores = [row["share"] for row in mine], [row["top1"] for row in mine]
            axis.plot(places, scores, style, marker="o", color=PALETTE[number], label=f"{name}, {how}")
    axis.set_xscale("log")
    axis.set_xticks([100 * share for share in shares], [f"{100 * share:.0f} %" for share in shares])
    axis.set_xlabel("share of the training images")
    axis.set_ylabel("top-1 (%)")
    axis.legend(frameon=False)
    return {"rows": rows}, figure


def resolution(study: Study) -> Found:
    """Half of the time on images of 32 pixels, half on 64, against 64 all the time; positions are interpolated."""
    small: Values = VIT | {"patch": 8, "image_size": 32, "positions": "learned"}
    large: Values = small | {"image_size": 64}
    first = study.trained("first-32", study.recipe(small), study.minutes / 2)
    tuned = study.recipe(large, from_=str(first), training={"learning_rate": TUNING * rate(large)})
    runs = {
        "32, then 64": study.trained("then-64", tuned, study.minutes / 2),
        "64 from nothing": study.trained("only-64", study.recipe(large)),
    }
    found = {name: study.score(run) for name, run in runs.items()}
    rows = [{"model": n, "top1": f.scores.top1, **study.facts(runs[n])} for n, f in found.items()]
    one, other = found.values()
    return {"rows": rows, "mcnemar": mcnemar(one.right, other.right).as_dict()}, None


def bias(study: Study) -> Found:
    """What the patches' order means to each: a ViT without positions, one with them, a ResNet, on shuffled patches."""
    models = {"ViT without positions": VIT | {"positions": "none"}, "ViT": VIT, "ResNet": RESNET}
    rows: list[Values] = []
    for name, model in models.items():
        run = study.trained(name.lower().replace(" ", "-"), study.recipe(model))
        classifier = Classifier.load(run)
        plain, shuffled = (_top1(study, classifier, shuffle) for shuffle in (False, True))
        rows.append({"model": name, "top1": plain, "shuffled": shuffled, **study.facts(run)})
    figure, axis = canvas()
    places = np.arange(len(rows))
    for offset, key, label in ((-0.2, "top1", "as they are"), (0.2, "shuffled", f"{PATCH} x {PATCH} patches shuffled")):
        axis.bar(places + offset, [row[key] for row in rows], 0.4, label=label, color=PALETTE[int(offset > 0)])
    axis.set_xticks(places, [row["model"] for row in rows])
    axis.set_ylabel("top-1 (%)")
    axis.legend(frameon=False)
    return {"rows": rows}, figure


def price(study: Study) -> Found:
    """Accuracy against images a second in inference: ViT-Ti and S, DeiT-Ti, a hybrid and ResNet, the same minutes."""
    rival = study.trained("resnet", study.recipe(RESNET))
    sizes: Values = {"image_size": 32, "patch": PRICED_PATCH, "positions": "sinusoidal", "patch_dropout": 0.5}
    ti, s = ({"architecture": "vit", "preset": name} | sizes for name in ("ti", "s"))
    models = {
        "ViT-Ti": study.recipe(ti),
        "ViT-S": study.recipe(s),
        "DeiT-Ti": study.recipe(ti | {"architecture": "deit"}, distillation=_taught_by(rival)),
        "hybrid, Ti": study.recipe(ti | {"stem": "deep"}),
        "ResNet": study.recipe(RESNET),
    }
    runs = {
        name: rival if name == "ResNet" else study.trained(name.lower().replace(", ", "-"), values)
        for name, values in models.items()
    }
    speeds = _images_a_second([Classifier.load(run, precision="auto") for run in runs.values()])
    rows: list[Values] = [
        {"model": name, "top1": study.score(run).scores.top1, "images_per_second": speed, **study.facts(run)}
        for (name, run), speed in zip(runs.items(), speeds, strict=True)
    ]
    figure, axis = canvas()
    for number, row in enumerate(rows):
        axis.plot(row["images_per_second"], row["top1"], "o", markersize=9, color=PALETTE[number], label=row["model"])
    axis.set_xscale("log")
    axis.set_xlabel("images a second, inference")
    axis.set_ylabel("top-1 (%)")
    axis.legend(frameon=False)
    return {"rows": rows, "patch": PRICED_PATCH}, figure


STUDIES: dict[str, Callable[..., Found]] = {
    "deit": deit,
    "transfer": transfer,
    "resolution": resolution,
    "bias": bias,
    "price": price,
}


def _taught_by(teacher: Path) -> Values:
    """In few epochs a teacher's probabilities say more than its choices do."""
    return {"teacher": str(teacher), "kind": "soft"}


def _top1(study: Study, classifier: Classifier, shuffle: bool) -> float:
    """Top-1 on the validation images, their patches in an order drawn for each image."""
    from jumok.data.image_report import check_images
    from jumok.tasks.classify_evaluate import labelled

    wanted = classifier.preprocessing
    (store,), _ = check_images([labelled(study.data / "val", classifier)], wanted.size, wanted.channels, training=False)
    random, right = np.random.default_rng(1), 0
    for start in range(0, len(store), 256):
        rows = range(start, min(start + 256, len(store)))
        images = classifier.prepared(store.pixels(rows))
        logits = classifier.logits(shuffled(images, random) if shuffle else images)
        right += int((logits.argmax(-1).cpu().numpy() == store.labels[start : rows.stop]).sum())
    return 100 * right / len(store)


def shuffled(images: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Images (B, C, S, S) with their patches in another order, each image its own."""
    count, channels, size, _ = images.shape
    side = size // PATCH
    parts = images.reshape(count, channels, side, PATCH, side, PATCH).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.from_numpy(np.stack([random.permutation(side * side) for _ in range(count)])).to(images.device)
    mixed = parts.gather(1, order[:, :, None, None, None].expand_as(parts)).unflatten(1, (side, side))
    return mixed.permute(0, 3, 1, 4, 2, 5).reshape(images.shape)


def _images_a_second(classifiers: Sequence[Classifier], batch: int = 128, rounds: int = 15) -> list[float]:
    """Of each the fastest of `rounds`, in turn: what disturbs one disturbs all."""
    best = [0.0] * len(classifiers)
    for turn in range(rounds + 1):  # the first warms up
        for place, classifier in enumerate(classifiers):
            size, channels = classifier.preprocessing.size, classifier.preprocessing.channels
            dtype = next(classifier.model.parameters()).dtype
            images = torch.randn(batch, channels, size, size).to(classifier.device, dtype)
            started = time.perf_counter()
            classifier.logits(images)
            if turn:
                best[place] = max(best[place], batch / (time.perf_counter() - started))
    return best


__all__ = ["STUDIES", "shuffled"]
