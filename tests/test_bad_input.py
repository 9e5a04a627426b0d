"""Every mistake of the issue's list, made for real: one clear message, exit code 2, nothing lost."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.commands import jumok, mistake
from tests.tasks import small

from jumok.tasks.runs import SHIPPED

COMPARE = Path(__file__).parents[1] / "recipes" / "compare.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a recipe and a trained run that no test changes."""
    home = tmp_path_factory.mktemp("home")
    small.write_data(home / "data", train=60)
    recipe(home)
    assert jumok("train", home / "small.yaml").code == 0
    return home


def recipe(home: Path, **changes: object) -> Path:
    path = home / "small.yaml"
    path.write_text(yaml.safe_dump(small.recipe_values(home / "data", home / "run") | changes), encoding="utf-8")
    return path


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Data and a recipe of one's own, to be spoilt."""
    small.write_data(tmp_path / "data", train=60)
    return recipe(tmp_path)


def copy_of(run: Path, to: Path) -> Path:
    subprocess.run(["cp", "-r", str(run), str(to)], check=True)
    return to


def test_a_missing_recipe_data_file_source_and_run(home: Path, fresh: Path, tmp_path: Path) -> None:
    assert "no recipe" in mistake("train", tmp_path / "absent.yaml")
    assert "small.yaml" in mistake("train", tmp_path / "absent.yaml")  # what there is
    assert "jumok train demo" in mistake("train", "recipes-elsewhere/demo.yaml")
    assert "absent" in mistake("train", fresh, f"data.folder={tmp_path / 'absent'}")
    (tmp_path / "data" / "val.yy").unlink()
    assert "val.yy" in mistake("train", fresh)
    assert "absent.xx" in mistake(
        "evaluate", home / "run", "--source", "absent.xx", "--target", home / "data" / "val.yy"
    )
    assert "absent" in mistake("translate", tmp_path / "absent")
    assert "absent" in mistake("data", "check", tmp_path / "absent", tmp_path / "data" / "train.yy")


def test_unequal_line_counts(home: Path, fresh: Path, tmp_path: Path) -> None:
    short = small.write_lines(tmp_path / "data" / "val.yy", ["1"])
    assert "20 lines" in mistake("train", fresh)
    source = tmp_path / "data" / "val.xx"
    for message in (
        mistake("data", "check", source, short),
        mistake("evaluate", home / "run", "--source", source, "--target", short),
    ):
        assert "20 lines" in message
        assert "1" in message
    prefixes = small.write_lines(tmp_path / "prefixes", ["1", "2"])
    assert "2 lines" in mistake("translate", home / "run", "--prefix-file", prefixes, stdin="ga\nna\nda\n")
    assert "2 lines" in mistake("translate", home / "run", "--prefix-file", prefixes, stdin="ga\n")


@pytest.mark.parametrize(("bad", "says"), [(b"\xff\xfa", "UTF-8"), (b"a\0b", "NUL")])
def test_bytes_that_are_no_text(home: Path, fresh: Path, tmp_path: Path, bad: bytes, says: str) -> None:
    path = tmp_path / "data" / "train.xx"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], bad, *lines[3:]]) + b"\n")
    for message in (mistake("train", fresh), mistake("data", "check", path, tmp_path / "data" / "train.yy")):
        assert says in message
        assert "line 3" in message
        assert "train.xx" in message
    # what stands before it is answered
    result = jumok("translate", home / "run", "--chunk", 2, stdin=b"ga\nna\nda\n" + bad + b"\nga\n")
    assert result.code == 2
    assert result.out.count("\n") == 3
    assert says in result.err
    assert "line 4" in result.err


def test_an_empty_file_and_one_of_empty_lines(home: Path, fresh: Path, tmp_path: Path) -> None:
    path = tmp_path / "data" / "train.xx"
    path.write_bytes(b"")
    assert "empty" in mistake("train", fresh)
    assert "empty" in mistake("data", "check", path, tmp_path / "data" / "train.yy")
    assert "empty" in mistake("evaluate", home / "run", "--source", path, "--target", path)
    small.write_lines(path, [""] * 60)
    assert "no " in mistake("train", fresh)


