"""`jumok attention`: every job from one input or many, one run or two, in part, kept, filmed; each mistake once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tests.commands import jumok, mistake
from tests.insight.browser import browse, data_of
from tests.tasks import photos, pictures, sentences, small, words

from jumok.cli import attention_photos
from jumok.insight import film as films
from jumok.insight import viewer
from jumok.insight.film import Scene, training_film
from jumok.insight.recorded import Maps
from jumok.insight.window import weight_count
from jumok.tasks.embed_attention import pair_view
from jumok.tasks.embed_predict import SentenceEmbedder
from jumok.tasks.translate_predict import Translator

FEW: dict[str, Any] = {"steps": 2, "validate_every": 1}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A run by its name, trained when it is first asked for."""
    home = tmp_path_factory.mktemp("runs")
    resnet = {"architecture": "resnet", "stem": "small", "widths": [8], "blocks": [1], "image_size": pictures.SIZE}

    def text(**model: Any) -> Path:
        values = small.recipe_values(small.write_data(home / "text", train=60, val=4), home / "new", save_every=1)
        small.train_values(values | {"model": model or values["model"] | {"depth": 2}})
        return home / "new"

    def pixels(**model: Any) -> Path:
        data = home / "pictures"
        if not data.exists():
            pictures.write_pictures(data, 16, 8)
        return pictures.train_run(data, home / "new", **({"model": model} if model else {}))

    def scenes(model: str) -> Path:
        if not (home / "scenes").exists():
            photos.write_photos(home / "scenes", 12, 4)
        return photos.train_run(home / "scenes", home / "new", model=photos.MODELS[model])

    def crops(model: str) -> Path:
        if not (home / "words").exists():
            words.write_data(home / "words", 12, 4)
        return words.train_run(words.recipe_values(home / "words", home / "new", model, **FEW))

    def near(model: str) -> Path:
        if not (home / "near").exists():
            sentences.write_data(home / "near")
        return sentences.train_run(sentences.recipe_values(home / "near", home / "new", model, **FEW))

    makers: dict[str, Callable[[], Path]] = {
        "transformer": text,
        "luong": lambda: text(architecture="seq2seq", preset="small", dim=16),
        "summary": lambda: text(architecture="seq2seq", preset="sutskever", dim=16, depth=1),
        "vit": pixels,
        "resnet": lambda: pixels(**resnet),
        "captioner": lambda: scenes("cnn-transformer"),
        "show-attend-tell": lambda: scenes("show-attend-tell"),
        "reader": lambda: crops("reader"),
        "encoder": lambda: near("transformer"),
        "dan": lambda: near("dan"),
    }

    def run(name: str) -> Path:
        if not (home / name).exists():
            makers[name]().rename(home / name)
        return home / name

    return run


def pictures_of(run: Path, pattern: str, count: int = 2) -> list[Path]:
    found = sorted(run.parent.glob(pattern))
    assert len(found) >= count
    return found[:count]


def layers_of(page: Path) -> dict[str, list[dict[str, Any]]]:
    """Kind of attention -> its layers, of the first sentence of a text's page."""
    (view,) = data_of(page.read_text(encoding="utf-8"))["models"][0]
    return {kind["kind"]: kind["layers"] for kind in view["kinds"]}


def pages_of(path: Path) -> list[list[dict[str, Any]]]:
    """Of each input of a page of many: the data of each model's page."""
    data = data_of(path.read_text(encoding="utf-8"))
    put = [["".join(data["parts"][part] for part in parts) for parts in each["pages"]] for each in data["inputs"]]
    return [[data_of(page) for page in pages] for pages in put]


