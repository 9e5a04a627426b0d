"""The page of an image: one file without a network, true to the weights, alive in a real browser."""

import base64
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.insight.browser import HOSTILE, Elements, browse, data_of, unpack

from jumok.insight import image_viewer
from jumok.insight.image_maps import attention_distance, class_attention, rollout
from jumok.insight.image_viewer import ImageView, Resnet, image_attention_page, image_plates
from jumok.insight.maps import as_map

GRID = (3, 4)


def view(prefix: int = 1, layers: int = 3, heads: int = 2, **others: Any) -> ImageView:
    size = prefix + GRID[0] * GRID[1]
    maps = [torch.randn(heads, size, size).mul(2).softmax(-1) for _ in range(layers)]
    photo = np.random.randint(0, 256, (48, 64, 3), dtype=np.uint8)
    return ImageView(photo, maps, prefix, GRID, 8, [("fox", 0.8), ("말", 0.15), ("cat", 0.05)], **others)


def full(**others: Any) -> ImageView:
    rival = Resnet([3, 7, 15, 31], torch.randn(16, 3, 3, 3))
    return view(projection=torch.randn(32, 3, 8, 8), positions=torch.randn(12, 8), resnet=rival, **others)


def page_of(given: ImageView, title: str = "photo.jpg") -> str:
    return image_attention_page(given, image_plates(given), title)


def decoded(url: str) -> Any:
    return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_the_page_needs_nothing_but_itself() -> None:
    page = page_of(full())
    for outside in ("http:", "https:", "//cdn", "@import", "src=", "href=", "url(", "fetch(", "XMLHttpRequest"):
        assert outside not in page, outside
    assert "default-src 'none'; img-src data:" in page


@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_every_weight_is_kept_to_one_part_in_255_of_its_row(prefix: int) -> None:
    given = view(prefix)
    data = data_of(page_of(given))
    keys, tokens = prefix + 12, max(prefix, 1)
    for layer, weights in zip(data["layers"], given.maps, strict=True):
        wanted = torch.cat([weights.mean(1, keepdim=True), weights], 1) if not prefix else weights
        own = unpack(layer["tokens"], 2 * tokens, 1, keys).reshape(2, tokens, keys)
        patches = unpack(layer["patches"], 2 * 12, 1, keys).reshape(2, 12, keys)
        error = np.abs(np.concatenate([own, patches], 1) - wanted.numpy())
        assert (error <= wanted.amax(-1, keepdim=True).numpy() / 255 + 1e-7).all()
        far = attention_distance(weights, prefix, GRID, 8)
        np.testing.assert_allclose(layer["distance"], far, atol=0.006)
    rolled = unpack(data["rollout"], 3, 1, 12)[:, 0]
    for depth in range(3):
        np.testing.assert_allclose(
            rolled[depth], rollout(given.maps[: depth + 1], prefix, GRID).reshape(-1), atol=1 / 255
        )


def test_the_photo_is_on_the_page_as_it_was_or_smaller() -> None:
    given = view()
    data = data_of(page_of(given))
    np.testing.assert_array_equal(decoded(data["photo"]), given.photo)
    large = replace(given, photo=np.zeros((1200, 1600, 1), dtype=np.uint8))
    data = data_of(page_of(large))
    assert decoded(data["photo"]).shape == (600, 800, 3)
    assert data["size"] == [600, 800]


def test_hostile_text_stays_text() -> None:
    given = replace(view(), predictions=[(HOSTILE, 1.0)], truth=HOSTILE, model=HOSTILE)
    page, plain = page_of(given, HOSTILE), page_of(view(), "t")
    assert Elements(page).tags == Elements(plain).tags
    assert page.count("</script>") == plain.count("</script>") == 2
    data = data_of(page)
    assert data["predictions"][0][0] == data["truth"] == data["model"] == HOSTILE


