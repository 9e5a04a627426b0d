"""A captioner's captions: alone as in a batch, the best first, of one run or of several, and what cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.data.pictures import noise, save
from tests.tasks.photos import MODELS, make_task, train_run

import jumok
from jumok.data.batching import written
from jumok.data.captions import read_captions
from jumok.data.image_file import decode
from jumok.data.image_store import shorter
from jumok.data.tokenizer import PAD
from jumok.decoding.search import SearchOptions
from jumok.errors import UserError
from jumok.models.image_to_text import ImageToText
from jumok.tasks.caption_baselines import baselines, most_frequent, nearest, training_list
from jumok.tasks.caption_evaluate import evaluate
from jumok.tasks.caption_predict import Captioner


@pytest.fixture(scope="module")
def photos_of(scenes: Path) -> list[Path]:
    return sorted((scenes / "images").glob("val-*.png"))


def decided(scenes: Path, photos: list[Path], run: Path, name: str) -> Captioner:
    """A captioner of random weights, drawn until they are such that not all photos get the same caption."""
    task = make_task(scenes, run, model=MODELS[name])
    for _ in range(60):
        model = task.build()
        assert isinstance(model, ImageToText)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(2.0)
        captioner = Captioner([model], task.tokenizer, task.preprocessing, SearchOptions(beam=1, max_length=12))
        if len({answer.text for answer in captioner(photos)}) > 1:
            return captioner
    raise AssertionError("no draw of weights looks at the photos")


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize(
    "options",
    [{"beam": 1}, {"beam": 3, "n_best": 2}, {"sample": True, "n_best": 3, "seed": 4, "temperature": 0.7}],
    ids=["greedy", "beam", "sampling"],
)
def test_a_caption_alone_is_that_in_a_batch(
    scenes: Path, photos_of: list[Path], tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    captioner = decided(scenes, photos_of, tmp_path / "run", name)
    asked = captioner.options.model_copy(update=options)
    whole = list(captioner.predict(photos_of, asked, batch=12))
    for batch in (1, 5):
        for one, other in zip(captioner.predict(photos_of, asked, batch=batch), whole, strict=True):
            assert one.path == other.path
            assert [caption.text for caption in one.captions] == [caption.text for caption in other.captions]
            for a, b in zip(one.captions, other.captions, strict=True):
                assert a.score == pytest.approx(b.score, abs=1e-4)
    if not asked.sample:
        assert all(len(answer.captions) == asked.n_best for answer in whole)


def test_an_ensemble_of_one_run_twice_is_the_run(captioner_run: Path, photos_of: list[Path]) -> None:
    one = Captioner.load(captioner_run, device="cpu")(photos_of[:4], beam=3)
    two = Captioner.load(f"{captioner_run},{captioner_run}", device="cpu")(photos_of[:4], beam=3)
    assert [answer.text for answer in one] == [answer.text for answer in two]
    loaded = jumok.load(str(captioner_run))
    assert isinstance(loaded, Captioner)
    assert loaded(photos_of[:2], beam=3)[1].text == one[1].text


def test_runs_that_see_or_write_otherwise_are_no_ensemble(
    scenes: Path, captioner_run: Path, photos_of: list[Path], tmp_path: Path
) -> None:
    words = train_run(scenes, tmp_path / "words", tokenizer={"size": 320})
    with pytest.raises(UserError, match=r"vocabulary of run 2 differs"):
        Captioner.load(f"{captioner_run},{words}")
    sizes = MODELS["cnn-transformer"] | {"image_size": 24}
    larger = train_run(scenes, tmp_path / "larger", model=sizes)
    with pytest.raises(UserError, match="see images of another size"):
        Captioner.load(f"{captioner_run},{larger}")


def test_what_cannot_be_read_says_why(captioner_run: Path, photos_of: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    save(tmp_path / "grey.png", noise(9, 200, channels=1))
    save(tmp_path / "clear.png", noise(40, 30, channels=4))
    save(tmp_path / "strip.png", noise(200, 1))
    paths = [photos_of[0], tmp_path / "text.jpg", *(tmp_path / f"{name}.png" for name in ("grey", "clear", "strip"))]
    found = Captioner.load(captioner_run, device="cpu")(paths, batch=2)
    assert [answer.path for answer in found] == paths
    assert [answer.reason is None for answer in found] == [True, False, True, True, True]
    assert (found[1].text, found[1].captions) == ("", ())


def test_captions_are_nearly_as_likely_in_bf16(captioner_run: Path, photos_of: list[Path]) -> None:
    exact, rounded = (Captioner.load(captioner_run, precision=p, device="cpu") for p in ("fp32", "bf16"))
    images = exact.prepared([decode(path, 3, shorter(exact.preprocessing.size))[0] for path in photos_of])
    # of the same captions: where two words are as likely, the rest of a caption may go either way
    target, labels, _ = written([answer.captions[0].pieces for answer in exact(photos_of, beam=1)])
    likely = []
    for captioner in (exact, rounded):
        with torch.inference_mode():
            logits = captioner.models[0](images, target).float()
        likely.append(logits.log_softmax(-1).gather(2, labels[:, :, None])[:, :, 0].masked_fill(labels == PAD, 0))
    torch.testing.assert_close(likely[1], likely[0], rtol=0.02, atol=0.1)
    assert (likely[0].sum(1) < -1).all(), "or there is nothing to compare"
    assert all(answer.captions[0].text for answer in rounded(photos_of, beam=1))


def test_nearest_is_nearest(seed: int) -> None:
    random = np.random.default_rng(seed)
    images, others = random.random((5, 12), dtype=np.float32), random.random((40, 12), dtype=np.float32)
    wanted = [int(np.square(others - image).sum(1).argmin()) for image in images]
    assert nearest(images, others) == wanted


def test_the_baselines_are_what_they_say(scenes: Path, captioner_run: Path) -> None:
    train = read_captions(scenes, "train")
    task = make_task(scenes, captioner_run)
    # asked about the training images themselves, the nearest image is the image: its first caption is a reference
    found = baselines(train, task.train)
    assert found.nearest_image.bleu4 == pytest.approx(100)
    assert found.images == 48
    assert most_frequent([["a dog .", "A cat"], ["A dog"]]) == "a dog"
    assert found.most_frequent.distinct == pytest.approx(100 / 48)
    assert found.caption == most_frequent(train.captions)


def test_an_evaluation_tells_scores_scenes_and_baselines(scenes: Path, captioner_run: Path) -> None:
    captioner = Captioner.load(captioner_run, device="cpu")
    val = read_captions(scenes, "val")
    result = evaluate(captioner, val, train=read_captions(scenes, "train"))
    values = result.as_dict()
    assert {"cider", "bleu1", "bleu4", "rouge_l", "distinct", "vocabulary", "exact_scenes", "baselines"} <= set(values)
    assert set(values["baselines"]) == {"most_frequent_caption", "nearest_training_image"}
    assert [row[0] for row in result.rows("run")] == ["run", "most frequent caption", "nearest training image"]
    assert len(result.predictions().splitlines()) == len(val)
    alone = evaluate(captioner, val)
    assert alone.baselines is None
    assert alone.scores.cider == pytest.approx(result.scores.cider)


def test_the_training_list_is_found_or_not(scenes: Path, captioner_run: Path) -> None:
    from jumok.training.run import Run

    recipe = Run.open(captioner_run).config["recipe"]
    found = training_list(recipe)
    assert found is not None
    assert len(found) == 48
    assert training_list(recipe | {"data": recipe["data"] | {"folder": "/nowhere"}}) is None