def test_two_classifiers_stand_beside_each_other_over_a_folder(make: Callable[[str], Path], tmp_path: Path) -> None:
    run, out = make("vit"), tmp_path / "map.html"
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(pictures_of(run, "pictures/val/*/*.png")):
        shutil.copy(path, folder / f"{number}.png")
    (folder / "broken.png").write_text("no picture")
    result = jumok("attention", run, folder, "--with", run, "-o", out)
    assert result.code == 0, result.err
    assert f"skipped {folder / 'broken.png'}: " in result.err
    assert "1 of 3 photos could not be looked at" in result.err
    assert " MB)" in result.err
    assert [line.split("\t")[0] for line in result.out.splitlines()] == [str(folder / f"{n}.png") for n in (0, 1)]
    data = data_of(out.read_text(encoding="utf-8"))
    assert data["models"] == [str(run)] * 2
    assert [each["name"] for each in data["inputs"]] == ["0.png", "1.png"]
    shown = pages_of(out)
    assert all(first == second for first, second in shown), "the same run sees the same"
    assert shown[0][0]["photo"] != shown[1][0]["photo"]
    assert sum(part == shown[0][0]["photo"] for part in data["parts"]) == 1, "a photo is in the file once"


def test_a_resnet_joins_the_figures_of_a_vit(make: Callable[[str], Path], tmp_path: Path) -> None:
    run, resnet = make("vit"), make("resnet")
    (photo,) = pictures_of(run, "pictures/val/*/*.png", 1)
    result = jumok("attention", run, photo, "--with", resnet, "-o", tmp_path / "map.html", "--save", tmp_path / "kept")
    assert result.code == 0, result.err
    data = data_of((tmp_path / "map.html").read_text(encoding="utf-8"))
    said = {plate["name"]: plate["captions"]["en"]["text"] for plate in data["plates"]}
    assert "the ResNet can see" in said["distance"]
    assert len(list((tmp_path / "map_figures").iterdir())) == 5
    kept = tmp_path / "kept"
    maps = Maps.load(kept / "maps.npz")
    assert [weights.shape for weights in maps.values()] == [(1, 2, 17, 17)] * 2
    names = {"layers", "rollout", "distance", "filters", "positions"}
    assert {path.name for path in kept.iterdir()} == {f"{name}.{kind}" for name in names for kind in ("png", "svg")} | {
        "maps.npz", "about.json",
    }  # fmt: skip
    told = mistake("attention", resnet, photo, "-o", tmp_path / "x.html")
    assert "is a ResNet and has no attention" in told
    assert f"--with {resnet}" in told