def test_a_damaged_archive(home: Path, fresh: Path, tmp_path: Path) -> None:
    path = tmp_path / "data" / "train.xx"
    path.with_name("train.xx.gz").write_bytes(gzip.compress(path.read_bytes())[:-9])
    path.unlink()
    assert "gzip" in mistake("train", fresh)


def test_a_line_of_ten_thousand_words_is_dropped_and_counted_or_cut_and_counted(
    home: Path, fresh: Path, tmp_path: Path
) -> None:
    for side, word in (("xx", "ga"), ("yy", "1")):
        path = tmp_path / "data" / f"train.{side}"
        path.write_text(path.read_text() + f"{word} " * 10_000 + "\n")
    result = jumok("train", fresh)
    assert result.code == 0, result.err
    assert "dropped: 1 " in result.err
    assert "61" in next(line for line in result.err.splitlines() if "dropped" in line)
    result = jumok("translate", home / "run", stdin="ga " * 10_000 + "\nna\n")
    assert result.code == 0
    assert result.out.count("\n") == 2
    assert "1 of 2 lines" in result.err


def test_a_misspelt_key_suggests_the_right_one(home: Path) -> None:
    for wrong, right in {
        "training.learning_rat=0.1": "training.learning_rate",
        "model.dimm=8": "model.dim",
        "data.sources=xx": "data.source",
        "label_smoothin=0.1": "label_smoothing",
        "decoding.beams=3": "decoding.beam",
        "trainin.steps=3": "training",
        "Training.steps=3": "training",
        "modle.dim=5": "model",
        "ata.source=3": "data",
        "decodin.beam=3": "decoding",
    }.items():
        message = mistake("train", home / "small.yaml", "run=elsewhere", wrong)
        assert f"did you mean {right}?" in message
    assert "--beam" in mistake("translate", home / "run", "--bem", 2)
    assert "translate" in mistake("translat", home / "run")
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        "training.steps=many", "training.steps=1.5", "training.steps=-1", "model.dropout=1.5", "model.norm=sideways",
        "tokenizer.joint=perhaps", "seed=null", "training=fast", "model.heads=3", "model.preset=huge",
        "training.metric=blue", "tokenizer.joint=false", "data.max_length=64", "task=dance", "training.steps",
        "data.target=xx", "decoding.length_penalty=.nan",
    ],
)  # fmt: skip
def test_a_wrong_value_names_its_key(home: Path, wrong: str) -> None:
    message = mistake("train", home / "small.yaml", "run=elsewhere", wrong)
    key = wrong.partition("=")[0]
    assert key.rpartition(".")[2] in message
    assert not Path("elsewhere").exists()


def test_a_wrong_option_of_translate(home: Path) -> None:
    assert "beam" in mistake("translate", home / "run", "--beam", 0, stdin="ga\n")
    assert "beam" in mistake("translate", home / "run", "--beam", 2, "--n-best", 3, stdin="ga\n")
    assert "beam" in mistake("translate", home / "run", "--beam", "x", stdin="ga\n")
    assert "top_p" in mistake("translate", home / "run", "--sample", "--top-p", 2, stdin="ga\n")
    assert "--top-p only matters" in mistake("translate", home / "run", "--top-p", 0.5, stdin="ga\n")
    assert "prefix" in mistake("translate", home / "run", "--prefix", "1", "--prefix-file", "x", stdin="ga\n")
    assert "abacus" in mistake("translate", home / "run", "--device", "abacus", stdin="ga\n")


def test_a_recipe_that_is_no_yaml_or_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    for text in ("a: [1", "- 1\n- 2\n", "", "a: b: c"):
        path.write_text(text)
        assert str(path) in mistake("train", path)


