"""The translators that are compared: what is trained here, what is given, and what diverges."""

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from jumok.data.tokenizer import TokenizerPair
from jumok.decoding.search import SearchOptions
from jumok.errors import Diverged, UserError
from jumok.insight.maps import gold_pairs
from jumok.lab import bottleneck, gates, looking, quality, rivals
from jumok.lab import compare as lab
from jumok.lab.finding import Setting
from jumok.lab.looking import Gold
from jumok.lab.quality import Scored
from jumok.lab.rivals import Contest, Rival
from jumok.metrics.text import Comparison
from jumok.models.seq2seq import Seq2Seq, Seq2SeqConfig
from jumok.nn.recurrent import lstm_gates
from jumok.nn.recurrent_text import RecurrentEncoder
from jumok.tasks.runs import run_path
from jumok.tasks.translate_predict import Translator


def test_rivals_are_of_one_size() -> None:
    widths = {name: rivals.matched_width(model) for name, model in rivals.RIVALS.items()}
    assert all(width > 16 for width in widths.values())


def test_a_rival_that_diverges_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: Any, **__: Any) -> None:
        raise Diverged("the loss became nan at step 7")

    monkeypatch.setattr(rivals, "train_translator", diverge)
    said: list[str] = []
    setting = Setting(quick=True, seeds=[1], folder=tmp_path, say=said.append)
    assert rivals.trained_rival(setting, "Bahdanau", 1) is None
    assert "Bahdanau, seed 1, diverged: the loss became nan at step 7" in said