def test_photos_come_from_a_list_and_two_captioners_write_of_each(
    make: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, rival = make("captioner"), make("show-attend-tell")
    found = pictures_of(run, "scenes/images/*.png")
    lines = ["gone.png", "", *(f"images/{path.name}" for path in found)]
    given = ["attention", run, "--file", small.write_lines(run.parent / "scenes" / "list.txt", lines)]
    given += ["--with", rival, "-o", tmp_path / "many.html"]
    result = jumok(*given)
    assert result.code == 0, result.err
    assert "gone.png: there is no such file" in result.err
    assert "skipped 1 empty lines" in result.err
    assert "1 of 3 photos could not be looked at" in result.err
    shown = pages_of(tmp_path / "many.html")
    assert [len(each["layers"]) for each in shown[0]] == [1, 1]
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert rows == [[str(path), *(view["caption"] for view in views)] for path, views in zip(found, shown, strict=True)]
    monkeypatch.setattr(attention_photos, "ROOM", 10)
    assert "cut the last 1 photos" in jumok(*given, "--layers", "1", "--heads", "1").err
    ((first, _),) = pages_of(tmp_path / "many.html")
    assert first["heads"] == 1


def test_two_readers_look_at_a_word(make: Callable[[str], Path], tmp_path: Path) -> None:
    run = make("reader")
    (crop,) = pictures_of(run, "words/val/images/*/*.png", 1)
    given = ["attention", run, crop, "--target", "가나", "--with", run, "-o", tmp_path / "word.html"]
    result = jumok(*given, "--save", tmp_path / "kept")
    assert result.code == 0, result.err
    assert result.out == f"{crop}\t가나\t가나\n"
    assert [[view["caption"] for view in views] for views in pages_of(tmp_path / "word.html")] == [["가나"] * 2]
    ((_, weights),) = Maps.load(tmp_path / "kept" / run.name / "maps.npz").items()
    assert weights.shape[:3] == (1, 2, 2)
    assert "--target is the text of one photo" in mistake("attention", run, crop.parent, *given[3:])


def test_chosen_layers_and_heads_keep_their_numbers(make: Callable[[str], Path], tmp_path: Path) -> None:
    run, out = make("transformer"), tmp_path / "map.html"
    whole = jumok("attention", run, "ga na da", "--target", "1 2", "-o", out, "--save", tmp_path / "whole")
    assert whole.code == 0, whole.err
    every = Maps.load(tmp_path / "whole" / "maps.npz")
    chosen = ["--layers", "2", "--heads", "1", "--save", tmp_path / "part"]
    result = jumok("attention", run, "ga na da", "--target", "1 2", "-o", out, *chosen)
    assert result.code == 0, result.err
    part = Maps.load(tmp_path / "part" / "maps.npz")
    assert list(part) == [name for name in every if ".1." in name]
    for name, weights in part.items():
        torch.testing.assert_close(weights, every[name][:, :1])
    for layers in layers_of(out).values():
        assert [(layer["number"], layer["numbers"]) for layer in layers] == [(2, [1])]
    names = {path.name for path in (tmp_path / "part").iterdir()}
    assert {"cross.svg", "cross-layer-2-head-1.png", "cross-layer-2-head-1.svg", "encoder-layer-2-head-1.svg"} <= names
    assert "cross-layer-2-head-1.svg" not in {path.name for path in (tmp_path / "whole").iterdir()}
    about = json.loads((tmp_path / "part" / "about.json").read_text(encoding="utf-8"))
    assert about["model"].endswith("layer 2; head 1")
    assert len(about["target"]) == part["decoder.blocks.1.cross"].shape[2]
    vit = make("vit")
    (photo,) = pictures_of(vit, "pictures/val/*/*.png", 1)
    shown = jumok("attention", vit, photo, "-o", out, "--layers", "2", "--heads", "2")
    assert shown.code == 0, shown.err
    data = data_of(out.read_text(encoding="utf-8"))
    assert data["numbers"] == {"layers": [2], "of": 2, "heads": [2]}
    assert (len(data["layers"]), data["heads"]) == (1, 1)


def test_a_window_shows_a_part_of_a_long_text(
    make: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = make("transformer"), tmp_path / "map.html"
    text, target = "ga na da ra ma ba", "1 2 3 4 5 6"
    given = ["attention", run, text, "--target", target, "-o", out]
    translator = Translator.load(run, device="cpu")
    view = translator.attention(text, target)
    last = min(5, len(view.source), len(view.target))
    result = jumok(*given, "--window", f"3-{last}", "--save", tmp_path / "kept")
    assert result.code == 0, result.err
    (seen,) = data_of(out.read_text(encoding="utf-8"))["models"][0]
    assert seen["sides"]["source"]["pieces"] == list(view.source[2:last])
    assert seen["sides"]["target"]["pieces"] == list(view.target[2:last])
    assert seen["sides"]["read"]["pieces"] == list(view.target[1 : last - 1]), "what stood before the window"
    assert f"tokens 3-{last} of {len(view.source)} read" in seen["model"]
    kept = Maps.load(tmp_path / "kept" / "maps.npz")
    for name, weights in kept.items():
        torch.testing.assert_close(weights[0], torch.as_tensor(view.maps[name])[:, 2:last, 2:last])
    assert "there is no token 90" in mistake(*given, "--window", "90-95")
    monkeypatch.setattr(viewer, "LARGEST", weight_count([view]) // 4)
    told = mistake(*given)
    assert f"more than a page can hold ({weight_count([view]) // 4:,})" in told
    advice = told.partition("--window ")[2].split(",")[0]
    assert jumok(*given, "--window", advice).code == 0, "what is advised fits"
    monkeypatch.setattr(viewer, "LARGEST", 3 * weight_count([translator.attention(text)]))
    many = jumok("attention", run, "--file", small.write_lines(tmp_path / "in.xx", [text] * 5), "-o", out)
    assert "cut 2 of 5 sentences" in many.err
    assert len(data_of(out.read_text(encoding="utf-8"))["models"][0]) == len(many.out.split("\n")) - 1 == 3


def test_a_window_shows_a_part_of_each_of_two_sentences(
    make: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = make("encoder"), tmp_path / "near.html"
    first, second = "a red star on a big box", "a box is under a star"
    given = ["attention", run, first, second, "-o", out]
    view = pair_view(SentenceEmbedder.load(run, device="cpu"), first, second)
    result = jumok(*given, "--window", "3-5", "--save", tmp_path / "kept")
    assert result.code == 0, result.err
    (seen,) = data_of(out.read_text(encoding="utf-8"))["pairs"]
    assert [side["pieces"] for side in seen["sides"]] == [list(pieces[2:5]) for pieces in view.pieces]
    assert seen["similarity"] == pytest.approx(view.similarity, abs=1e-4)
    for side, name in enumerate(("maps-1.npz", "maps-2.npz")):
        ((path, weights),) = Maps.load(tmp_path / "kept" / name).items()
        torch.testing.assert_close(weights[0], torch.as_tensor(view.maps[side][path])[:, 2:5, 2:5])
    assert "there is no token 90" in mistake(*given, "--window", "90-95")
    assert jumok("attention", run, first * 20, second, "-o", out).code == 0
    assert "cut after 40 tokens" in data_of(out.read_text(encoding="utf-8"))["pairs"][0]["model"], "max_len"
    assert "cut after" not in view.model
    most = weight_count([view]) // 3
    monkeypatch.setattr(viewer, "LARGEST", most)
    told = mistake(*given)
    assert f"more than a page can hold ({most:,})" in told
    advice = told.partition("--window ")[2].split(",")[0]
    assert jumok(*given, "--window", advice).code == 0, "what is advised fits"
    monkeypatch.setattr(viewer, "LARGEST", 2 * weight_count([view]))
    file = small.write_lines(tmp_path / "pairs.tsv", [f"{first}\t{second}"] * 3)
    many = jumok("attention", run, "--file", file, "-o", out)
    assert "cut 1 of 3 pairs" in many.err
    assert len(data_of(out.read_text(encoding="utf-8"))["pairs"]) == len(many.out.splitlines()) == 2


@pytest.mark.parametrize("name", ["transformer", "vit", "captioner", "show-attend-tell", "reader", "encoder", "dan"])
def test_a_film_has_a_frame_for_each_saved_step(
    make: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run, film, out = make(name), tmp_path / "film.gif", tmp_path / "map.html"
    patterns = {"vit": "pictures/val/*/*.png", "reader": "words/val/images/*/*.png"}
    if name == "transformer":
        given: list[Any] = ["ga na da"]
    elif name in ("encoder", "dan"):
        given = ["a red star", "a star"]
    else:
        given = pictures_of(run, patterns.get(name, "scenes/images/*.png"), 1)
        given += ["--target", "가나"] if name == "reader" else []
    shown: list[tuple[int, Scene]] = []

    def seen(scenes: list[tuple[int, Scene]]) -> bytes:
        shown.extend(scenes)
        return training_film(scenes)

    monkeypatch.setattr(films, "training_film", seen)
    result = jumok("attention", run, *given, "-o", out, "--film", film)
    assert result.code == 0, result.err
    saved = sorted(int(path.name.split("-")[1]) for path in (run / "state").glob("step-*"))
    assert [step for step, _ in shown] == saved
    assert len(saved) == 2
    assert "2 saved steps" in result.err
    with Image.open(film) as frames:
        assert frames.n_frames == 2
    first, last = (scene.most for _, scene in shown)
    assert (first != last).any(), "each is of the weights of its step"


def test_a_film_needs_saved_steps(make: Callable[[str], Path], tmp_path: Path) -> None:
    run, film = make("transformer"), tmp_path / "film.gif"
    given = ["attention", run, "ga na da", "-o", tmp_path / "map.html", "--film", film]
    shutil.copytree(run, tmp_path / "damaged")
    with (next((tmp_path / "damaged" / "state").glob("step-*")) / "model.safetensors").open("ab") as file:
        file.write(b"x")
    given[1] = tmp_path / "damaged"
    assert "only one saved step" in mistake(*given)
    shutil.rmtree(tmp_path / "damaged" / "state")
    told = mistake(*given)
    assert "no saved step" in told
    assert "training.keep=50" in told
    assert not film.exists()


def test_pairs_of_sentences_come_from_a_file_and_two_encoders(make: Callable[[str], Path], tmp_path: Path) -> None:
    run, dan = make("encoder"), make("dan")
    file = small.write_lines(tmp_path / "pairs.tsv", ["a red star\ta star", "", "a box\ttwo boxes"])
    given = ["attention", run, "--file", file, "-o", tmp_path / "near.html"]
    result = jumok(*given, "--with", dan, "--save", tmp_path / "kept")
    assert result.code == 0, result.err
    assert [len(line.split("\t")) for line in result.out.splitlines()] == [2, 2]
    shown = pages_of(tmp_path / "near.html")
    assert [[len(view["pairs"][0]["layers"]) for view in views] for views in shown] == [[1, 0]] * 2
    assert {path.name for path in (tmp_path / "kept" / "1" / dan.name).iterdir()} == {
        "pair.png",
        "pair.svg",
        "about.json",
    }
    one = jumok(*given, "--layers", "1", "--heads", "2")
    assert one.code == 0, one.err
    assert len(data_of((tmp_path / "near.html").read_text(encoding="utf-8"))["pairs"]) == 2
    assert "is a DAN and has no attention" in mistake("attention", dan, "a", "b", "--heads", "1")
    small.write_lines(file, ["one\ttwo\tthree"])
    assert "pairs.tsv:1: 3 columns" in mistake(*given)


def test_each_mistake_is_one_message_and_nothing_is_written(make: Callable[[str], Path], tmp_path: Path) -> None:
    run, vit, summary, resnet = make("transformer"), make("vit"), make("summary"), make("resnet")
    (photo,) = pictures_of(vit, "pictures/val/*/*.png", 1)
    empty, file = tmp_path / "empty", small.write_lines(tmp_path / "in.txt", ["ga na"])
    empty.mkdir()
    (tmp_path / "taken").mkdir()
    shutil.copy(photo, tmp_path / "taken" / "a.png")
    before = sorted(tmp_path.rglob("*"))
    out = ["-o", tmp_path / "map.html"]
    for given, message in (
        ([run, "ga", "--layers", "3"], "there is no layer 3; this model has layers 1 to 2"),
        ([run, "ga", "--heads", "1-3"], "there is no head 3; encoder.blocks.0.attention has heads 1 to 2"),
        ([vit, photo, "--heads", "7"], "there is no head 7"),
        ([run, "ga", "--layers", "1;2"], "'1;2' is no number"),
        ([run, "ga", "--layers", "2-1"], "is no range from 1 up"),
        ([run, "ga", "--window", "1-2,4"], "a window is one part"),
        ([summary, "ga"], "is a seq2seq with model.decoder = summary and has no attention to look at (what has:"),
        ([run, "ga", "--save", tmp_path / "in.txt" / "x"], "x cannot be written"),
        ([run, "ga", "--save", tmp_path / "taken"], "taken is not empty"),
        ([run, "ga", "--film", tmp_path / "none" / "film.gif"], "none does not exist"),
        ([run, "--file", file, "--film", tmp_path / "film.gif"], "--film is for one input; leave it out with --file"),
        ([vit, "--file", file, "--film", tmp_path / "film.gif"], "--film is for one input; leave it out with --file"),
        ([vit, tmp_path / "taken", "--film", tmp_path / "film.gif"], "--film is of one photo"),
        ([run, "--file", file, "--window", "1-2"], "--window is for one input"),
        ([run, "--file", file, "--target", "1"], "--target is for one sentence"),
        ([vit, photo, "--window", "1-2"], "--window is for the tasks translate, embed"),
        ([run, "ga", "--with", run, "--film", tmp_path / "film.gif"], "leave --with out"),
        ([run, "ga", "--with", vit], "name two runs of one task"),
        ([vit, photo, "--with", vit, "--film", tmp_path / "film.gif"], "leave --with out"),
        ([resnet, photo, "--film", tmp_path / "film.gif"], "is a ResNet and has no attention to look at"),
        ([vit, photo, "--target", "x"], "--target is for the tasks translate, caption, read"),
        ([vit], "there is nothing to look at; give an image"),
        ([vit, empty], "holds no images"),
        ([vit, tmp_path / "gone.png"], "gone.png cannot be used: there is no such file"),
        ([vit, "--file", file], "none of the 1 photos can be looked at"),
        ([vit, photo, "--file", file], "give one of them"),
        ([make("captioner"), tmp_path / "taken", photo], "looks at one thing"),
    ):
        assert message in mistake("attention", *given, *out), given
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.system("chromium")
def test_the_page_of_many_in_chromium(make: Callable[[str], Path], tmp_path: Path) -> None:
    run = make("captioner")
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in pictures_of(run, "scenes/images/*.png"):
        shutil.copy(path, folder)
    result = jumok("attention", run, folder, "--with", make("show-attend-tell"), "-o", tmp_path / "map.html")
    assert result.code == 0, result.err
    seen = browse(
        (tmp_path / "map.html").read_text(encoding="utf-8"),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const frames = [...document.querySelectorAll("iframe")];
        const pages = () => frames.map((frame) => frame.contentDocument);
        const read = () => pages().map((page) => page.getElementById("written").textContent);
        const spoken = async () => {
          const late = () => pages().some((page) => page.documentElement.lang !== "ko");
          while (late()) await new Promise((r) => setTimeout(r, 30));
        };
        const heads = [...document.querySelectorAll("h2")].map((heading) => heading.textContent);
        const out = { titles: frames.map((frame) => frame.title), heads };
        out.first = read();
        out.fits = frames.map((frame) => Math.abs(frame.offsetHeight - frame.contentDocument.body.scrollHeight) < 12);
        out.bars = frames.map((frame) => frame.clientWidth - frame.contentDocument.documentElement.clientWidth);
        out.hidden = pages().map((page) => page.defaultView.getComputedStyle(page.querySelector(".top")).display);
        $("next").click();
        await wait();
        out.second = [read(), location.hash, $("sentence").selectedIndex];
        $("theme").click(); $("theme").click();
        $("language").click();
        await wait();
        out.dark = [document, ...pages()].map((page) => page.documentElement.dataset.theme);
        await spoken();
        out.previous = $("previous").getAttribute("aria-label");
        $("previous").click();
        await wait();
        await spoken();
        out.kept = pages().map((page) => page.documentElement.dataset.theme);
        location.hash = "photo=2";
        await new Promise((r) => setTimeout(r, 50));
        await wait();
        out.link = $("sentence").selectedIndex;
        location.hash = "photo=9";
        await new Promise((r) => setTimeout(r, 50));
        await wait();
        out.wrong = $("sentence").selectedIndex;
        return out;
        """,
    )
    names = sorted(path.name for path in folder.iterdir())
    assert seen["titles"] == [f"{model}: {names[0]}" for model in seen["heads"]]
    assert seen["first"] != seen["second"][0] or len(set(seen["first"])) <= 1
    assert seen["fits"] == [True, True]
    assert seen["bars"] == [0, 0]
    assert seen["hidden"] == ["none", "none"]
    assert seen["second"][1:] == ["#photo=2&step=1&step-2=1", 1]
    assert seen["dark"] == ["dark"] * 3
    assert seen["previous"] == "이전 사진"
    assert seen["kept"] == ["dark"] * 2
    assert (seen["link"], seen["wrong"]) == (1, 1)
