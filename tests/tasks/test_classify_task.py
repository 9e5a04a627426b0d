"""Laws of the classification task: what the training loop relies on, and what a run says of itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks import pictures
from tests.tasks.pictures import make_recipe, make_task, recipe_values, train_run
from torch.nn import functional as F

from jumok.data.augment import ImageBatch
from jumok.errors import UserError
from jumok.interop import huggingface
from jumok.models.vit import DeiT, Pair, ViT, ViTConfig
from jumok.tasks.classify import ClassifyTask
from jumok.tasks.classify_loss import TAU, Distillation, classification_loss
from jumok.tasks.classify_predict import Classifier
from jumok.tasks.classify_train import train_classifier
from jumok.training.run import Run

DEIT = {"architecture": "deit", "image_size": 16, "patch": 4, "dim": 16, "heads": 2, "depth": 2, "hidden": 32}
RESNET = {"architecture": "resnet", "stem": "small", "widths": [8, 16], "blocks": [1, 1], "image_size": 16}
MIXED = {"crop": "resized", "operations": 2, "erasing": 0.5, "color": 0.3, "mixup": 0.8, "cutmix": 1.0}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return Run.open(run).weights()


def losses(run: Path) -> list[str]:
    clocks = ("images_per_second", "minutes")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [",".join(part for part in line.split(",") if not any(clock in part for clock in clocks)) for line in lines]


def test_batches_hold_every_image_once_and_are_equal_but_for_one(shapes: Path, tmp_path: Path, seed: int) -> None:
    task = make_task(shapes, tmp_path / "run", seed=seed)
    for epoch in (0, 1):
        batches = task.batches(epoch)
        assert sorted(index for batch in batches for index in batch) == list(range(96))
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
        assert len(task.largest()) == max(map(len, batches))
    assert task.batches(0) != task.batches(1)
    assert task.batches(1) == make_task(shapes, tmp_path / "run", seed=seed).batches(1)


def test_loading_is_a_pure_function(shapes: Path, tmp_path: Path) -> None:
    task = make_task(shapes, tmp_path / "run", augmentation=MIXED)
    indices = task.batches(1)[2]
    first = task.load(indices, 1)
    task.load(task.batches(0)[0], 0)
    again = make_task(shapes, tmp_path / "run", augmentation=MIXED).load(indices, 1)
    assert torch.equal(first.images, again.images)
    assert first.soft is not None
    assert again.soft is not None
    assert torch.equal(first.soft, again.soft)
    torch.testing.assert_close(first.soft.sum(1), torch.ones(len(indices)))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_bit_for_bit(
    shapes: Path, tmp_path: Path, workers: int
) -> None:
    # 6 steps an epoch; stopped after 4 and after 8
    changes: dict[str, Any] = {"augmentation": MIXED, "model": DEIT | {"patch_dropout": 0.3, "stochastic_depth": 0.2}}

    def values(run: str, steps: int) -> dict[str, Any]:
        training: dict[str, Any] = {"schedule": "constant", "validate_every": 4, "ema": 0.9, "workers": workers}
        training |= {"optimizer": "muon" if workers else "adamw"}
        return recipe_values(shapes, tmp_path / run, steps=steps, **training) | changes

    train_classifier(make_recipe(values("whole", 12)), say=lambda _: None)
    for steps in (4, 8, 12):
        train_classifier(make_recipe(values("parts", steps)), resume=steps > 4, say=lambda _: None)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    one, other = weights(tmp_path / "parts"), weights(tmp_path / "whole")
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())


@pytest.mark.parametrize("model", [None, DEIT, RESNET], ids=["vit", "deit", "resnet"])
def test_what_was_validated_is_what_the_run_predicts(
    shapes: Path, tmp_path: Path, model: dict[str, Any] | None
) -> None:
    run = train_run(shapes, tmp_path / "run", **({} if model is None else {"model": model}))
    kept = Run.open(run).config["kept"]
    task = make_task(shapes, run, **({} if model is None else {"model": model}))
    classifier = Classifier.load(run, device="cpu")
    found = classifier.probabilities_of(task.val)
    assert 100 * (found.argmax(1) == task.val.labels).mean() == pytest.approx(kept["top1"])
    assert classifier.preprocessing == task.preprocessing
    prediction = classifier([task.val.paths[3]], top=2)[0]
    assert prediction.classes[0][0] == task.val.classes[found[3].argmax()]
    assert prediction.classes[0][1] == pytest.approx(float(found[3].max()), abs=1e-5)


def test_layer_decay_and_what_does_not_decay(shapes: Path, tmp_path: Path) -> None:
    task = make_task(shapes, tmp_path / "run", tuning={"layer_decay": 0.5})
    model = task.build()
    assert isinstance(model, ViT)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {names[id(p)]: group for group in task.groups(model, 0.3) for p in group["params"]}
    assert found.keys() == set(names.values())
    assert found["head.weight"]["scale"] == 1
    assert found["encoder.blocks.1.attention.qkv.weight"]["scale"] == 0.5
    assert found["encoder.blocks.0.attention.qkv.weight"]["scale"] == 0.25
    assert found["encoder.tokens.patches.projection.weight"]["scale"] == 0.125
    decayed = {name for name, group in found.items() if group["weight_decay"]}
    assert "encoder.tokens.patches.projection.weight" in decayed
    assert not any("norm" in name or name.endswith("bias") for name in decayed)
    assert not {"encoder.tokens.prefix", "encoder.tokens.positions.weight"} & decayed
    assert all(group["weight_decay"] in (0, 0.3) for group in found.values())
    inner = {name for name, group in found.items() if group["matrices"]}
    assert inner == {name for name in found if ".blocks." in name and name.endswith("weight") and "norm" not in name}


def test_balanced_classes_weigh_one_on_average(tmp_path: Path) -> None:
    pictures.write_pictures(tmp_path / "data", train=80)
    for path in sorted((tmp_path / "data" / "train" / "ring").iterdir())[2:]:
        path.unlink()
    task = make_task(tmp_path / "data", tmp_path / "run", class_weights="balanced")
    assert task.weights is not None
    each = task.weights[torch.from_numpy(task.train.labels)]
    assert float(each.mean()) == pytest.approx(1.0)
    ring = task.train.classes.index("ring")
    assert float(task.weights[ring] / task.weights[0]) == pytest.approx(10 / 2)


def batch(count: int = 5, classes: int = 3) -> ImageBatch:
    labels = torch.arange(count) % classes
    return ImageBatch(torch.zeros(count, 3, 4, 4), labels, None, torch.arange(count))


def test_the_loss_of_labels_is_cross_entropy() -> None:
    logits, given = torch.randn(5, 3), batch()
    plain: dict[str, Any] = {"weights": None, "distillation": Distillation.model_validate({}), "taught": None}
    loss = classification_loss(logits, given, smoothing=0.0, **plain)
    picked = logits.log_softmax(-1)[torch.arange(5), given.labels]
    torch.testing.assert_close(loss.total, -picked.sum())
    assert float(loss.weight) == 5
    pair = Pair(logits, torch.randn(5, 3))
    both = classification_loss(pair, given, smoothing=0.1, **plain).total
    halves = [F.cross_entropy(z, given.labels, label_smoothing=0.1, reduction="sum") for z in pair]
    torch.testing.assert_close(both, sum(halves) / 2)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_the_teacher_speaks_to_the_distillation_token_alone(kind: str) -> None:
    pair = Pair(torch.randn(5, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True))
    taught, given = torch.randn(5, 3), batch()
    options = Distillation.model_validate({"kind": kind})
    loss = classification_loss(pair, given, smoothing=0.0, weights=None, distillation=options, taught=taught)
    truth = F.cross_entropy(pair.classes, given.labels, reduction="sum")
    if kind == "hard":
        lesson = F.cross_entropy(pair.distilled, taught.argmax(1), reduction="sum")
    else:
        p, q = (taught / TAU).softmax(-1), (pair.distilled / TAU).softmax(-1)
        lesson = TAU**2 * (p * (p.log() - q.log())).sum()
    torch.testing.assert_close(loss.total, (truth + lesson) / 2)
    (gradient,) = torch.autograd.grad(lesson, pair.classes, allow_unused=True)
    assert gradient is None


def test_a_deit_learns_from_a_teacher_that_jumok_trained(shapes: Path, tmp_path: Path) -> None:
    teacher = train_run(shapes, tmp_path / "teacher", model=RESNET)
    before = weights(teacher)
    run = train_run(shapes, tmp_path / "deit", model=DEIT, distillation={"teacher": str(teacher)})
    assert all(torch.equal(tensor, weights(teacher)[name]) for name, tensor in before.items())
    assert isinstance(Classifier.load(run).model, DeiT)
    with pytest.raises(UserError, match=r"model\.architecture"):
        make_recipe(recipe_values(shapes, run) | {"distillation": {"teacher": str(teacher)}})
    pictures.write_pictures(tmp_path / "other", train=32)
    for path in sorted((tmp_path / "other").glob("*/ring/*")):
        path.unlink()
    for folder in (tmp_path / "other").glob("*/ring"):
        folder.rmdir()
    with pytest.raises(UserError, match="other classes"):
        make_task(tmp_path / "other", run, model=DEIT, distillation={"teacher": str(teacher)})


def test_tuning_starts_from_the_weights_of_a_run(shapes: Path, classifier_run: Path, tmp_path: Path) -> None:
    still: dict[str, Any] = {"learning_rate": 1e-12, "steps": 1, "validate_every": 1}
    values = recipe_values(shapes, tmp_path / "same", **still) | {"from": str(classifier_run)}
    train_classifier(make_recipe(values), say=lambda _: None)
    old = weights(classifier_run)
    for name, tensor in weights(tmp_path / "same").items():
        torch.testing.assert_close(tensor, old[name])
    # twice the resolution, other classes: a new head, positions of four times the patches
    pictures.write_shapes(tmp_path / "large", 40, 8, 32)
    for folder in (tmp_path / "large").glob("*/ring"):
        folder.rename(folder.with_name("doughnut"))
    values = recipe_values(tmp_path / "large", tmp_path / "wide", **still) | {"from": str(classifier_run)}
    values["model"] = values["model"] | {"image_size": 32}
    said: list[str] = []
    train_classifier(make_recipe(values), say=said.append)
    assert "new head" in said[-1]
    assert "interpolated" in said[-1]
    new = weights(tmp_path / "wide")
    assert len(new["encoder.tokens.positions.weight"]) == 1 + 8 * 8
    torch.testing.assert_close(
        new["encoder.blocks.0.attention.qkv.weight"], old["encoder.blocks.0.attention.qkv.weight"]
    )
    assert not torch.allclose(new["head.weight"], old["head.weight"])


def test_tuning_starts_from_published_weights(shapes: Path, tmp_path: Path) -> None:
    sizes = {"image_size": 16, "patch": 4, "dim": 16, "heads": 2, "depth": 2, "hidden": 32}
    model = ViT(ViTConfig.model_validate(sizes | {"classes": 5}))
    given = huggingface.Preprocessing(resize=16, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    huggingface.save(model, tmp_path / "published", labels=list("abcde"), preprocessing=given)
    still: dict[str, Any] = {"learning_rate": 1e-12, "steps": 1, "validate_every": 1}
    values = recipe_values(shapes, tmp_path / "run", **still) | {"from": str(tmp_path / "published")}
    train_classifier(make_recipe(values), say=lambda _: None)
    tuned = Classifier.load(tmp_path / "run")
    assert tuned.preprocessing.mean == (0.4, 0.5, 0.6), "images look to the model as they always did"
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(tuned.model.encode(images).features, model.encode(images).features)
    # and what is published classifies as it stands
    prediction = Classifier.load(tmp_path / "published")([next(shapes.glob("val/star/*"))])[0]
    assert prediction.classes[0][0] in "abcde"
    with pytest.raises(UserError, match=r"data\.channels"):
        ClassifyTask(make_recipe(values | {"data": values["data"] | {"channels": 1}}), say=lambda _: None)


@pytest.mark.parametrize("model", [None, RESNET], ids=["vit", "resnet"])
def test_a_frozen_body_stays_as_it_was(shapes: Path, tmp_path: Path, model: dict[str, Any] | None) -> None:
    changes: dict[str, Any] = {} if model is None else {"model": model}
    start = train_run(shapes, tmp_path / "start", **changes)
    tuned = train_run(shapes, tmp_path / "tuned", **changes, tuning={"freeze": True}, **{"from": str(start)})
    old, new = weights(start), weights(tuned)
    assert {name for name in old if not torch.equal(old[name], new[name])} == {"head.weight", "head.bias"}


def test_known_ways_to_fail_are_told(shapes: Path, tmp_path: Path) -> None:
    said: list[str] = []
    values = recipe_values(shapes, tmp_path / "run")
    values["model"] = values["model"] | {"patch": 8}
    ClassifyTask(make_recipe(values), say=said.append)
    assert "patches of 8 pixels cut the image of 16 into 2 x 2" in said[0]
    task = ClassifyTask(make_recipe(recipe_values(shapes, tmp_path / "run")), say=said.append)
    assert "2 x 2" not in said[-1]
    flat = np.full((16, 8), 1 / 8)
    one = np.eye(8)[[2] * 16] * 0.9 + 0.0125
    told = len(said)
    task._watch(2.0, one)
    assert len(said) == told, "the first validation may well look like that"
    task._watch(2.0, one)
    assert "every image is called 'cross'" in said[-1]
    assert "class_weights=balanced" in said[-1]
    task._watch(float(np.log(8)), flat + np.random.default_rng(0).random((16, 8)) * 1e-3)
    assert "never moved from chance" in said[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"preset": "small", "image_size": 10, "patch": 4}}, "not a multiple of patch"),
        ({"model": {"preset": "small", "image_size": 16, "patch": 32}}, "smaller than patch"),
        ({"model": {"architecture": "vitt"}}, "is not one of vit, deit, resnet"),
        ({"model": {"preset": "huge"}}, "preset"),
        ({"tuning": {"freeze": True}}, "name its weights in from="),
        ({"training": {"steps": 1, "metric": "bleu"}}, "choose one of val_loss, top1"),
        ({"augmentatoin": {}}, "did you mean augmentation"),
    ],
)
def test_a_wrong_recipe_names_its_key(shapes: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_recipe(recipe_values(shapes, tmp_path / "run") | change)


def test_there_are_fewer_than_sixty_options() -> None:
    from jumok.config import explain
    from jumok.tasks.classify import ClassifyRecipe
    from jumok.tasks.translate import TranslateRecipe

    for architecture in ("vit", "deit", "resnet"):
        assert len(explain(ClassifyRecipe, {"model": {"architecture": architecture}})) < 60
    for architecture in ("transformer", "seq2seq", "convs2s"):
        assert len(explain(TranslateRecipe, {"model": {"architecture": architecture}})) < 60
