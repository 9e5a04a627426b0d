"""The commands: their shapes, keys and scales, as a user types them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.commands import jumok
from tests.insight.browser import data_of
from tests.tasks import small

from jumok.cli import attention_sentences


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a recipe, and a trained run: made by the commands themselves."""
    home = tmp_path_factory.mktemp("home")
    small.write_data(home / "data")
    write_recipe(home)
    result = jumok("train", home / "small.yaml", "training.steps=150", "training.validate_every=150")
    assert result.code == 0, result.err
    return home


def write_recipe(home: Path, **training: object) -> Path:
    path = home / "small.yaml"
    path.write_text(yaml.safe_dump(small.recipe_values(home / "data", home / "run", **training)), encoding="utf-8")
    return path


def test_help_answers_within_half_a_second_and_without_torch() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "jumok", "--help"], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5
    for verb in ("train", "evaluate", "translate", "attention", "demo", "data", "info"):
        assert f"  {verb} " in done.stdout


def test_the_help_of_each_verb_loads_nothing_heavy() -> None:
    verbs = "train", "evaluate", "translate", "attention", "info", "demo", "data check", "data sample"
    heavy = "torch", "tokenizers", "sacrebleu", "transformers", "matplotlib", "rich", "numpy"
    code = [
        "import sys",
        "from jumok.cli import main",
        f"for verb in {verbs!r}:",
        "    try:",
        "        main([*verb.split(), '--help'])",
        "    except SystemExit as end:",
        "        assert end.code == 0",
        f"loaded = [name for name in {heavy!r} if name in sys.modules]",
        "assert not loaded, loaded",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(code)], check=True, capture_output=True)


def test_training_prints_the_data_report_and_where_the_run_is(tmp_path: Path) -> None:
    small.write_data(tmp_path / "data", train=60)
    result = jumok("train", write_recipe(tmp_path))
    assert result.code == 0, result.err
    assert "train: 60 pairs" in result.err
    assert f"the run is in {tmp_path / 'run'}" in result.err
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "metrics.jsonl", "state"} <= files


def test_resume_goes_on_and_reports_a_changed_option(tmp_path: Path) -> None:
    small.write_data(tmp_path / "data", train=60)
    recipe = write_recipe(tmp_path)
    assert jumok("train", recipe).code == 0
    result = jumok("train", recipe, "training.steps=6", "training.learning_rate=1e-3", "--resume")
    assert result.code == 0, result.err
    assert "training.learning_rate: 0.01 -> 0.001" in result.out + result.err
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == 6