def test_translators_are_compared_end_to_end(corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained ones, nearly: what is measured is not worth a look, but every step of it runs."""
    three = {name: rivals.RIVALS[name] for name in ("no attention", "Luong", "Transformer")}
    for module in (rivals, gates):
        monkeypatch.setattr(module, "RIVALS", three)
    monkeypatch.setattr(rivals, "BUDGET", 110_000)
    monkeypatch.setattr(rivals, "STEPS", {"full": 2, "quick": 2})
    monkeypatch.setattr(rivals, "rival_seeds", lambda setting: setting.seeds)
    monkeypatch.setattr(bottleneck, "MOST_JOINED", 3)
    shutil.copytree(corpora, tmp_path / "corpus")
    setting = Setting(quick=True, seeds=[1, 2], folder=tmp_path)
    runs = {"bottleneck": bottleneck.run, "quality": quality.run, "looking": looking.run}
    found: dict[str, Any] = {name: lab._measure(run, setting, tmp_path, 1) for name, run in runs.items()}
    assert all(isinstance(each, dict) for each in found.values()), found
    bleu = found["bottleneck"]["data"][rivals.GENERATED]["bleu"]
    assert {len(each) for each in bleu.values()} == {2}
    assert {len(scores) for each in bleu.values() for scores in each} == {3}
    assert [row[0] for row in found["quality"]["tables"][0]["rows"]] == ["no attention", "Luong", "Transformer"]
    assert all(0.85 * 110_000 < row[1] < 1.15 * 110_000 for row in found["quality"]["tables"][0]["rows"])
    assert set(found["looking"]["data"]) == {"Luong", "Transformer"}
    assert all(0 <= aer <= 100 for each in found["looking"]["data"].values() for aer in each["aer"])
    path, sentence = gates._translator(setting)
    pieces, over, _ = gates._over_sentence(Translator.load(path), sentence)
    assert over.shape == (3, len(pieces))
    assert bool(((over > 0) & (over < 1)).all())


def test_gates_are_shown_in_the_order_of_reading() -> None:
    tokenizers = TokenizerPair.load(run_path("demo"))
    vocab = tokenizers.source.vocab_size
    sizes: dict[str, Any] = {"source_vocab": vocab, "target_vocab": vocab, "dim": 16, "directions": 1}
    model = Seq2Seq(Seq2SeqConfig(cell="lstm", reverse_source=True, **sizes)).eval()
    backwards = Translator([model], tokenizers, SearchOptions(), source="written", target="normal")
    pieces, over, _ = gates._over_sentence(backwards, "a b c")
    forward = backwards.tokenizers.source.pieces(backwards.read("a b c"))
    assert pieces == forward[::-1]
    # the first piece read meets the zero state: its gates are those of W x + b alone
    encoder = backwards.models[0].encoder
    assert isinstance(encoder, RecurrentEncoder)
    layer = encoder.stack.each()[0]
    last = encoder.tokens(torch.tensor([backwards.read("a b c")[-1:]]))
    i, f, _, o = lstm_gates(layer.project(last)[:, 0], layer.recur(torch.zeros(1, layer.dim)))
    torch.testing.assert_close(over[:, 0], torch.stack([i, f, o]).mean((1, 2)))


def test_the_table_says_who_diverged() -> None:
    table = Scored(Contest("a corpus", {}, [], [], ["RNN (ReLU)"]), "Transformer", {}, {}).table()
    assert list(table.rows) == [("RNN (ReLU)", *[None] * 5, "diverged", None, None, None)]
    assert len(table.columns) == len(table.rows[0])


def test_test_sentences_that_are_missing_are_named_before_any_work(tmp_path: Path) -> None:
    values = {"run": str(tmp_path / "lab"), "runs": "demo", "data": {"folder": str(tmp_path), "test": "test"}}
    with pytest.raises(UserError, match="test"):
        lab.compare(lab.CompareRecipe.model_validate(values), lambda _: None)
    assert not (tmp_path / "lab").exists()


def test_runs_of_other_languages_are_refused(tmp_path: Path) -> None:
    other = shutil.copytree(run_path("demo"), tmp_path / "other")
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    config["recipe"]["data"]["source"] = "de"
    (other / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match=r"between different languages .*other de-"):
        lab.compare(lab.CompareRecipe(run=str(tmp_path / "lab"), runs=f"demo,{other}"), lambda _: None)
    assert not (tmp_path / "lab").exists()


def test_a_rival_that_was_interrupted_is_not_finished(tmp_path: Path) -> None:
    setting = Setting(quick=True, seeds=[1], folder=tmp_path)
    path = shutil.copytree(run_path("demo"), tmp_path / "rival")
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    recipe = rivals._recipe(setting, path, rivals.RIVALS["Luong"], 1)
    for step, finished in ((181, False), (recipe.training.steps, True)):
        (path / "config.json").write_text(json.dumps(config | {"kept": {"step": step}}), encoding="utf-8")
        assert rivals._finished(path, recipe) is finished


def test_all_that_diverge_fail_by_name_and_are_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def diverge(recipe: Any, **_: Any) -> None:
        tried.append(recipe.run)
        raise Diverged("the loss became nan at step 7")

    monkeypatch.setattr(rivals, "train_translator", diverge)
    setting = Setting(quick=True, seeds=[1], folder=tmp_path, say=lambda _: None)
    for run in (bottleneck.run, quality.run, looking.run):
        assert lab._measure(run, setting, tmp_path, 1) == "every rival's training on the generated corpus diverged"
    with pytest.raises(Diverged, match="Luong and no attention diverged"):
        gates._translator(setting)
    assert len(tried) == len(rivals.RIVALS)


def test_trainings_that_diverged_are_told() -> None:
    setting = Setting(quick=False, seeds=[1, 2, 3], folder=Path())
    one = cast("rivals.Rival", object())
    models = {name: [one, one] for name in rivals.RIVALS if name != "Luong"} | {"Bahdanau": [one]}
    told = rivals.trainings(setting, models)
    assert told.startswith("2 trainings of each model (band: lowest to highest); diverged: ")
    assert set(told.partition("diverged: ")[2].split(", ")) == {"Bahdanau (1 of 2)", "Luong (2 of 2)"}


def test_who_always_looks_at_a_linked_piece_has_no_alignment_error(monkeypatch: pytest.MonkeyPatch) -> None:
    translator = Translator.load("demo")
    example = Gold("5 May 2026", "2026-05-05", [((6, 10), (0, 4)), ((2, 5), (5, 7)), ((0, 1), (8, 10))])
    pair = translator.tokenizers
    spans = pair.source.words(example.source)[1], pair.target.words(example.target)[1]
    linked = gold_pairs(*spans, example.links)
    right = np.zeros((len(spans[1]), len(spans[0])))
    for row in range(len(right)):
        keys = [key for at, key in linked if at == row]
        right[row, keys[-1:] or [0]] = 1.0
    monkeypatch.setattr(looking, "cross_maps", lambda *_: {"oracle": right, "wrong": 1.0 - right})
    rates = looking.error_rates(translator, [example])
    assert rates["oracle"] == 0
    assert rates["wrong"] > 50


def test_the_transformer_is_what_others_are_compared_with() -> None:
    demo = rivals.Rival("demo", run_path("demo"), Translator.load("demo"))
    assert demo.parameters == rivals.parameters(demo.translator.models[0])
    assert math.isnan(demo.training()["minutes"])
    assert quality.champion({"a": [demo], "b": [demo]}) == "a"


def test_a_run_twice_and_a_folder_without_runs_are_refused(tmp_path: Path) -> None:
    for changes, message in (({"runs": "demo,demo"}, "names a run twice"), ({"data": {"folder": "x"}}, "give runs=")):
        with pytest.raises(UserError, match=message):
            lab.compare(lab.CompareRecipe.model_validate({"run": str(tmp_path / "lab")} | changes), lambda _: None)


def test_the_bottleneck_leaves_out_what_is_too_long_for_people_or_for_a_model() -> None:
    """Sentences of 20 words: 6 joined are above 100 words; 5 are more than the short-sighted model reads."""

    class Echo:
        target, max_len = "normal", 81

        def read(self, line: str) -> list[int]:
            return [0] * min(len(line.split()), self.max_len)

        def __call__(self, lines: list[str], beam: int) -> list[str]:
            assert beam == 1
            return lines

    class FarSighted(Echo):
        max_len = 1000

        def __call__(self, lines: list[str], beam: int) -> list[str]:
            return ["" for _ in lines]

    def rival(name: str, translator: Echo) -> Rival:
        return Rival(name, Path(), cast("Translator", translator))

    lines = [" ".join(f"w{n}" for n in range(20 * k, 20 * k + 20)) for k in range(12)]
    models = {"echo": [rival("echo", Echo())], "silent": [rival("silent", FarSighted())]}
    setting = Setting(quick=True, seeds=[1], folder=Path(), say=lambda _: None)
    found = bottleneck.fall(Contest("a corpus", models, lines, lines), 12, setting)
    assert found.words == [20, 40, 60, 80]
    assert found.dropped == 12 // 5, "and nothing longer is tried"
    assert found.bleu == {"echo": [[pytest.approx(100)] * 4], "silent": [[0.0] * 4]}
    del models["echo"]
    assert bottleneck.fall(Contest("a corpus", models, lines, lines), 12, setting).words == [20, 40, 60, 80, 100]


def scored(p_values: list[float], difference: float = 5.0) -> Scored:
    """A Transformer of 30 and 34 BLEU, and a Luong of 25 and 27, each training compared with that of its seed."""

    def evaluation(bleu: float) -> Any:
        return SimpleNamespace(score=SimpleNamespace(bleu=bleu))

    against = [Comparison("BLEU", 32.0, 27.0, difference, (1.0, 9.0), p, 1000) for p in p_values]
    scores = {"Luong": [evaluation(25), evaluation(27)], "Transformer": [evaluation(30), evaluation(34)]}
    return Scored(Contest("a corpus", {}, [], []), "Transformer", scores, {"Luong": against})


def test_quality_names_its_order_and_the_least_sure_training() -> None:
    assert scored([0.001, 0.04]).p_value("Luong") == 0.04
    assert scored([0.001, 0.04]).p_value("Transformer") is None
    assert scored([0.001, 0.04]).sentence() == (
        "a corpus, by BLEU: Transformer 32.0 > Luong 26.0; Transformer is above Luong with p < 0.05."
    )
    assert scored([0.001, 0.06]).sentence().endswith("Transformer is above none with p < 0.05.")
    assert scored([0.001, 0.04], difference=-5.0).sentence().endswith("is above none with p < 0.05.")


def test_quality_says_of_each_corpus_with_whom_it_compares() -> None:
    assert "On a corpus p is by paired bootstrap" in scored([0.5]).how()
    assert "against Transformer's training from the same seed, the largest of them." in scored([0.5]).how()
    one = Scored(Contest("given", {}, [], []), "big", {"big": [cast("Any", None)]}, {})
    assert one.how() == "On given p is by paired bootstrap of 1,000 samples against big."


def test_given_runs_are_told_to_be_unmatched_with_their_sizes_and_steps() -> None:
    demo = Rival("demo", run_path("demo"), Translator.load("demo"))
    table = Contest("given", {"demo": [demo]}, [], [], matched=False).table()
    assert "not matched" in table.caption
    # 2,200 steps of at most 1,024 tokens, as its config.json tells
    assert list(table.rows) == [("demo", demo.parameters, 1, 2200, 2200 * 1024)]
    assert "not matched" not in Contest("here", {"demo": [demo]}, [], []).table().caption


def test_gates_need_one_rival_and_none_where_a_run_has_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(quick=True, seeds=[3, 4], folder=Path(), runs={"demo": run_path("demo")})
    assert gates.rivals(setting) == [("Luong", 3)], "the demo is a Transformer"
    monkeypatch.setattr(gates, "translator_config", lambda _: {"model": {"architecture": "seq2seq", "cell": "lstm"}})
    assert gates.rivals(setting) == []
