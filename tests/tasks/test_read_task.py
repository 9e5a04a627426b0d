"""Laws of the reading task: what the training loop relies on, and what a run says of itself."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.data.typefaces import box_font
from tests.tasks import pictures, words
from tests.tasks.words import LETTERS, MODELS, make_recipe, make_task, recipe_values, train_run

from jumok.config import explain
from jumok.data.word_images import read_words
from jumok.errors import UserError
from jumok.tasks.read import ReadRecipe
from jumok.tasks.read_evaluate import evaluate
from jumok.tasks.read_predict import Reader
from jumok.training.run import Run

BOTH = pytest.mark.parametrize("model", list(MODELS))


def losses(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("words_per_second", "minutes")} for line in lines]


def drawing(data: Path, run: Path, model: str = "reader", **training: Any) -> dict[str, Any]:
    """The recipe with words drawn beside the real ones."""
    values = recipe_values(data, run, model, **training)
    return values | {"data": values["data"] | {"rendered": 24}}


def test_batches_hold_every_word_once_at_widths_alike(word_data: Path, tmp_path: Path) -> None:
    task = make_task(drawing(word_data, tmp_path / "run"))
    for epoch in (0, 1):
        batches = task.batches(epoch)
        assert sorted(place for batch in batches for place in batch) == list(range(48 + 24))
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
        spans = sorted((min(widths), max(widths)) for widths in _widths(task.words, batches, epoch))
        assert all(high <= low for (_, high), (low, _) in pairwise(spans))
    assert task.batches(0) != task.batches(1)
    assert task.batches(1) == make_task(drawing(word_data, tmp_path / "run")).batches(1)
    assert len(task.batches(0)) == len(task.batches(1))


def _widths(batches: Any, places: Any, epoch: int) -> list[list[int]]:
    return [[batches.width(place, epoch) for place in batch] for batch in places]


def test_loading_is_a_pure_function_and_drawn_words_change(word_data: Path, tmp_path: Path) -> None:
    task = make_task(drawing(word_data, tmp_path / "run"))
    indices = task.batches(1)[2]
    first = task.load(indices, 1)
    task.load(task.batches(0)[0], 0)
    again = make_task(drawing(word_data, tmp_path / "run")).load(indices, 1)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert first.images.shape[2] == 32
    drawn = range(48, 72)
    texts = [[task.words.text(place, epoch) for place in drawn] for epoch in (0, 1)]
    assert texts[0] != texts[1]
    assert set("".join(texts[0])) <= set(LETTERS), "only what the set and the fonts have"
    still = make_task(drawing(word_data, tmp_path / "run") | {"distortion": 0.0})
    real = [place for place in still.batches(0)[0] if place < 48][:1]
    assert torch.equal(still.load(real, 0).images, still.load(real, 1).images)
    assert not torch.equal(task.load(real, 0).images, task.load(real, 1).images)


@BOTH
def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_bit_for_bit(
    word_data: Path, tmp_path: Path, model: str
) -> None:
    # 9 steps an epoch; stopped after 4 and after 8
    def values(run: str, steps: int) -> dict[str, Any]:
        training: dict[str, Any] = {"schedule": "constant", "validate_every": 4, "ema": 0.9}
        training |= {"optimizer": "muon"} if model == "reader" else {"workers": 2}
        return drawing(word_data, tmp_path / run, model, steps=steps, **training)

    train_run(values("whole", 10))
    for steps in (4, 8, 10):
        words.train_reader(make_recipe(values("parts", steps)), resume=steps > 4, say=lambda _: None)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    one, other = (Run.open(tmp_path / name).weights() for name in ("parts", "whole"))
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())


@BOTH
def test_what_was_validated_is_what_the_run_reads(word_data: Path, tmp_path: Path, model: str) -> None:
    run = train_run(recipe_values(word_data, tmp_path / "run", model))
    reader = Reader.load(run, device="cpu")
    result = evaluate(reader, read_words(word_data, "val"))
    kept = Run.open(run).config["kept"]
    for name in ("word_accuracy", "cer", "ned"):
        assert getattr(result.scores, name) == pytest.approx(kept[name])
    assert reader.charset.characters == "".join(sorted(LETTERS)) + " "
    assert kept["val_loss"] > 0


@BOTH
def test_a_word_is_read_the_same_alone_and_among_others(word_data: Path, tmp_path: Path, model: str) -> None:
    reader = Reader(
        [make_task(recipe_values(word_data, tmp_path / "x", model)).build()],  # type: ignore[list-item]
        *_charset_and_shape(word_data, tmp_path, model),
    )
    crops = [crop for crop in read_words(word_data, "val").crops if isinstance(crop, Path)][:7]
    for beam in (1, 3):
        together = reader(crops, beam=beam)
        alone = [reader([crop], beam=beam)[0] for crop in crops]
        assert [reading.text for reading in together] == [reading.text for reading in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.confidence == pytest.approx(other.confidence, rel=1e-4, abs=1e-7)
            assert "".join(character for character, _ in one.characters) == one.text
            assert all(0 <= sure <= 1 for _, sure in one.characters)


@BOTH
def test_the_n_best_are_different_and_stand_by_their_probability(word_data: Path, tmp_path: Path, model: str) -> None:
    reader = Reader.load(train_run(recipe_values(word_data, tmp_path / "run", model)), device="cpu")
    crops = [crop for crop in read_words(word_data, "val").crops if isinstance(crop, Path)][:5]
    several = reader.options.model_copy(update={"beam": 4, "n_best": 3})
    for reading, single in zip(reader.predict(crops, several), reader(crops, beam=4), strict=True):
        found = [reading, *reading.others]
        assert reading.text == single.text
        assert single.others == ()
        # hardly trained, they also say tokens that are written as nothing: told apart by their probability
        assert len({each.confidence for each in found}) == 3
        assert len(found) == 3
        assert [each.confidence for each in found] == sorted((each.confidence for each in found), reverse=True)
        assert all("".join(character for character, _ in each.characters) == each.text for each in found)


def test_a_writer_draws_the_same_in_any_batch_and_a_ctc_reader_has_nothing_to_draw(
    word_data: Path, tmp_path: Path
) -> None:
    writer, ctc = (
        Reader.load(train_run(recipe_values(word_data, tmp_path / model, model)), device="cpu")
        for model in ("reader-transformer", "reader")
    )
    crops = [crop for crop in read_words(word_data, "val").crops if isinstance(crop, Path)][:6]
    asked = writer.options.model_copy(update={"sample": True, "n_best": 3, "seed": 5, "max_length": 4})
    one, other = ([*writer.predict(crops, asked, batch=batch)] for batch in (6, 1))
    texts = [[each.text for each in (reading, *reading.others)] for reading in one]
    assert texts == [[each.text for each in (reading, *reading.others)] for reading in other]
    assert len({text for drawn in texts for text in drawn}) > 3, "or nothing is drawn"
    assert max(len(text) for drawn in texts for text in drawn) <= 4
    with pytest.raises(UserError, match=r"--sample, --seed, --max-length|--max-length, --sample, --seed"):
        next(ctc.predict(crops, asked))


def _charset_and_shape(data: Path, tmp_path: Path, model: str) -> tuple[Any, Any]:
    task = make_task(recipe_values(data, tmp_path / "y", model))
    return task.charset, task.shape


def test_the_confidence_of_a_word_is_its_probability(word_data: Path, tmp_path: Path) -> None:
    model = "reader-transformer"
    reader = Reader.load(train_run(recipe_values(word_data, tmp_path / "run", model)), device="cpu")
    crops = [crop for crop in read_words(word_data, "val").crops if isinstance(crop, Path)][:4]
    for reading in reader(crops):
        rest = np.prod([sure for _, sure in reading.characters])
        assert reading.confidence <= rest * (1 + 1e-4), "the end has a probability too"


def test_an_ensemble_is_the_mean_of_its_members(word_data: Path, tmp_path: Path) -> None:
    crops = [crop for crop in read_words(word_data, "val").crops if isinstance(crop, Path)][:3]
    runs = [
        train_run(recipe_values(word_data, tmp_path / str(seed), "reader-transformer", steps=2) | {"seed": seed})
        for seed in (1, 2)
    ]
    same = Reader.load(f"{runs[0]},{runs[0]}", device="cpu")(crops)
    alone = Reader.load(runs[0], device="cpu")(crops)
    assert [reading.text for reading in same] == [reading.text for reading in alone]
    sure, wanted = ([reading.confidence for reading in found] for found in (same, alone))
    assert sure == pytest.approx(wanted, rel=1e-4)
    assert len(Reader.load(f"{runs[0]},{runs[1]}", device="cpu")(crops)) == 3
    ctc = train_run(recipe_values(word_data, tmp_path / "ctc", steps=2))
    with pytest.raises(UserError, match="no ensemble"):
        Reader.load(f"{ctc},{ctc}")


@BOTH
def test_tuning_keeps_the_characters_that_are_shared(word_data: Path, tmp_path: Path, model: str) -> None:
    start = train_run(recipe_values(word_data, tmp_path / "start", model, steps=2))
    words.write_data(tmp_path / "more", 16, 4, seed=5)
    lines = (tmp_path / "more" / "train.tsv").read_text().replace("가\n", "z\n")
    (tmp_path / "more" / "train.tsv").write_text(lines)
    still: dict[str, Any] = {"learning_rate": 1e-12, "steps": 1, "validate_every": 1}
    values = recipe_values(tmp_path / "more", tmp_path / "tuned", model, **still) | {"from": str(start)}
    values["data"] = values["data"] | {"charset": "latin36+data"}
    said: list[str] = []
    words.train_reader(make_recipe(values), say=said.append)
    assert "characters are known to it" in said[-1]
    before, after = (Reader.load(run, device="cpu") for run in (start, tmp_path / "tuned"))
    for letter in LETTERS[1:]:
        rows = [reader.models[0].output.weight[reader.charset.encode(letter)[0]] for reader in (before, after)]
        torch.testing.assert_close(*rows)
    old, new = Run.open(start).weights(), Run.open(tmp_path / "tuned").weights()
    same = [name for name in old if old[name].shape == new[name].shape and "running" not in name]
    assert all(torch.allclose(new[name], old[name], atol=1e-6) for name in same if new[name].is_floating_point())
    values["model"] = values["model"] | {"dim": 32}
    with pytest.raises(UserError, match=r"model\.dim = 16 \(here 32\)"):
        train_run(values | {"run": str(tmp_path / "wide")})


def test_tuning_starts_from_a_classifier_s_body(word_data: Path, shapes: Path, tmp_path: Path) -> None:
    body: dict[str, Any] = {"architecture": "resnet", "stem": "small", "image_size": 16}
    body |= {"widths": [16, 16, 16, 16], "blocks": [1, 1, 1, 1], "strides": [[2, 2], [2, 2], [2, 1], [2, 1]]}
    start = pictures.train_run(shapes, tmp_path / "body", model=body)
    still: dict[str, Any] = {"learning_rate": 1e-12, "steps": 1, "validate_every": 1}
    run = train_run(recipe_values(word_data, tmp_path / "run", **still) | {"from": str(start)})
    reader, weights = Reader.load(run, device="cpu"), Run.open(start).weights()
    name = "stem.convolution.weight"
    torch.testing.assert_close(Run.open(run).weights()[f"encoder.body.{name}"], weights[name])
    assert reader.shape.mean == pytest.approx(json.loads((start / "preprocessing.json").read_text())["mean"])


@pytest.mark.parametrize(("pool", "tokens"), [("class", 1), ("mean", 0)])
def test_tuning_starts_from_a_vit_with_its_tokens_in_front(
    word_data: Path, shapes: Path, tmp_path: Path, pool: str, tokens: int
) -> None:
    body: dict[str, Any] = {"pool": pool, "image_size": 16, "patch": 8, "dim": 16, "heads": 2}
    start = pictures.train_run(shapes, tmp_path / "body", model=body | {"depth": 1, "hidden": 32})
    values = recipe_values(word_data, tmp_path / "run", "reader-vit", learning_rate=1e-12, steps=1, validate_every=1)
    tuned = Run.open(train_run(values | {"from": str(start)})).weights()
    given = Run.open(start).weights()
    name = "encoder.tokens.prefix"
    assert len(given[name]) == tokens
    torch.testing.assert_close(tuned[name], given[name])
    assert len(tuned["encoder.tokens.positions.weight"]) == tokens + 4 * 8


def test_a_vit_sees_every_word_at_one_width(word_data: Path, tmp_path: Path) -> None:
    task = make_task(drawing(word_data, tmp_path / "run", "reader-vit"))
    assert {task.load(batch, 0).images.shape[2:] for batch in task.batches(0)} == {(32, 64)}


def test_words_that_no_font_has_are_never_drawn(word_data: Path, tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    box_font(tmp_path / "fonts" / "few.ttf", dict.fromkeys(LETTERS[:4], "box"))
    values = drawing(word_data, tmp_path / "run")
    values["data"] = values["data"] | {"fonts": str(tmp_path / "fonts")}
    said: list[str] = []
    task = words.ReadTask(make_recipe(values), say=said.append)
    assert "no font has 2 of the characters, which are never drawn: 마 바" in said[-1]
    assert set("".join(task.words.text(place, 0) for place in range(48, 72))) <= set(LETTERS[:4])


def test_a_reader_that_reads_everything_alike_is_told(word_data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    task = words.ReadTask(make_recipe(recipe_values(word_data, tmp_path / "run")), say=said.append)
    told = len(said)
    task._watch(["A"] * 20)
    assert len(said) == told, "so a reader begins"
    task._watch([""] * 20)
    assert "100 % of the words are read as nothing at all" in said[-1]
    task._watch(["A"] * 10 + ["B"] * 10)
    assert len(said) == told + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"preset": "huge"}}, "preset"),
        ({"model": {"dimm": 5}}, "did you mean model.dim"),
        ({"label_smoothing": 0.1}, "CTC has none"),
        ({"data": {"folder": "x", "case": "upper"}}, "case"),
        ({"training": {"steps": 1, "metric": "bleu"}}, "choose one of val_loss, word_accuracy"),
        ({"distorsion": 1}, "did you mean distortion"),
        ({"model": {"preset": "reader-vit"}, "data": {"folder": "x", "width_step": 8}}, "means nothing to a ViT"),
    ],
)
def test_a_wrong_recipe_names_its_key(word_data: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_recipe(recipe_values(word_data, tmp_path / "run") | change)


def test_sizes_that_do_not_go_together(word_data: Path, tmp_path: Path) -> None:
    values = recipe_values(word_data, tmp_path / "run")
    with pytest.raises(UserError, match=r"dim = 18 is not a multiple of heads"):
        make_task(values | {"model": values["model"] | {"dim": 18, "heads": 4}})
    with pytest.raises(UserError, match="no character set"):
        make_task(values | {"data": values["data"] | {"charset": "latin"}})


def test_there_are_fewer_than_sixty_options() -> None:
    for preset in MODELS:
        assert len(explain(ReadRecipe, {"model": {"preset": preset}})) < 60
