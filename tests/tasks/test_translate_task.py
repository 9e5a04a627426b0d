"""Laws of the translation task: what the training loop relies on."""

import shutil
from pathlib import Path

import pytest
import torch
from tests.tasks import small
from torch.nn import functional as F

from jumok.data.tokenizer import PAD, TokenizerPair
from jumok.errors import UserError
from jumok.models.encoder_decoder import EncoderDecoder
from jumok.tasks.translate import TranslateRecipe, TranslateTask


def quiet(_: str) -> None:
    pass


def make_task(data: Path, tmp_path: Path, sampling: float = 0.0, **changes: object) -> TranslateTask:
    values = small.recipe_values(data, tmp_path / "run")
    values["tokenizer"]["sampling"] = sampling
    return TranslateTask(TranslateRecipe.model_validate(values | changes), say=quiet)


def test_batches_and_loading_are_pure_functions_of_seed_epoch_and_index(data: Path, tmp_path: Path, seed: int) -> None:
    one = make_task(data, tmp_path, sampling=0.5, seed=seed)
    two = make_task(data, tmp_path, sampling=0.5, seed=seed)
    epoch = seed % 7
    assert one.batches(epoch) == two.batches(epoch)
    indices = one.batches(epoch)[0]
    one.load(one.batches(epoch)[1], epoch)  # what was loaded before does not matter
    first, second = one.load(indices, epoch), two.load(indices, epoch)
    assert torch.equal(first.source, second.source)
    assert torch.equal(first.labels, second.labels)
    # a sample's pieces do not depend on its neighbours
    alone = two.load(indices[-1:], epoch)
    length = int(alone.source_lengths[0])
    assert torch.equal(alone.source[0], first.source[-1, :length])


def test_every_kept_pair_is_in_each_epoch_once(data: Path, tmp_path: Path) -> None:
    task = make_task(data, tmp_path)
    for epoch in (0, 1):
        indices = sorted(index for batch in task.batches(epoch) for index in batch)
        assert indices == list(range(len(task.report.keep)))


def test_sampling_changes_the_pieces_but_never_the_text(data: Path, tmp_path: Path) -> None:
    task = make_task(data, tmp_path, sampling=0.5)
    indices = task.batches(0)[0]
    seen = set()
    for epoch in range(3):
        batch = task.load(indices, epoch)
        pieces = [row[: int(n)].tolist() for row, n in zip(batch.source, batch.source_lengths, strict=True)]
        assert [task.tokenizers.source.decode(row) for row in pieces] == [
            task.train.sources[task.report.keep[index]] for index in indices
        ]
        seen.add(str(pieces))
    assert len(seen) > 1


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_cross_entropy_of_the_real_tokens(data: Path, tmp_path: Path, smoothing: float) -> None:
    task = make_task(data, tmp_path, label_smoothing=smoothing)
    model = task.build().eval()
    assert isinstance(model, EncoderDecoder)
    batch = task.load(max(task.batches(0), key=len), 0)
    loss = task.loss(model, batch)
    logits = model(batch.source, batch.source_lengths, batch.target)
    expected = F.cross_entropy(
        logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PAD, reduction="sum", label_smoothing=smoothing
    )
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-4)
    assert loss.weight == int((batch.labels != PAD).sum())
    guesses = (logits.argmax(-1) == batch.labels) & (batch.labels != PAD)
    assert float(loss.metrics["accuracy"]) == pytest.approx(100 * int(guesses.sum()))


def test_padding_and_neighbours_do_not_change_a_pairs_loss(data: Path, tmp_path: Path) -> None:
    task = make_task(data, tmp_path)
    model = task.build().eval()
    indices = max(task.batches(0), key=len)
    together = task.loss(model, task.load(indices, 0)).total.item()
    alone = sum(task.loss(model, task.load([index], 0)).total.item() for index in indices)
    assert together == pytest.approx(alone, rel=1e-4)


