"""Ensembles: one member is itself, unequal vocabularies are refused, members keep their own states."""

import pytest
import torch
from tests.decoding.run import run
from tests.decoding.table import TableModel
from tests.models.small import MODELS, lengths, small_model, words

from jumok.decoding.protocol import Ensemble
from jumok.errors import UserError
from jumok.models.translators import TranslationModel

NAMES = ["<pad>", "<s>", "</s>", "a", "b"]


@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 4, "n_best": 4}, {"sample": True, "n_best": 2}], ids=str)
def test_an_ensemble_of_one_is_its_member(options: dict[str, int]) -> None:
    model, numbers = TableModel(5, 7), torch.arange(7)
    single, ensemble = run(model, [9] * 7, **options), run(Ensemble([model], [NAMES]), [9] * 7, [numbers], **options)
    for one, other in zip(single, ensemble, strict=True):
        assert [h.tokens for h in one] == [h.tokens for h in other]
        assert [h.score for h in one] == pytest.approx([h.score for h in other], abs=1e-4)


@pytest.mark.parametrize("members", [1, 2, 3])
def test_a_step_gives_the_log_of_the_mean_probability(members: int) -> None:
    models, encoded = [TableModel(5, 3) for _ in range(members)], torch.arange(3)
    ensemble, tokens = Ensemble(models, [NAMES] * members), torch.tensor([[1], [4], [5]])
    logits, _ = ensemble.step(tokens, ensemble.begin([encoded] * members, 1, 9))
    each = [model.step(tokens, model.begin(encoded, 1, 9))[0].softmax(-1) for model in models]
    torch.testing.assert_close(logits.exp(), torch.stack(each).mean(0))


def test_twins_are_one() -> None:
    model, numbers = TableModel(5, 7), torch.arange(7)
    single, twins = run(model, [9] * 7), run(Ensemble([model] * 2, [NAMES] * 2), [9] * 7, [numbers] * 2)
    assert [h[0].tokens for h in single] == [h[0].tokens for h in twins]
    assert [h[0].score for h in single] == pytest.approx([h[0].score for h in twins], abs=1e-4)


@torch.no_grad()
def test_two_transformers_write_what_their_mean_says() -> None:
    """Of different depths and positions: their states differ, their vocabulary does not."""
    check_mean([small_model(positions="rotary", depth=1), small_model(norm="pre", dim=24)])


@pytest.mark.parametrize(
    "names", [("transformer", "luong"), ("summary", "bahdanau"), ("bytenet", "transformer", "cho")], ids=" + ".join
)
@torch.no_grad()
def test_models_of_different_families_are_an_ensemble(names: tuple[str, ...]) -> None:
    check_mean([MODELS[name]() for name in names])


def check_mean(members: list[TranslationModel]) -> None:
    source, sizes = words(5, 7), lengths(5, 7)
    encoded = [member.encode(source, sizes) for member in members]
    found = run(Ensemble(members, [NAMES] * len(members)), [9, 4, 9, 2, 6], encoded, beam=3, n_best=3)
    for row, hypotheses in enumerate(found):
        for h in hypotheses:
            target, labels = torch.tensor([[1, *h.tokens]]), torch.tensor([*h.tokens, 2])
            rows = [m(source[row : row + 1], sizes[row : row + 1], target)[0].softmax(-1) for m in members]
            log_p = torch.stack(rows).mean(0).log().gather(1, labels[:, None]).sum()
            assert h.log_probability == pytest.approx(float(log_p), abs=1e-3)


@pytest.mark.parametrize("other", [["<pad>", "<s>", "</s>", "b", "a"], NAMES[:-1], [*NAMES, "c"]], ids=str)
def test_unequal_vocabularies_are_refused(other: list[str]) -> None:
    model = TableModel(2)
    with pytest.raises(UserError, match="run 3"):
        Ensemble([model, model, model], [NAMES, NAMES, other])
