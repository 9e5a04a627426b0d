"""Laws of the captioning task: what the training loop relies on, and what a run says of itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tasks import photos, pictures
from tests.tasks.photos import MODELS, make_recipe, make_task, recipe_values, train_run

from jumok.data.tokenizer import BEGIN, END, PAD
from jumok.decoding.search import SearchOptions
from jumok.errors import UserError
from jumok.metrics.captions import caption_scores
from jumok.models.image_to_text import ImageToText
from jumok.tasks.caption import CaptionTask
from jumok.tasks.caption_predict import Captioner
from jumok.tasks.caption_train import train_captioner
from jumok.training.run import Run

MIXED = {"crop": "resized", "color": 0.3, "flip": 0.5}
STILL: dict[str, Any] = {"learning_rate": 1e-12, "steps": 1, "validate_every": 1}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return Run.open(run).weights()


def losses(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    clocks = ("tokens_per_second", "minutes")
    return [{name: value for name, value in line.items() if name not in clocks} for line in lines]


def built(task: CaptionTask) -> ImageToText:
    model = task.build()
    assert isinstance(model, ImageToText)
    return model


@pytest.mark.parametrize("captions", ["one", "all"])
def test_batches_hold_every_sample_once(scenes: Path, tmp_path: Path, captions: str, seed: int) -> None:
    task = make_task(scenes, tmp_path / "run", captions=captions, seed=seed)
    count = 48 if captions == "one" else 5 * 48
    for epoch in (0, 1):
        batches = task.batches(epoch)
        assert sorted(index for batch in batches for index in batch) == list(range(count))
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
        assert len(task.largest()) == max(map(len, batches))
    assert task.batches(0) != task.batches(1)


def test_loading_is_a_pure_function_and_neighbours_change_nothing(scenes: Path, tmp_path: Path, seed: int) -> None:
    changes: dict[str, Any] = {"augmentation": MIXED, "tokenizer": {"size": 340, "sampling": 0.2}, "seed": seed}
    task = make_task(scenes, tmp_path / "run", **changes)
    indices = task.batches(1)[2]
    first = task.load(indices, 1)
    task.load(task.batches(0)[0], 0)
    again = make_task(scenes, tmp_path / "run", **changes)
    whole, alone = again.load(indices, 1), again.load(indices[3:4], 1)
    assert torch.equal(first.images, whole.images)
    assert torch.equal(first.target, whole.target)
    assert torch.equal(alone.images[0], first.images[3])
    length = int(first.lengths[3])
    assert alone.target[0].tolist() == first.target[3, :length].tolist()
    assert first.target[:, 0].tolist() == [BEGIN] * len(indices)
    for labels, size in zip(first.labels.tolist(), first.lengths.tolist(), strict=True):
        assert labels[size - 1] == END
        assert set(labels[size:]) <= {PAD}


def test_every_caption_gets_its_turn_and_every_epoch_draws_anew(scenes: Path, tmp_path: Path) -> None:
    task = make_task(scenes, tmp_path / "run")
    seen: dict[int, set[str]] = {index: set() for index in range(48)}
    for epoch in range(20):
        batch = task.load(list(range(48)), epoch)
        for index, row in enumerate(batch.labels.tolist()):
            seen[index].add(task.tokenizer.decode(row))
    for index, found in seen.items():
        assert found <= set(task.train.captions[index])
    # (4/5)^20 of a caption never drawn
    assert sum(map(len, seen.values())) > 225
    every = make_task(scenes, tmp_path / "run", captions="all").load(list(range(240)), 0)
    texts = [task.tokenizer.decode(row) for row in every.labels.tolist()]
    assert texts == [caption for captions in task.train.captions for caption in captions]


@pytest.mark.parametrize("critical", [False, True], ids=["cross-entropy", "self-critical"])
def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_bit_for_bit(
    scenes: Path, captioner_run: Path, tmp_path: Path, critical: bool
) -> None:
    # 3 steps an epoch; stopped after 2, and after 4
    changes: dict[str, Any] = {"augmentation": MIXED, "tokenizer": {"size": 340, "sampling": 0.1}}
    count = 4 if critical else 6
    if critical:
        changes |= {"from": str(captioner_run), "self_critical": True, "samples": 2}

    def values(run: str, steps: int) -> dict[str, Any]:
        training: dict[str, Any] = {"schedule": "constant", "ema": 0.9, "workers": 0 if critical else 2}
        return recipe_values(scenes, tmp_path / run, steps=steps, optimizer="muon", **training) | changes

    train_captioner(make_recipe(values("whole", count)), say=lambda _: None)
    for steps in range(2, count + 1, 2):
        train_captioner(make_recipe(values("parts", steps)), resume=steps > 2, say=lambda _: None)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    one, other = weights(tmp_path / "parts"), weights(tmp_path / "whole")
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())


@pytest.mark.parametrize("name", list(MODELS))
def test_what_was_validated_is_what_the_run_writes(scenes: Path, tmp_path: Path, name: str) -> None:
    run = train_run(scenes, tmp_path / "run", model=MODELS[name])
    kept = Run.open(run).config["kept"]
    task = make_task(scenes, run, model=MODELS[name])
    captioner = Captioner.load(run, device="cpu")
    greedy = captioner.options.model_copy(update={"beam": 1})
    found = [best[0].text for best in captioner.captions_of(task.val, greedy)]
    scores = caption_scores(found, task.val.captions)
    for score in ("cider", "bleu4", "rouge_l", "distinct"):
        assert getattr(scores, score) == pytest.approx(kept[score])
    assert captioner.preprocessing == task.preprocessing


def test_the_validation_loss_is_that_of_every_caption(scenes: Path, tmp_path: Path) -> None:
    task = make_task(scenes, tmp_path / "run")
    model = built(task).eval()
    captioner = Captioner([model], task.tokenizer, task.preprocessing, SearchOptions(beam=1))
    with torch.no_grad():
        told = task._validation_loss(model, captioner)
        total = tokens = 0.0
        for image, captions in enumerate(task.val.captions):
            seen = captioner.prepared(task.val.pixels([image]))
            for caption in captions:
                row = task.tokenizer.encode(caption)
                logits = model(seen, torch.tensor([[BEGIN, *row]]))[0].log_softmax(-1)
                total -= float(logits[torch.arange(len(row) + 1), torch.tensor([*row, END])].sum())
                tokens += len(row) + 1
    assert told["val_loss"] == pytest.approx(total / tokens, rel=1e-4)


def test_the_reward_is_cider_and_wants_captions_to_end(scenes: Path, captioner_run: Path, tmp_path: Path) -> None:
    task = make_task(scenes, tmp_path / "run", self_critical=True, **{"from": str(captioner_run)})
    assert task._critical is not None
    reward, whole = task._critical.reward, task.train.captions[5][0]
    pieces = task.tokenizer.encode(whole)
    full, broken = reward(5, pieces), reward(5, task.tokenizer.encode(whole.rsplit(" ", 1)[0]))
    other = next(i for i, captions in enumerate(task.train.captions) if not set(captions) & set(task.train.captions[5]))
    assert full > broken
    assert full > reward(other, pieces)
    assert reward(5, []) == 0
    assert reward(5, (pieces * 47)[:47]) < full


def test_a_slow_encoder_and_what_does_not_decay(scenes: Path, captioner_run: Path, tmp_path: Path) -> None:
    task = make_task(scenes, tmp_path / "run", encoder_rate=0.1, **{"from": str(captioner_run)})
    model = built(task)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {names[id(p)]: group for group in task.groups(model, 0.3) for p in group["params"]}
    assert found.keys() == set(names.values())
    for name, group in found.items():
        assert group.get("scale", 1.0) == (0.1 if name.startswith("encoder.") else 1.0)
        assert group["weight_decay"] == (0.3 if model.get_parameter(name).ndim > 1 else 0.0)


def test_a_still_encoder_stays_as_it_was(scenes: Path, captioner_run: Path, tmp_path: Path) -> None:
    run = train_run(scenes, tmp_path / "run", encoder_rate=0.0, **{"from": str(captioner_run)})
    old, new = weights(captioner_run), weights(run)
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert all(name.startswith("decoder.") for name in changed)


def test_it_continues_from_a_run_with_its_words(scenes: Path, captioner_run: Path, tmp_path: Path) -> None:
    photos.write_photos(tmp_path / "more", train=20, val=4, seed=9)
    values = recipe_values(tmp_path / "more", tmp_path / "run", **STILL) | {"from": str(captioner_run)}
    train_captioner(make_recipe(values), say=lambda _: None)
    old, new = weights(captioner_run), weights(tmp_path / "run")
    trained = {name for name in old if not name.split(".")[-1].startswith(("running", "num_batches"))}
    for name in trained:
        torch.testing.assert_close(new[name], old[name])
    for name in ("tokenizer.json", "preprocessing.json"):
        assert (tmp_path / "run" / name).read_text() == (captioner_run / name).read_text()
    larger = values["model"] | {"image_size": 48}
    train_captioner(make_recipe(values | {"model": larger, "run": str(tmp_path / "larger")}), say=lambda _: None)
    new = weights(tmp_path / "larger")
    for name in trained:
        torch.testing.assert_close(new[name], old[name])
    values["model"] = values["model"] | {"dim": 32}
    with pytest.raises(UserError, match=r"has model.dim = 16 \(here 32\)"):
        train_captioner(make_recipe(values | {"run": str(tmp_path / "other")}), say=lambda _: None)
    assert not (tmp_path / "other").exists()


def test_the_encoder_starts_from_a_classifier(shapes: Path, scenes: Path, captioner_run: Path, tmp_path: Path) -> None:
    sizes = {"stem": "small", "widths": [8, 16], "blocks": [1, 1], "image_size": 16}
    seen = pictures.train_run(shapes, tmp_path / "classifier", model={"architecture": "resnet"} | sizes)
    said: list[str] = []
    values = recipe_values(scenes, tmp_path / "run", **STILL) | {"encoder_from": str(seen), "from": str(captioner_run)}
    values["model"] = values["model"] | {"strides": None}
    train_captioner(make_recipe(values), say=said.append)
    body, new, old = weights(seen), weights(tmp_path / "run"), weights(captioner_run)
    torch.testing.assert_close(new["encoder.body.stem.convolution.weight"], body["stem.convolution.weight"])
    for name in (name for name in old if name.startswith("decoder.")):
        torch.testing.assert_close(new[name], old[name])
    assert "the encoder starts from" in said[-1]
    both = [json.loads((run / "preprocessing.json").read_text()) for run in (seen, tmp_path / "run")]
    assert both[0]["mean"] == both[1]["mean"], "images look to the encoder as they always did"
    values["model"] = photos.MODELS["vit"]
    with pytest.raises(UserError, match="cannot start from that run, which has a resnet"):
        train_captioner(make_recipe(values | {"run": str(tmp_path / "vit"), "from": None}), say=lambda _: None)


@pytest.mark.parametrize(("architecture", "pool", "prefix"), [("vit", "mean", 0), ("vit", "class", 1), ("deit", "", 2)])
def test_tokens_in_front_are_those_of_the_classifier(
    shapes: Path, scenes: Path, tmp_path: Path, architecture: str, pool: str, prefix: int
) -> None:
    sizes: dict[str, Any] = {"image_size": 16, "patch": 4, "dim": 16, "heads": 2, "depth": 1, "hidden": 32}
    changes = {"architecture": architecture} | sizes | ({"pool": pool} if pool else {})
    seen = pictures.train_run(shapes, tmp_path / "seen", model=changes)
    run = train_run(scenes, tmp_path / "run", model=MODELS["vit"], encoder_from=str(seen))
    assert Run.open(run).config["model"]["prefix"] == prefix
    again = train_run(scenes, tmp_path / "again", model=MODELS["vit"], **{"from": str(run)})
    assert Run.open(again).config["model"]["prefix"] == prefix


def test_captions_longer_than_the_model_writes_are_counted(scenes: Path, tmp_path: Path) -> None:
    said: list[str] = []
    values = recipe_values(scenes, tmp_path / "run")
    plain = CaptionTask(make_recipe(values), say=said.append)
    assert "left out" not in said[-1]
    lengths = [len(row) for sample in plain.samples for row in sample.pieces]
    most = sorted(lengths)[len(lengths) // 3]
    values["model"] = values["model"] | {"max_len": most + 1}
    task = CaptionTask(make_recipe(values), say=said.append)
    lost = sum(length > most for length in lengths)
    assert f"notice: {lost:,} captions of train are longer than model.max_len = {most + 1}" in said[-1]
    assert sum(len(sample.pieces) for sample in task.samples) == len(lengths) - lost
    assert all(len(row) <= most for sample in task.samples for row in sample.pieces)
    assert set(task.validate(built(task).eval(), lambda _: None)) >= {"val_loss", "cider"}
    values["model"] = values["model"] | {"max_len": 2}
    with pytest.raises(UserError, match=r"every caption of train is longer than model.max_len = 2"):
        CaptionTask(make_recipe(values), say=said.append)


def test_known_ways_to_fail_are_told(scenes: Path, tmp_path: Path) -> None:
    said: list[str] = []
    task = CaptionTask(make_recipe(recipe_values(scenes, tmp_path / "run") | {"augmentation": MIXED}), say=said.append)
    assert "captions say left or right, and augmentation.flip = 0.5" in said[0]
    count = len(task.val)
    same = caption_scores(["a dog"] * count, task.val.captions)
    task._watch(same)
    assert len(said) == 1, "the first validation may well look like that"
    task._watch(same)
    assert "warning: the same caption for 100 %" in said[-1]
    task._watch(caption_scores([f"dog {i}" for i in range(count)], task.val.captions))
    assert len(said) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"self_critical": True}, "name a run that writes some in from="),
        ({"self_critical": True, "from": "x", "captions": "all"}, "leave captions = one"),
        ({"encoder_rate": 0.0}, "an encoder that nothing trained"),
        (
            {"model": {"encoder": "vitt"}},
            "model.encoder = 'vitt' is not one of resnet, resnet-transformer, vit, hybrid",
        ),
        ({"model": {"preset": "cnn-transformer", "patch": 8}}, "unknown key model.patch"),
        ({"model": {"encoder": "vit", "image_size": 10, "patch": 4}}, "not a multiple of patch"),
        ({"training": {"steps": 1, "metric": "top1"}}, "choose one of val_loss, accuracy, cider"),
        ({"captions": "two"}, "captions = 'two'"),
        ({"augmentation": {"mixup": 0.2}}, "unknown key augmentation.mixup"),
    ],
)
def test_a_wrong_recipe_names_its_key(scenes: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_recipe(recipe_values(scenes, tmp_path / "run") | change)


def test_presets_choose_their_encoder(scenes: Path, tmp_path: Path) -> None:
    from jumok.config import explain
    from jumok.tasks.caption import CaptionRecipe

    for preset, encoder in (
        ("show-attend-tell", "resnet"), ("cnn-transformer", "resnet-transformer"), ("vit-transformer", "vit"),
    ):  # fmt: skip
        values = recipe_values(scenes, tmp_path / "run") | {"model": {"preset": preset, "image_size": 64}}
        assert make_recipe(values).model.encoder == encoder
        assert len(explain(CaptionRecipe, values)) < 60


def test_every_parameter_learns(scenes: Path, tmp_path: Path) -> None:
    for name in MODELS:
        task = make_task(scenes, tmp_path / "run", model=MODELS[name])
        model = built(task)
        task.loss(model, task.load(task.batches(0)[0], 0)).total.backward()
        without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
        assert not without