def test_what_is_not_known_is_not_drawn_and_a_missing_resnet_is_told() -> None:
    plates = image_plates(view())
    assert list(plates) == ["layers", "rollout", "distance"]
    assert "No ResNet" in plates["distance"].captions["en"].text
    plates = image_plates(full())
    assert list(plates) == ["layers", "rollout", "distance", "filters", "positions"]
    for name in ("distance", "filters"):
        assert "ResNet" in plates[name].captions["en"].text
        assert "No ResNet" not in plates[name].captions["en"].text
    assert all(plate.png.startswith(b"\x89PNG") for plate in plates.values())
    stem = image_plates(view(stem=torch.randn(40, 3, 3, 3)))["filters"].captions["ko"]
    assert "첫 합성곱" in stem.text
    data = data_of(page_of(full()))
    assert [plate["name"] for plate in data["plates"]] == ["rollout", "distance", "filters", "positions"]
    assert {tongue for plate in data["plates"] for tongue in plate["captions"]} == {"en", "ko"}


def test_too_many_weights_leave_single_patches_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_viewer, "LARGEST", 3 * 2 * 13 * 13 - 1)
    assert [layer["patches"] for layer in data_of(page_of(view()))["layers"]] == [None] * 3


def test_what_does_not_fit_is_refused() -> None:
    given = view()
    with pytest.raises(ValueError, match="at least one layer"):
        image_plates(replace(given, maps=[]))
    with pytest.raises(ValueError, match="3 x 3 patches"):
        image_attention_page(replace(given, grid=(3, 3)), {}, "t")
    with pytest.raises(ValueError, match="as many heads"):
        image_attention_page(replace(given, maps=[given.maps[0], given.maps[1][:1]]), {}, "t")


