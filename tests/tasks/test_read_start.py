"""A reader that starts from another one knows what that knew, however its output layer is made."""

from typing import Any

import pytest
import torch
from tests.models.small_images import READERS, SIZE, VIT, small_config, small_model
from torch import Tensor

from jumok.data.charset import LETTERS as PARTS
from jumok.data.charset import Charset, Spelling
from jumok.models.image_to_text import Model, build
from jumok.nn.composed import ComposedLinear
from jumok.tasks.read_start import Given
from jumok.training.weights import load_weights

BEFORE, NOW = "각가곡", "가각나닥고"  # 각 and 가 are known; 나 and 닥 share letters with them, 고 with 곡


def charset(characters: str) -> Charset:
    return Charset(name="data", spelling=Spelling.model_validate({}), characters=characters)


def reader(characters: Charset, *, composed: bool, seed: int) -> Model:
    torch.manual_seed(seed)
    parts = (PARTS, 3) if composed else None
    config: dict[str, Any] = {
        "encoder": "vit",
        "decoder": "ctc",
        "vocab_size": characters.vocab_size,
        "parts": parts,
        **VIT,
    }
    model = small_model(**config)
    if isinstance(model.output, ComposedLinear):
        model.output.make_of(torch.tensor(characters.letters()))
    return model


def logits(model: Model, characters: Charset, of: str) -> Tensor:
    images = torch.linspace(-1, 1, 2 * SIZE[0] * SIZE[1]).view(1, 2, *SIZE)
    with torch.no_grad():
        found: Tensor = model.eval()(images)
    return found[..., [characters.encode(character)[0] for character in of]]


@pytest.mark.parametrize(("was", "now"), [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("same", [True, False])
def test_known_characters_keep_their_logits(was: bool, now: bool, same: bool) -> None:
    before = charset(BEFORE)
    after = before if same else charset(NOW)
    given = Given("run", old := reader(before, composed=was, seed=1), before, (0.0,), (1.0,))
    fresh = reader(after, composed=now, seed=2)
    own = logits(fresh, after, "가")
    weights, note = given.weights(fresh, after)
    assert ("its characters are these" if same else "2 of 5 characters are known") in note
    load_weights(fresh, weights, "run")
    known = "가각곡" if same else "가각"
    torch.testing.assert_close(logits(fresh, after, known), logits(old, before, known))
    assert not torch.allclose(logits(fresh, after, "가"), own), "or nothing was taken over"


@pytest.mark.parametrize("kind", [*READERS])
@pytest.mark.parametrize("size", [(24, 36), (12, 18), (36, 18)])
def test_it_starts_from_one_that_saw_images_of_another_size(kind: str, size: tuple[int, int]) -> None:
    characters = charset(BEFORE)
    torch.manual_seed(1)
    old = READERS[kind](vocab_size=characters.vocab_size)
    torch.manual_seed(2)
    fresh = READERS[kind](vocab_size=characters.vocab_size, image_size=size)
    weights, _ = Given("run", old, characters, (0.0,), (1.0,)).weights(fresh, characters)
    load_weights(fresh, weights, "run")
    before, after = old.state_dict(), fresh.eval().state_dict()
    other = {name for name in before if not torch.equal(before[name], after[name])}
    resized = {"columns": "encoder.transformer.tokens.projection.weight", "vit": "encoder.tokens.positions.weight"}
    name = resized.get(kind, resized["vit"] if kind == "hybrid" else None)
    assert other == ({name} - {None} if size != SIZE else set())
    assert fresh(torch.zeros(1, 2, *size)).shape[2] == characters.vocab_size


def test_new_characters_are_made_of_the_letters_that_are_known() -> None:
    before, after = charset(BEFORE), charset(NOW)
    old, fresh = reader(before, composed=True, seed=1), reader(after, composed=True, seed=2)
    assert isinstance(old.output, ComposedLinear)
    assert isinstance(fresh.output, ComposedLinear)
    own = fresh.output.own.detach().clone()
    weights, _ = Given("run", old, before, (0.0,), (1.0,)).weights(fresh, after)
    load_weights(fresh, weights, "run")
    torch.testing.assert_close(fresh.output.parts.weight, old.output.parts.weight)
    new = [after.encode(character)[0] for character in "나닥고"]
    torch.testing.assert_close(fresh.output.own[new], own[new])


def test_the_config_says_what_characters_are_made_of() -> None:
    made = small_config(encoder="vit", decoder="ctc", parts=[PARTS, 3], **VIT)
    assert isinstance(build(made).output, ComposedLinear)
    with pytest.raises(ValueError, match=r"parts = .* means nothing with encoder = vit, decoder = transformer"):
        small_config(encoder="vit", decoder="transformer", parts=[PARTS, 3], **VIT)
