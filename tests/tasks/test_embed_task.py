"""Laws of the embedding task: what the training loop relies on, and what a run says of itself."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tests.tasks import sentences, small
from tests.tasks.sentences import MODELS, OBJECTIVES, loss_of, make_recipe, make_task, recipe_values, train_run

from jumok.config import explain
from jumok.data.graded import read_graded
from jumok.data.tokenizer import BEGIN
from jumok.errors import UserError
from jumok.models.sentence_encoder import SentenceEncoder
from jumok.tasks.embed import EmbedRecipe
from jumok.tasks.embed_attention import pair_view
from jumok.tasks.embed_data import mixed_batches, short_names
from jumok.tasks.embed_evaluate import evaluate
from jumok.tasks.embed_predict import SentenceEmbedder
from jumok.training.run import Run

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("model", list(MODELS))


def losses(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    clocks = ("sentences_per_second", "minutes")
    return [{key: value for key, value in line.items() if key not in clocks} for line in lines]


def test_batches_keep_the_shares_and_see_everything() -> None:
    sizes, shares = [50, 7, 400], [2.0, 1.0, 1.0]
    epochs = [mixed_batches(sizes, shares, 20, 1, epoch) for epoch in range(3)]
    first = [[i for i in batch if i < 50] for batch in epochs[0]]
    assert sorted(i for batch in first for i in batch) == list(range(50)), "an epoch sees the first set once"
    assert {len(batch) for batch in first} == {10}
    second = [[i - 50 for i in batch if 50 <= i < 57] for epoch in epochs for batch in epoch]
    assert {len(batch) for batch in second} == {5}
    stream = [i for batch in second for i in batch]
    rounds = [stream[start : start + 7] for start in range(0, len(stream) - 6, 7)]
    assert all(sorted(part) == list(range(7)) for part in rounds), "a small set is gone through again and again"
    third = [i for epoch in epochs for batch in epoch for i in batch if i >= 57]
    assert len(third) == len(set(third)) == 75, "a large one goes on where the last epoch ended"
    assert epochs[1] == mixed_batches(sizes, shares, 20, 1, 1) != mixed_batches(sizes, shares, 20, 2, 1)


def test_loading_is_a_pure_function(sentence_data: Path, tmp_path: Path) -> None:
    values = recipe_values(sentence_data, tmp_path / "run")
    values["tokenizer"] = {"size": 310, "sampling": 0.3}
    task = make_task(values)
    indices = task.batches(1)[1]
    first = task.load(indices, 1)
    task.load(task.batches(0)[0], 0)
    again = make_task(values).load(indices, 1)
    for (tokens, lengths), (others, more) in zip(first.chunks, again.chunks, strict=True):
        assert torch.equal(tokens, others)
        assert torch.equal(lengths, more)
    assert torch.equal(first.order, again.order)
    other = task.load(indices, 2)
    assert [t.tolist() for t, _ in other.chunks] != [t.tolist() for t, _ in first.chunks], "cut anew in each epoch"


def test_a_batch_holds_the_sentences_that_it_says(sentence_data: Path, tmp_path: Path) -> None:
    for model in ("transformer", "bert"):
        task = make_task(recipe_values(sentence_data, tmp_path / "run", model))
        batch = task.load(task.batches(0)[0], 0)
        rows = [
            row[:length].tolist()
            for tokens, lengths in batch.chunks
            for row, length in zip(tokens, lengths, strict=True)
        ]
        for source, part in zip(task.sources, batch.rows, strict=True):
            numbers = torch.cat(part.texts).tolist()
            places = torch.cat([part.left, part.right, part.negatives])
            for number, place in zip(numbers, places.tolist(), strict=True):
                expected = task.pieces[number][: task.config.room]
                assert rows[batch.order[place]] == ([BEGIN, *expected] if model == "bert" else expected)
            assert len(part.left) == len(part.right) == len(part.grades), source.objective.kind


@EACH
def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_bit_for_bit(
    sentence_data: Path, tmp_path: Path, model: str
) -> None:
    def values(run: str, steps: int) -> dict[str, Any]:
        return recipe_values(sentence_data, tmp_path / run, model, steps=steps, schedule="constant", ema=0.9)

    train_run(values("whole", 7))
    # of five steps an epoch; at the fourth both are validated, so that both choose the best of the same
    for steps in (4, 7):
        sentences.train_embedder(make_recipe(values("parts", steps)), resume=steps > 4, say=lambda _: None)
    kept = [line for line in losses(tmp_path / "parts") if "loss" in line]
    assert kept == [line for line in losses(tmp_path / "whole") if "loss" in line]
    one, other = (Run.open(tmp_path / name).weights() for name in ("parts", "whole"))
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())


@EACH
def test_what_was_validated_is_what_the_run_scores(sentence_data: Path, tmp_path: Path, model: str) -> None:
    run = train_run(recipe_values(sentence_data, tmp_path / "run", model))
    embedder = SentenceEmbedder.load(run, device="cpu")
    pairs = read_graded(sentence_data / "val.tsv")
    result = evaluate(embedder, pairs)
    kept = Run.open(run).config["kept"]
    assert result.scores.spearman == pytest.approx(kept["spearman"])
    assert result.scores.pearson == pytest.approx(kept["pearson"], abs=1e-3)
    assert 0 <= kept["retrieval"] <= 100
    assert kept["val_loss"] == pytest.approx(np.square(np.array(result.similarities) - pairs.grades).mean(), abs=1e-4)


@EACH
def test_vectors_keep_the_order_of_lines(sentence_data: Path, tmp_path: Path, model: str) -> None:
    task = make_task(recipe_values(sentence_data, tmp_path / "run", model))
    embedder = SentenceEmbedder(task.build(), task.tokenizer)
    lines = [*(sentence_data / "corpus.txt").read_text().splitlines()[:9], "", "red", "a red  star", "a red star"]
    vectors = embedder(lines)
    assert vectors.shape == (13, 16)
    assert vectors.dtype == np.float32
    alone = np.concatenate([embedder([line]) for line in lines])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    np.testing.assert_allclose(embedder(lines[::-1])[::-1], vectors, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(lines, batch_tokens=1).vectors, vectors, atol=1e-5)
    np.testing.assert_allclose(vectors[11], vectors[12], atol=1e-6)
    if model == "bert":
        assert np.linalg.norm(vectors[9]) == 0
    lengths = np.linalg.norm(np.delete(vectors, 9, 0), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    assert embedder([]).shape == (0, 16)


def test_long_lines_are_cut_or_read_in_windows(sentence_data: Path, tmp_path: Path) -> None:
    task = make_task(recipe_values(sentence_data, tmp_path / "run"))
    embedder = SentenceEmbedder(task.build().eval(), task.tokenizer)
    room = embedder.model.config.room
    pieces = task.tokenizer.encode("red star " * 10_000)
    text = "red star " * 10_000
    cut, read = embedder.embed([text, "red"]), embedder.embed([text, "red"], windows=True)
    assert cut.long == read.long == 1
    parts = [pieces[start : start + room] for start in range(0, len(pieces), room)]
    each = embedder._vectors(parts).astype(np.float64)
    mean = (each * [[len(part)] for part in parts]).sum(0)
    np.testing.assert_allclose(read.vectors[0], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(cut.vectors[0], each[0], atol=1e-5)


def test_two_processes_have_the_loss_of_one(sentence_data: Path) -> None:
    task = make_task(recipe_values(sentence_data, sentence_data / "none"))
    # of each objective so many that the halves are unequal; the second process has no graded pair at all
    counts = [7, 5, 3, 2, 4]
    firsts = np.cumsum([0, *(len(source.examples) for source in task.sources)])
    whole, halves = [], ([], [])  # type: ignore[var-annotated]
    for first, count, share in zip(firsts, counts, [4, 2, 1, 2, 2], strict=False):
        rows = list(range(first, first + count))
        whole += rows
        halves[0].extend(rows[:share])
        halves[1].extend(rows[share:])
    total, gradients = loss_of(sentence_data, whole)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "tests/tasks/sentences.py"), str(sentence_data)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    processes = [
        subprocess.Popen([*command, str(rank), str(port), *map(str, half)], env=environment)
        for rank, half in enumerate(halves)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    found = [torch.load(sentence_data / f"rank-{rank}.pt") for rank in (0, 1)]
    assert sum(one["total"] for one in found) == pytest.approx(total, rel=1e-5)
    for name, gradient in gradients.items():
        both = found[0]["gradients"][name] + found[1]["gradients"][name]
        torch.testing.assert_close(both, gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("objectives", [OBJECTIVES, [{"kind": "contrastive", "files": ["train.tsv"]}]])
def test_two_processes_train(sentence_data: Path, tmp_path: Path, objectives: list[dict[str, Any]]) -> None:
    values = recipe_values(sentence_data, tmp_path / "run") | {"objectives": objectives}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "jumok", "train", str(tmp_path / "recipe.yaml"), "--devices", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    assert Run.open(tmp_path / "run").config["kept"]["step"] > 0


def test_a_loss_is_symmetric_in_its_sides(sentence_data: Path, tmp_path: Path) -> None:
    totals = []
    for files in (["left.txt", "right.txt"], ["right.txt", "left.txt"]):
        values = recipe_values(sentence_data, tmp_path / "run")
        values["objectives"] = [{"kind": "translation", "files": files}]
        task = make_task(values | {"tokenizer": {"size": 310}})
        torch.manual_seed(1)
        model = task.build().eval()
        totals.append(float(task.loss(model, task.load(list(range(8)), 0)).total.detach()))
    assert totals[0] == pytest.approx(totals[1], rel=1e-4)


def test_held_out_sentences_are_never_learnt(sentence_data: Path, tmp_path: Path) -> None:
    data = sentences.write_data(tmp_path / "data")
    leaked = (data / "val.tsv").read_text().splitlines()[1].split("\t")[0]
    with (data / "train.tsv").open("a") as file:
        file.write(f"{leaked.upper()}\tsomething\telse\n")
    said: list[str] = []
    values = recipe_values(data, tmp_path / "run")
    values["data"] = values["data"] | {"lowercase": True}
    task = sentences.EmbedTask(make_recipe(values), say=said.append)
    assert leaked not in task.texts
    assert "also held out: 1 hold a sentence of" in said[0]
    assert "kept for training: 160 of 161 examples" in said[0]
    values["data"] = values["data"] | {"held_out": ["graded.tsv"]}
    with pytest.raises(UserError, match="is left to learn from: each example holds a sentence that is held out"):
        make_task(values)


def test_it_starts_from_a_translator_s_encoder(data: Path, tmp_path: Path, sentence_data: Path) -> None:
    start = small.train_run(data, tmp_path / "translator", steps=2, validate_every=2)
    config = Run.open(start).config["model"]
    sizes = {key: config[key] for key in ("dim", "heads", "depth", "hidden", "positions", "norm", "activation")}
    still: dict[str, Any] = {"learning_rate": 1e-12, "steps": 1, "validate_every": 1}
    values = recipe_values(sentence_data, tmp_path / "run", **still) | {"from": str(start)}
    values["model"] = sizes | {"max_len": 40}
    run = train_run(values)
    mine, theirs = Run.open(run).weights(), Run.open(start).weights()
    name = "encoder.blocks.0.attention.qkv.weight"
    torch.testing.assert_close(mine[name], theirs[name])
    again = recipe_values(sentence_data, tmp_path / "again", **still) | {"from": str(run), "model": values["model"]}
    torch.testing.assert_close(Run.open(train_run(again)).weights()[name], mine[name])
    values["model"] = values["model"] | {"hidden": 4}
    with pytest.raises(UserError, match=r"model\.hidden = \d+ \(here 4\)"):
        train_run(values | {"run": str(tmp_path / "other")})


@EACH
def test_contributions_sum_to_the_cosine(sentence_data: Path, tmp_path: Path, model: str) -> None:
    task = make_task(recipe_values(sentence_data, tmp_path / "run", model))
    torch.manual_seed(2)
    net = task.build()
    assert isinstance(net, SentenceEncoder)
    embedder = SentenceEmbedder(net, task.tokenizer)
    first, second = "a big red star above a box", "a small blue star"
    view = pair_view(embedder, first, second)
    vectors = embedder([first, second]).astype(np.float64)
    assert view.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    if model in ("dan", "bert"):
        assert view.contributions is None, "no sum over tokens"
    else:
        assert view.contributions is not None
        assert float(view.contributions.sum()) + view.rest == pytest.approx(view.similarity, abs=1e-5)
        assert abs(view.rest) < 1e-5
    assert view.cosines.shape == tuple(map(len, view.pieces))
    assert all(weights.shape[-1] == len(view.pieces[0]) for weights in view.maps[0].values())
    assert bool(view.maps[0]) == (model != "dan")
    with pytest.raises(UserError, match="no text to look at"):
        pair_view(embedder, first, " ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objectives": [{"kind": "contrast", "files": ["a"]}]}, "kind"),
        ({"objectives": [{"kind": "translation", "files": ["a"]}]}, "needs 2 files, not 1"),
        ({"objectives": [{"kind": "graded", "files": ["a"], "margin": 0.1}]}, "margin means nothing to kind = graded"),
        ({"objectives": []}, "objectives"),
        ({"model": {"preset": "huge"}}, "preset"),
        ({"training": {"steps": 1, "metric": "bleu"}}, "choose one of val_loss, spearman"),
        ({"data": {"folder": "x"}}, r"name some in data\.val"),
    ],
)
def test_a_wrong_recipe_names_its_key(
    sentence_data: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_recipe(recipe_values(sentence_data, tmp_path / "run") | change)


def test_what_is_missing_is_named(sentence_data: Path, tmp_path: Path) -> None:
    values = recipe_values(sentence_data, tmp_path / "run")
    with pytest.raises(UserError, match="there is no folder"):
        make_task(values | {"data": values["data"] | {"folder": str(tmp_path / "none")}})
    with pytest.raises(UserError, match="there is no file"):
        make_task(values | {"objectives": [{"kind": "contrastive", "files": ["none.tsv"]}]})
    with pytest.raises(UserError, match="has no labels"):
        make_task(values | {"objectives": [{"kind": "entailment", "files": ["graded.tsv"]}]})


def test_there_are_fewer_than_sixty_options() -> None:
    for architecture in ("transformer", "dan"):
        assert len(explain(EmbedRecipe, {"model": {"architecture": architecture}})) < 60


def test_every_objective_is_learnt(sentence_data: Path, tmp_path: Path) -> None:
    run = train_run(recipe_values(sentence_data, tmp_path / "run"))
    lines = [line for line in losses(run) if "loss" in line]
    kinds = {f"{objective['kind']}_loss" for objective in OBJECTIVES}
    assert all(kinds <= line.keys() and all(line[kind] > 0 for kind in kinds) for line in lines)
    before = make_task(recipe_values(sentence_data, tmp_path / "x")).build().state_dict()
    after = Run.open(run).weights()
    assert len(after["log_scales"]) == 1
    assert not torch.equal(after["classifier.weight"], before["classifier.weight"])
    assert Run.open(run).config["model"]["labels"] == ["other", "same"]


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    names = ["sts/stsb/dev.csv", "sts/korsts/dev.tsv.gz", "other/test.tsv"]
    assert short_names([Path(name) for name in names]) == ["stsb/dev", "korsts/dev", "other/test"]
    assert short_names([Path("a/dev.csv"), Path("b/test.csv")]) == ["dev", "test"]
    assert short_names([]) == []