def test_a_full_disk(home: Path) -> None:
    full = Path("/dev/full")
    arguments = [sys.executable, "-m", "jumok", "translate", str(home / "run")]
    with full.open("w") as out:
        done = subprocess.run(arguments, input="ga\n", stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_while_training_keeps_the_last_good_state(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert jumok("train", fresh).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in mistake("train", fresh, "training.steps=9", "--resume")
    monkeypatch.setattr(os, "fsync", real)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before["model.safetensors"]
    assert jumok("train", fresh, "training.steps=9", "--resume").code == 0


def read_only(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # root may write anywhere; a file in the folder's place fails for everyone
        folder.chmod(0o700)
        folder.rmdir()
        folder.write_text("")


def test_a_folder_that_cannot_be_written(home: Path, fresh: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    read_only(locked)
    assert "locked" in mistake("train", fresh, f"run={locked / 'run'}")
    assert "locked" in mistake("data", "sample", locked / "sample")
    assert "locked" in mistake("attention", home / "run", "ga", "-o", locked / "x.html")
    pair = ["--source", home / "data" / "val.xx", "--target", home / "data" / "val.yy"]
    assert "locked" in mistake("evaluate", home / "run", *pair, "--json", locked / "x.json")
    assert "absent" in mistake("evaluate", home / "run", *pair, "--json", tmp_path / "absent" / "x.json")


def test_a_config_that_lacks_a_part(home: Path, tmp_path: Path) -> None:
    run = copy_of(home / "run", tmp_path / "spoilt")
    whole = json.loads((run / "config.json").read_text())
    for part in ("recipe", "model"):
        (run / "config.json").write_text(json.dumps({key: value for key, value in whole.items() if key != part}))
        for command in (["translate", run], ["demo", f"run={run}"], ["compare", COMPARE, f"runs={run}", "run=lab"]):
            assert f"it lacks {part}" in mistake(*command)
        again = ["train", home / "small.yaml", f"from={run}", f"run={tmp_path / 'next'}"]
        assert "damaged" in mistake(*again)


def test_a_tokenizer_of_another_run(home: Path, tmp_path: Path) -> None:
    run = copy_of(home / "run", tmp_path / "spoilt")
    for name in ("tokenizer.json", "tokenizer.options.json"):
        (run / name).write_bytes((SHIPPED / name).read_bytes())
    for name in ("source", "target"):
        for ending in ("tokenizer.json", "tokenizer.options.json"):
            (run / f"{name}.{ending}").unlink(missing_ok=True)
    assert "damaged" in mistake("translate", run)


def test_resuming_without_saved_states_keeps_the_weights(home: Path, tmp_path: Path) -> None:
    run = copy_of(home / "run", tmp_path / "run")
    subprocess.run(["rm", "-r", str(run / "state")], check=True)
    before = (run / "model.safetensors").read_bytes()
    assert "saved states are gone" in mistake("train", home / "small.yaml", f"run={run}", "--resume")
    assert (run / "model.safetensors").read_bytes() == before


def test_validation_data_without_a_source(fresh: Path, tmp_path: Path) -> None:
    small.write_lines(tmp_path / "data" / "val.xx", [""] * 20)
    assert "no source that is not empty" in mistake("train", fresh)


def test_validation_pairs_that_are_cut_or_left_out_are_counted(fresh: Path, tmp_path: Path) -> None:
    lines = (tmp_path / "data" / "val.xx").read_text(encoding="utf-8").splitlines()
    small.write_lines(tmp_path / "data" / "val.xx", ["", "ga " * 400, *lines[2:]])
    told = jumok("train", fresh)
    assert told.code == 0
    assert "1 pairs of val have an empty source" in told.out + told.err
    assert "1 pairs of val are longer than model.max_len" in told.out + told.err


def test_text_that_is_not_utf_8_on_the_command_line(home: Path) -> None:
    text = os.fsdecode(b"5 M\xffay")
    assert "not UTF-8" in mistake("attention", home / "run", text, "-o", "x.html")
    assert "not UTF-8" in mistake("translate", home / "run", "--prefix", text, stdin="ga\n")


def test_attention_says_that_it_cut_a_line(home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = jumok("attention", home / "run", "ga " * 400, "-o", tmp_path / "x.html")
    assert told.code == 0
    assert "cut to the model's" in caplog.text  # a command's log goes to standard error


@pytest.mark.parametrize("verb", ["translate", "info", "attention", "evaluate"])
@pytest.mark.parametrize(
    "damage", ["config cut", "config empty", "weights cut", "weights changed", "weights gone", "newer", "stranger"]
)
def test_a_run_that_is_truncated_newer_or_no_run(home: Path, tmp_path: Path, verb: str, damage: str) -> None:
    run = copy_of(home / "run", tmp_path / "spoilt")
    config, weights = run / "config.json", run / "model.safetensors"
    if damage == "config cut":
        config.write_text(config.read_text()[:-20])
    elif damage == "config empty":
        config.write_text("{}")
    elif damage == "weights cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "weights changed":
        content = bytearray(weights.read_bytes())
        content[-5] ^= 0x40
        weights.write_bytes(content)
    elif damage == "weights gone":
        weights.unlink()
    elif damage == "newer":
        config.write_text(json.dumps(json.loads(config.read_text()) | {"format": 99}))
    else:
        config.unlink()
    if verb == "info" and damage in ("weights changed", "weights gone"):
        assert jumok("info", run).code == 0  # it looks at no weight, and says when there are none
        return
    rest = {
        "translate": [],
        "info": [],
        "attention": ["ga", "-o", tmp_path / "x.html"],
        "evaluate": ["--source", home / "data" / "val.xx", "--target", home / "data" / "val.yy"],
    }[verb]
    message = mistake(verb, run, *rest, stdin="ga\n")
    assert "spoilt" in message
    assert not (tmp_path / "x.html").exists()


def test_a_run_without_its_tokenizer(home: Path, tmp_path: Path) -> None:
    run = copy_of(home / "run", tmp_path / "spoilt")
    (run / "tokenizer.json").write_text("{}")
    assert "tokenizer.json" in mistake("translate", run, stdin="ga\n")
    (run / "tokenizer.json").unlink()
    assert "tokenizer.json" in mistake("translate", run, stdin="ga\n")


def test_training_into_an_existing_run_or_folder(home: Path, tmp_path: Path) -> None:
    before = (home / "run" / "model.safetensors").read_bytes()
    assert "--resume" in mistake("train", home / "small.yaml")
    assert (home / "run" / "model.safetensors").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    assert "thesis.txt" in mistake("train", home / "small.yaml", f"run={tmp_path / 'mine'}")
    assert "demo" in mistake("demo", f"run={home / 'run'}")
    assert (home / "run" / "model.safetensors").read_bytes() == before


def test_resuming_with_another_model_or_other_data(fresh: Path, tmp_path: Path) -> None:
    assert jumok("train", fresh).code == 0
    assert "model" in mistake("train", fresh, "model.dim=32", "--resume")
    small.write_data(tmp_path / "data", seed=77, train=60)
    assert "data" in mistake("train", fresh, "--resume")


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(fresh: Path, tmp_path: Path) -> None:
    assert jumok("train", fresh).code == 0
    message = mistake("train", fresh, "training.learning_rate=1e30", "training.clip=0", "training.steps=60", "--resume")
    assert "step" in message
    assert "batch" in message
    assert jumok("translate", tmp_path / "run", stdin="ga\n").code == 0
    assert jumok("train", fresh, "training.steps=6", "--resume").code == 0


def test_an_unexpected_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("jumok.tasks.runs.describe_run", broken)
    with pytest.raises(ZeroDivisionError):
        jumok("info", "demo")


def test_a_start_that_does_not_fit_leaves_nothing(home: Path, tmp_path: Path) -> None:
    message = mistake("train", home / "small.yaml", f"from={home / 'run'}", f"run={tmp_path / 'next'}", "model.dim=24")
    assert "model.dim" in message
    assert not (tmp_path / "next").exists()