def test_ctrl_c_saves_and_prints_the_command_that_goes_on(tmp_path: Path) -> None:
    small.write_data(tmp_path / "data", train=60)
    recipe = write_recipe(tmp_path, steps=100_000, log_every=1)
    command = [sys.executable, "-m", "jumok", "train", str(recipe), "seed=3"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "run" / "metrics.jsonl"
    while process.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"go on with: jumok train {recipe} seed=3 --resume" in err
    assert "Traceback" not in out + err
    assert jumok("train", recipe, "seed=3", "training.steps=1", "--resume").code == 0


def test_a_run_goes_on_from_another_on_new_data(home: Path, tmp_path: Path) -> None:
    small.write_data(tmp_path / "data", seed=5, train=60)
    assignments = [f"run={tmp_path / 'next'}", f"data.folder={tmp_path / 'data'}", f"from={home / 'run'}"]
    result = jumok("train", home / "small.yaml", *assignments, "training.steps=1", "training.validate_every=1")
    assert result.code == 0, result.err
    tokenizers = [(folder / "tokenizer.json").read_bytes() for folder in (home / "run", tmp_path / "next")]
    assert tokenizers[0] == tokenizers[1]


def test_two_processes_train_one_run(tmp_path: Path) -> None:
    small.write_data(tmp_path / "data", train=60)
    command = [sys.executable, "-m", "jumok", "train", str(write_recipe(tmp_path)), "--devices", "2"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("kept for training") == 1
    assert json.loads((tmp_path / "run" / "config.json").read_text())["processes"] == 2


def test_explain_prints_every_key_with_its_value_and_trains_nothing(home: Path) -> None:
    result = jumok("train", home / "small.yaml", "training.clip=0.25", "run=elsewhere", "--explain")
    assert result.code == 0
    for key, value in {"training.clip": "0.25", "model.dim": "16", "data.source": "xx", "decoding.beam": "2"}.items():
        row = next(line for line in result.out.splitlines() if line.strip().startswith(key))
        assert value in row
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_is_valid_and_its_name_is_its_run(path: Path) -> None:
    verb = "compare" if path.stem == "compare" else "train"
    result = jumok(verb, path, "--explain")
    assert result.code == 0, result.err
    assert f"runs/{path.stem}" in result.out


def test_evaluate_writes_scores_with_signatures_on_0_to_100(home: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", home / "run", "--source", home / "data" / "val.xx", "--target", home / "data" / "val.yy"]
    result = jumok(*arguments, "--json", tmp_path / "out.json", "--output", tmp_path / "out.txt", "--beam", 2)
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "out.json").read_text())
    assert {"bleu", "chrf", "signature", "chrf_signature", "lines", "by_length", "seconds"} <= set(values)
    assert 0 <= values["bleu"] <= 100
    assert 0 < values["chrf"] <= 100
    assert values["signature"].startswith("nrefs:1")
    assert values["lines"] == sum(bucket["lines"] for bucket in values["by_length"]) == 20
    assert f"{values['bleu']:.2f}" in result.out
    # the translations that were scored are those that `translate` prints
    translated = jumok("translate", home / "run", "--beam", 2, stdin=(home / "data" / "val.xx").read_bytes())
    assert translated.out == (tmp_path / "out.txt").read_text(encoding="utf-8")


def test_evaluate_against_another_run_says_whether_the_difference_is_real(home: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", home / "run", "--source", home / "data" / "val.xx", "--target", home / "data" / "val.yy"]
    result = jumok(*arguments, "--against", home / "run", "--json", tmp_path / "out.json")
    assert result.code == 0, result.err
    comparisons = json.loads((tmp_path / "out.json").read_text())["against"]["comparisons"]
    assert [comparison["metric"] for comparison in comparisons] == ["bleu", "chrf"]
    assert all(comparison["difference"] == 0 for comparison in comparisons)


def test_translate_keeps_the_line_count_whatever_the_chunks(home: Path) -> None:
    sources = [source for source, _ in small.pairs(7, 3)]
    text = "\n".join(["", *sources, "", ""]) + "\n"
    whole = jumok("translate", home / "run", stdin=text)
    assert whole.code == 0, whole.err
    assert whole.out.count("\n") == 10
    assert whole.out.startswith("\n")
    assert whole.out.endswith("\n\n\n")
    for chunk in (1, 3):
        assert jumok("translate", home / "run", "--chunk", chunk, stdin=text).out == whole.out
    assert jumok("translate", home / "run", stdin=text.removesuffix("\n")).out.count("\n") == 9
    assert jumok("translate", home / "run", stdin=text.replace("\n", "\r\n")).out == whole.out
    assert jumok("translate", home / "run", stdin="").out == ""


def test_a_line_that_is_not_nfc_is_told(home: Path) -> None:
    result = jumok("translate", home / "run", stdin="ga na\ncafe\u0301\n")
    assert result.code == 0
    assert "1 lines were not in the Unicode normal form NFC" in result.err
    assert "NFC" not in jumok("translate", home / "run", stdin="ga na\ncaf\u00e9\n").err


def test_n_best_gives_n_lines_for_one_with_scores_before_a_tab(home: Path) -> None:
    result = jumok("translate", home / "run", "--n-best", 3, "--scores", stdin="ga na\n\nda\n")
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert len(rows) == 9
    assert all(len(row) == 2 for row in rows)
    scores = [float(score) for score, _ in rows]
    assert scores[:3] == sorted(scores[:3], reverse=True)
    assert [text for _, text in rows[3:6]] == ["", "", ""]
    plain = jumok("translate", home / "run", "--n-best", 3, stdin="ga na\n\nda\n")
    assert plain.out.splitlines() == [text for _, text in rows]


def test_sampling_does_not_depend_on_the_chunks(home: Path) -> None:
    text = "".join(f"{source}\n" for source, _ in small.pairs(7, 4))
    arguments = ["translate", home / "run", "--sample", "--seed", 5, "--top-p", 0.9, "--temperature", 1.5]
    assert jumok(*arguments, stdin=text).out == jumok(*arguments, "--chunk", 2, stdin=text).out


def test_prefixes_start_the_outputs(home: Path, tmp_path: Path) -> None:
    text = "ga\nna\nda\n"
    same = jumok("translate", home / "run", "--prefix", "6 5", stdin=text).out.splitlines()
    assert all(line.startswith("6 5") for line in same)
    prefixes = small.write_lines(tmp_path / "prefixes", ["1 1", "", "3"])
    lines = jumok("translate", home / "run", "--prefix-file", prefixes, "--chunk", 2, stdin=text).out.splitlines()
    assert lines[0].startswith("1 1")
    assert lines[2].startswith("3")


def test_a_cut_line_is_told_once_with_its_number(home: Path) -> None:
    result = jumok("translate", home / "run", "--chunk", 1, stdin="ga\n" + "na " * 10_000 + "\nda\n")
    assert result.code == 0
    assert result.out.count("\n") == 3
    assert "1 of 3 lines" in result.err
    assert "line 2" in result.err


def test_an_ensemble_is_written_with_a_comma(home: Path) -> None:
    text = "ga na\n"
    assert (
        jumok("translate", f"{home / 'run'},{home / 'run'}", stdin=text).out
        == jumok("translate", home / "run", stdin=text).out
    )


def test_a_closed_pipe_is_quiet(home: Path) -> None:
    command = f"yes 'ga na' | head -3000 | {sys.executable} -m jumok translate {home / 'run'} --chunk 10 | head -1"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_attention_writes_a_page_that_needs_nothing_else(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "attention.html"
    result = jumok("attention", home / "run", "ga na da", "-o", page)
    assert result.code == 0, result.err
    text = page.read_text(encoding="utf-8")
    assert "ga" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert result.out.strip() == jumok("translate", home / "run", stdin="ga na da\n").out.strip()
    forced = jumok("attention", home / "run", "ga na", "--target", "1 2", "-o", page)
    assert forced.out.strip() == "1 2"


def test_attention_shows_many_sentences_and_another_run_beside(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attention_sentences.MOST == 200
    monkeypatch.setattr(attention_sentences, "MOST", 3)
    page, run = tmp_path / "attention.html", home / "run"
    small.write_lines(tmp_path / "in.xx", ["ga na", "", "  ", *["da ra"] * 4])
    result = jumok("attention", run, "--file", tmp_path / "in.xx", "--with", run, "--beam", "1", "-o", page)
    assert result.code == 0, result.err
    assert "skipped 2 empty lines" in result.err
    assert "a page shows 3 sentences; cut 2 of" in result.err
    left, right = data_of(page.read_text(encoding="utf-8"))["models"]
    assert len(left) == len(right) == 3
    assert right[0]["texts"]["source"] == "ga na"
    assert right[0]["model"].startswith(f"{run}: ")
    rows = result.out.splitlines()
    assert len(rows) == 3
    assert all(len(set(row.split("\t"))) == 1 for row in rows), "the same run twice writes the same"
    one = jumok("attention", run, "ga na", "--with", run, "-o", page)
    assert one.code == 0, one.err
    assert "<title>ga na</title>" in page.read_text(encoding="utf-8")


def test_attention_refuses_what_does_not_go_together(home: Path, tmp_path: Path) -> None:
    run, page = home / "run", tmp_path / "attention.html"
    file = small.write_lines(tmp_path / "in.xx", ["ga na"])
    empty = small.write_lines(tmp_path / "empty.xx", ["", " "])
    for given, message in (
        ([], "nothing to look at; give a sentence, or --file"),
        (["ga", "--file", file], "both 'ga' and --file"),
        (["--file", file, "--target", "1"], "--target is for one sentence"),
        (["--file", empty], "holds no sentence to look at"),
        (["ga", "--with", "demo"], "reads xx, but demo written; name runs of one language"),
        (["ga", "na"], "looks at one thing; leave 'na' out"),
        (["ga", "--with", tmp_path / "none"], "none"),
    ):
        result = jumok("attention", run, *given, "-o", page)
        assert result.code == 2, given
        assert message in result.err
        assert not page.exists()


def test_info_tells_model_scores_data_and_versions(home: Path) -> None:
    result = jumok("info", home / "run")
    assert result.code == 0
    facts = json.loads(jumok("info", home / "run", "--json").out)
    assert facts["model"]["dim"] == 16
    assert facts["model"]["parameters"] > 1000
    assert {"bleu", "chrf", "val_loss"} <= set(facts["scores"])
    assert facts["data"]["train"] == 300
    assert "torch" in facts["versions"]
    for value in (facts["model"]["parameters"], facts["versions"]["torch"]):
        assert str(value) in result.out


def test_data_check_reports_without_training(home: Path) -> None:
    data = home / "data"
    result = jumok("data", "check", data / "train.xx", data / "train.yy", "--test-source", data / "val.xx")
    assert result.code == 0, result.err
    assert "300 pairs" in result.out
    assert "also in train: 0 sources" in result.out


def test_data_sample_writes_files_that_a_recipe_takes(tmp_path: Path) -> None:
    result = jumok("data", "sample", tmp_path / "sample")
    assert result.code == 0, result.err
    files = {path.name for path in (tmp_path / "sample" / "translate").iterdir()}
    assert {"train.written", "train.normal", "val.written", "test.normal"} <= files


def test_version() -> None:
    assert jumok("--version").out.startswith("jumok 0.")