def test_groups_hold_each_parameter_once_and_decay_no_norm_or_bias(data: Path, tmp_path: Path) -> None:
    values = {"preset": "tiny", "dim": 16, "heads": 2, "positions": "learned", "max_len": 64}
    task = make_task(data, tmp_path, model=values)
    model = task.build()
    matrices, decayed, plain = task.groups(model, 0.1)
    assert [group["weight_decay"] for group in (matrices, decayed, plain)] == [0.1, 0.1, 0.0]
    each = [id(p) for group in (matrices, decayed, plain) for p in group["params"]]
    assert sorted(each) == sorted(id(p) for p in model.parameters())
    names = {id(p): name for name, p in model.named_parameters()}
    assert not [n for p in decayed["params"] if "norm" in (n := names[id(p)]) or "positions" in n or ".blocks." in n]
    inner = {names[id(p)] for p in matrices["params"]}
    assert inner == {n for n in names.values() if ".blocks." in n and n.endswith("weight") and "norm" not in n}
    assert matrices["matrices"]


def test_validation_scores_what_it_promises_and_knows_which_way_is_better(data: Path, tmp_path: Path) -> None:
    task = make_task(data, tmp_path)
    shown: list[str] = []
    scores = task.validate(task.build().eval(), shown.append)
    assert set(scores) == {"val_loss", "ppl", "accuracy", "bleu", "chrf"}
    assert shown[-1] == "decoded 20 of 20"
    assert not task.higher_is_better("val_loss")
    assert task.higher_is_better("bleu")
    with pytest.raises(UserError, match="choose one of"):
        task.higher_is_better("blue")


def test_a_snapshot_holds_the_tokenizer(data: Path, tmp_path: Path) -> None:
    task = make_task(data, tmp_path)
    task.snapshot(tmp_path)
    text = "ga na  \N{HANGUL SYLLABLE GA}!"
    assert TokenizerPair.load(tmp_path).source.encode(text) == task.tokenizers.source.encode(text)


def test_data_hashes_do_not_depend_on_where_the_data_stands(data: Path, tmp_path: Path) -> None:
    copy = small.write_data(tmp_path / "elsewhere")
    assert make_task(data, tmp_path).describe()["data"] == make_task(copy, tmp_path).describe()["data"]


def test_only_a_run_with_the_same_sizes_can_be_continued(data: Path, tmp_path: Path) -> None:
    task = make_task(data, tmp_path)
    described = task.describe()
    task.check_start(described)
    task.check_start(described | {"model": described["model"] | {"dropout": 0.5}})  # does not shape the weights
    with pytest.raises(UserError, match=r"model\.dim = 32 \(here 16\)"):
        task.check_start(described | {"model": described["model"] | {"dim": 32}})


def test_two_vocabularies_are_trained_and_kept_apart(data: Path, tmp_path: Path) -> None:
    values = small.recipe_values(data, tmp_path / "run")
    values["tokenizer"]["joint"] = False
    values["model"]["tied"] = "target"
    task = TranslateTask(TranslateRecipe.model_validate(values), say=quiet)
    assert task.tokenizers.source is not task.tokenizers.target
    assert task.tokenizers.source.encode("ga") != task.tokenizers.target.encode("ga")
    task.snapshot(tmp_path)
    assert not TokenizerPair.load(tmp_path).joint


def test_the_report_looks_for_test_sentences_in_the_training_data(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    for ending in ("xx", "yy"):
        lines = (data / f"train.{ending}").read_text().splitlines()[:2]
        (folder / f"test.{ending}").write_text("".join(f"{line}\n" for line in [*lines, "never seen"]))
    said: list[str] = []
    values = small.recipe_values(folder, tmp_path / "run")
    TranslateTask(TranslateRecipe.model_validate(values), say=said.append)
    assert "test: 3 pairs" in said[0]
    assert "also in train: 2 sources, 2 whole pairs" in said[0].partition("test: 3 pairs")[2]