@pytest.mark.system("chromium")
def test_the_page_in_chromium(tmp_path: Any) -> None:
    given = full(truth="fox")
    seen = browse(
        page_of(given),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const out = { guesses: [...$("guesses").children].map((item) => item.textContent) };
        const buttons = () => [...$("sheet").querySelectorAll("button")];
        out.cells = buttons().length;
        out.cell = [buttons()[0].firstChild.width, buttons()[0].firstChild.height];
        out.chosen = buttons().findIndex((button) => button.getAttribute("aria-checked") === "true");
        const images = [...document.querySelectorAll("#plates img")];
        out.images = images.map((image) => image.complete && image.naturalWidth > 0);
        buttons()[1 * 3 + 2].click(); // layer 2, head 2
        await wait();
        out.layer = [$("layer").value, $("layer-name").textContent];
        const press = (id, key) => $(id).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        // from the middle, row 2, column 3
        $("photo").focus();
        press("photo", "ArrowUp"); press("photo", "ArrowRight");
        await wait();
        out.token = [$("spoken").textContent, $("found").textContent];
        press("photo", "Enter");
        await wait();
        out.patch = [$("found").textContent, $("asked").hidden, $("asked").style.top, $("asked").style.left];
        press("photo", "ArrowDown");
        await wait();
        out.looked = $("spoken").textContent;
        press("photo", "Escape");
        await wait();
        out.back = [$("asked").hidden, $("found").textContent];
        press("sheet", "ArrowUp"); press("sheet", "ArrowLeft");
        await wait();
        out.moved = buttons().findIndex((button) => button.getAttribute("aria-checked") === "true");
        $("from").children[1].click();
        $("language").click(); // before the rollout is there
        await wait();
        out.rollout = [buttons().length, $("found").textContent];
        out.korean = [document.documentElement.lang, $("guess-name").textContent];
        out.failed = !$("failure").hidden;
        return out;
        """,
    )
    assert seen["guesses"] == ["fox80\u00a0%", "말15\u00a0%", "cat5.0\u00a0%"]
    assert (seen["cells"], seen["cell"], seen["chosen"]) == (9, [4, 3], 6)
    assert seen["images"] == [True] * 4
    assert seen["layer"] == ["2", "Layer 2 of 3"]
    looked = class_attention(given.maps[1], 1, GRID)[1]
    # whole percents of weights, and sums of them, that are kept to 1/255 of the largest in their row
    kept = 0.5 + 100 * float(as_map(given.maps[1])[1, 0].max()) / 255 + 1e-3
    assert number(seen["token"][0], "row 1, column 4: ") == pytest.approx(100 * looked[0, 3], abs=kept)
    assert number(seen["token"][1], "the class token gave ") == pytest.approx(100 * looked.sum(), abs=kept)
    assert number(seen["token"][1], "spans ") == pytest.approx(
        attention_distance(given.maps[1], 1, GRID, 8)[1], abs=0.6
    )
    assert "the patch in row 1, column 4 gave" in seen["patch"][0]
    assert seen["patch"][1:] == [False, "0%", "75%"]
    assert number(seen["looked"], "row 2, column 4: ") == pytest.approx(
        100 * given.maps[1][1, 1 + 3, 1 + 7].item(), abs=0.6
    )
    assert seen["back"] == [True, seen["token"][1]]
    assert seen["moved"] == 1
    assert seen["rollout"][0] == 3
    share = 100 * rollout(given.maps[:1], 1, GRID).sum()
    assert number(seen["rollout"][1], "닿는 것의 ") == pytest.approx(share, abs=0.6)
    assert seen["korean"] == ["ko", "예측"]
    assert not seen["failed"]


@pytest.mark.system("chromium")
def test_the_veil_of_the_page_is_that_of_the_figures(tmp_path: Any) -> None:
    from jumok.insight.image_figures import overlay

    given = replace(view(), photo=np.full((480, 640, 3), 150, dtype=np.uint8))
    seen = browse(
        page_of(given),
        tmp_path,
        """
        const canvas = document.getElementById("canvas");
        const read = () => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
        const whole = read();
        const slider = document.getElementById("strength");
        slider.value = 0;
        slider.dispatchEvent(new Event("input"));
        await wait();
        const sample = [];
        for (let at = 0; at < whole.length; at += 4 * 997) sample.push(whole.slice(at, at + 3));
        return { size: [canvas.width, canvas.height], sample, bare: read().slice(0, 3) };
        """,
    )
    assert seen["size"] == [640, 480]
    mean = class_attention(given.maps[-1], 1, GRID).mean(0)
    expected = overlay(given.photo, mean).reshape(-1, 3)[::997]
    np.testing.assert_allclose(seen["sample"], expected, atol=4)
    assert seen["bare"] == [150, 150, 150]


def number(text: str, before: str) -> float:
    return float(text.partition(before)[2].partition("\u00a0")[0])


@pytest.mark.system("chromium")
def test_the_address_holds_what_is_shown(tmp_path: Any) -> None:
    seen = browse(
        page_of(view(2)),
        tmp_path,
        """
        const $ = (id) => document.getElementById(id);
        const go = async (hash) => { location.hash = hash; await new Promise((r) => setTimeout(r, 50)); await wait(); };
        const state = () => {
          const { layer, head } = $("sheet").querySelector('[aria-checked="true"]').dataset;
          const heat = [$("strength").value, $("smooth").checked];
          return [$("from").querySelector('[aria-checked="true"]').textContent, Number(layer), Number(head), ...heat];
        };
        const out = { start: [state(), location.hash], shown: [] };
        const ok = ["token=2&layer=1&head=2", "from=rollout&layer=2", "patch=12&heat=0&edges=sharp", "layer=3&head=1"];
        for (const hash of ok) {
          await go(hash);
          out.shown.push([state(), location.hash]);
        }
        const before = state();
        out.wrong = [];
        const wrong = ["layer=4", "head=3", "token=3", "patch=13", "from=x", "from=rollout&head=1", "more=1"];
        for (const part of [...wrong, "edges=1", "heat=101", "from=rollout&token=2", "patch=1&token=2"]) {
          await go(`layer=1&${part}`);
          if (JSON.stringify(state()) !== JSON.stringify(before)) out.wrong.push(part);
        }
        out.copy = [$("copy").textContent, $("copy").hidden];
        return out;
        """,
    )
    assert seen["start"] == [["Class token", 2, -1, "100", True], ""]
    assert seen["shown"] == [
        [["Distillation token", 0, 1, "100", True], "#token=2&layer=1&head=2"],
        [["Rollout, all layers", 1, -1, "100", True], "#from=rollout&layer=2"],
        [["One patch", 2, -1, "0", False], "#patch=12&heat=0&edges=sharp"],
        [["Class token", 2, 0, "100", True], "#head=1"],
    ]
    assert seen["wrong"] == []
    assert seen["copy"] == ["Copy link", False]
