"""The `model` keys of a recipe: a family, its preset, what is changed; and runs of every family, from start to use."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tasks import small

from jumok.config import explain, parse
from jumok.errors import UserError
from jumok.insight.viewer import attention_page
from jumok.models.convs2s import ConvS2S
from jumok.models.seq2seq import Seq2Seq
from jumok.models.transformer import Transformer
from jumok.tasks.translate import TranslateRecipe, TranslateTask, Translator
from jumok.tasks.translate_train import train_translator
from jumok.tasks.translator_options import ConvS2SOptions, Seq2SeqOptions, TransformerOptions, sized
from jumok.training.run import Run

SIZES = {"dim": 16, "depth": 1, "max_len": 64}
FAMILIES: dict[str, tuple[dict[str, Any], type]] = {
    "transformer": ({"preset": "tiny", "heads": 2, "hidden": 32}, Transformer),
    "seq2seq": ({"architecture": "seq2seq", "preset": "bahdanau"}, Seq2Seq),
    "convs2s": ({"architecture": "convs2s", "kernel": 5}, ConvS2S),
}
OPTIONS = {"transformer": TransformerOptions, "seq2seq": Seq2SeqOptions, "convs2s": ConvS2SOptions}


def values_of(data: Path, run: Path, **model: Any) -> dict[str, Any]:
    values = small.recipe_values(data, run, steps=3, validate_every=3, save_every=3)
    return values | {"model": SIZES | model}


def recipe_of(data: Path, run: Path, **model: Any) -> TranslateRecipe:
    return parse(TranslateRecipe, values_of(data, run, **model), "the test's recipe")


def message(data: Path, **model: Any) -> str:
    with pytest.raises(UserError) as caught:
        recipe_of(data, Path("run"), **model)
    return str(caught.value)


# ---- from a recipe to a run


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recipe_trains_a_model_that_translates_and_goes_on(family: str, data: Path, tmp_path: Path) -> None:
    model, kind = FAMILIES[family]
    run = tmp_path / "run"
    train_translator(recipe_of(data, run, **model), say=lambda _: None)
    translator = Translator.load(run, device="cpu")
    assert isinstance(translator.models[0], kind)
    sources = ["ga na da", "", "ra"]
    answers = translator(sources)
    assert len(answers) == 3
    assert answers[1] == ""
    assert translator(sources[:1]) == answers[:1]
    stored = Run.open(run).config
    assert stored["model"]["architecture"] == family
    assert parse(TranslateRecipe, stored["recipe"], "its config").model.architecture == family
    before = Run.open(run).weights()
    longer = values_of(data, run, **model)
    longer["training"] |= {"steps": 5, "validate_every": 5, "save_every": 5}
    train_translator(parse(TranslateRecipe, longer, "the test's recipe"), resume=True, say=lambda _: None)
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 3, 4, 5, 5]
    after = Run.open(run).weights()
    assert any(not torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_killed_on_its_way_gives_the_same_losses_and_weights(
    family: str, data: Path, tmp_path: Path
) -> None:
    """Law: exact resume, for every family, its dropout included."""
    found = []
    for name in ("whole", "killed"):
        values = values_of(data, tmp_path / name, **FAMILIES[family][0], dropout=0.2)
        values["training"] |= {"steps": 6, "validate_every": 6, "save_every": 2, "keep": 3}
        recipe = parse(TranslateRecipe, values, "the test's recipe")
        train_translator(recipe, say=lambda _: None)
        run = Run.open(tmp_path / name)
        if name == "killed":  # as if the process had died before step 4 was saved: what came after step 2 is gone
            (run.path / "state" / "latest").write_text("step-2", encoding="ascii")
            for step in (4, 6):
                shutil.rmtree(run.path / "state" / f"step-{step}")
            train_translator(recipe, resume=True, say=lambda _: None)
        lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        losses = [(line["step"], line.get("loss"), line.get("val_loss")) for line in lines]
        found.append((losses, Run.open(run.path).weights()))
    (losses, weights), (again, same) = found
    assert [step for step, loss, _ in losses if loss is not None] == [1, 2, 3, 4, 5, 6]
    assert again == losses
    assert all(torch.equal(same[name], weight) for name, weight in weights.items())


@pytest.mark.parametrize("family", ["seq2seq", "convs2s"])
def test_attention_can_be_looked_at(family: str, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_translator(recipe_of(data, run, **FAMILIES[family][0]), say=lambda _: None)
    view = Translator.load(run, device="cpu").attention("ga na", "1 2")
    for weights in view.maps.values():
        assert weights.shape == (1, len(view.target), len(view.source))
    assert "ga na" in attention_page([view], "a title")


def test_a_model_without_attention_says_so(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_translator(recipe_of(data, run, architecture="seq2seq", preset="sutskever"), say=lambda _: None)
    with pytest.raises(UserError, match="has no attention"):
        Translator.load(run, device="cpu").attention("ga na")


def test_a_run_from_before_there_were_families_is_a_transformer(run: Path, data: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(run, old)
    config = json.loads((old / "config.json").read_text())
    del config["model"]["architecture"]
    del config["recipe"]["model"]["architecture"]
    (old / "config.json").write_text(json.dumps(config))
    lines = ["ga na da", "ra ma"]
    assert Translator.load(old, device="cpu")(lines) == Translator.load(run, device="cpu")(lines)
    assert isinstance(parse(TranslateRecipe, config["recipe"], "its config").model, TransformerOptions)
    recipe = parse(TranslateRecipe, small.recipe_values(data, tmp_path / "new"), "the test's recipe")
    TranslateTask(recipe, say=lambda _: None).check_start(config)


def test_only_a_run_of_the_same_family_can_be_continued(data: Path, tmp_path: Path) -> None:
    task, other = (
        TranslateTask(recipe_of(data, tmp_path, **FAMILIES[family][0]), say=lambda _: None)
        for family in ("seq2seq", "convs2s")
    )
    task.check_start(task.describe())
    with pytest.raises(UserError, match=r"model\.architecture = convs2s \(here seq2seq\)"):
        task.check_start(other.describe())


# ---- keys


def test_the_default_is_a_transformer_of_the_papers_size(data: Path) -> None:
    values = values_of(data, Path("run"))
    del values["model"]
    model = parse(TranslateRecipe, values, "the test's recipe").model
    assert isinstance(model, TransformerOptions)
    assert (model.preset_, model.dim, model.depth) == ("base", 512, 6)


@pytest.mark.parametrize(
    ("family", "preset", "key", "value"),
    [
        ("transformer", "big", "heads", 16),
        ("seq2seq", "luong", "depth", 4),
        ("seq2seq", "cho", "decoder", "context"),
        ("convs2s", "bytenet", "dilation", 2),
    ],
)
def test_a_preset_can_be_changed_key_by_key(family: str, preset: str, key: str, value: object) -> None:
    options = OPTIONS[family].model_validate({"architecture": family, "preset": preset, "dropout": 0.25})
    assert getattr(options, key) == value
    config = sized(options, 100, 100)
    assert (config.architecture, config.source_vocab, config.target_vocab) == (family, 100, 100)
    assert (config.dropout, getattr(config, key)) == (0.25, value)
    # what a run stores is read back as it was
    assert OPTIONS[family].model_validate(options.model_dump(by_alias=True)) == options


def test_a_misspelt_key_is_named_with_the_right_one(data: Path) -> None:
    assert "unknown key model.dpth, did you mean model.depth?" in message(data, dpth=3)
    for family in ("seq2seq", "convs2s"):
        assert "unknown key model.dpth, did you mean model.depth?" in message(data, architecture=family, dpth=3)
    assert "unknown key model.kernl, did you mean model.kernel?" in message(data, architecture="convs2s", kernl=3)


def test_a_key_of_another_family_is_refused(data: Path) -> None:
    assert "unknown key model.kernel" in message(data, architecture="seq2seq", kernel=3)
    assert "unknown key model.cell" in message(data, cell="gru")


@pytest.mark.parametrize("family", ["lstm", "", None, 3, ["seq2seq"]], ids=str)
def test_an_unknown_architecture_lists_the_known_ones(data: Path, family: Any) -> None:
    said = message(data, architecture=family)
    assert "model.architecture" in said
    assert "transformer, seq2seq, convs2s" in said


def test_a_mistake_of_several_keys_names_the_recipe(data: Path) -> None:
    values = values_of(data, Path("run"))
    values["tokenizer"]["joint"] = False
    with pytest.raises(UserError, match=r"the test's recipe: model\.tied = all needs one vocabulary"):
        parse(TranslateRecipe, values, "the test's recipe")


@pytest.mark.parametrize("model", ["seq2seq", 3, [], None], ids=str)
def test_a_model_that_is_no_group_of_keys_is_refused(data: Path, model: object) -> None:
    with pytest.raises(UserError, match=r"the test's recipe: model = .*dictionary"):
        parse(TranslateRecipe, values_of(data, Path("run")) | {"model": model}, "the test's recipe")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"architecture": "seq2seq", "cell": "elman"}, "model.cell = 'elman'"),
        ({"architecture": "seq2seq", "dim": 15}, "dim = 15 is not a multiple of directions = 2"),
        ({"architecture": "seq2seq", "reverse_source": True}, "reverse_source"),
        ({"architecture": "seq2seq", "preset": "bytenet"}, "model.preset = 'bytenet'"),
        ({"architecture": "convs2s", "kernel": 4}, "kernel = 4"),
    ],
    ids=str,
)
def test_wrong_values_are_named(data: Path, model: dict[str, Any], said: str) -> None:
    found = message(data, **model)
    assert found.startswith("the test's recipe: ")
    assert said in found
    assert "<" not in found, "tags are no keys"


@pytest.mark.parametrize(
    ("family", "own", "others"),
    [
        ("transformer", {"heads", "hidden", "norm"}, {"cell", "kernel"}),
        ("seq2seq", {"cell", "decoder", "score"}, {"heads", "kernel"}),
        ("convs2s", {"kernel", "gate", "dilation"}, {"heads", "cell"}),
    ],
)
def test_explain_lists_the_keys_of_the_chosen_family(data: Path, family: str, own: set[str], others: set[str]) -> None:
    keys = [key for key, *_ in explain(TranslateRecipe, values_of(data, Path("run"), architecture=family))]
    mine = {key.removeprefix("model.") for key in keys if key.startswith("model.")}
    assert own | {"architecture", "preset", "dim", "depth", "dropout"} <= mine
    assert not mine & (others | {"source_vocab"})
    assert len(keys) == len(set(keys))
    assert {"run", "training.steps", "decoding.beam"} <= set(keys)


def test_explain_without_values_lists_a_transformers() -> None:
    assert "model.heads" in [key for key, *_ in explain(TranslateRecipe)]
