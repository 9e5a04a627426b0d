"""Every kind of model learns to copy and to reverse in seconds, and its attention shows which it does."""

import pytest
import torch
from tests.decoding.run import run
from tests.learn.toy import LEARNERS, LONGEST, REVERSE, answers, draw, trained

from jumok.insight.record import record

# exact matches in percent; one vector holds five letters with effort, an attention with ease
BEAMS = {"transformer": 4, "luong": 4, "cho": 4}
LEAST = {
    "transformer": 98, "bahdanau": 90, "luong": 85, "luong-dot": 85, "luong-concat": 85, "tanh": 90,
    "convs2s": 90, "bytenet": 90, "summary": 55, "cho": 60,
}  # fmt: skip


@pytest.mark.parametrize(("name", "beam"), [("transformer", 1), *((name, BEAMS.get(name, 1)) for name in LEARNERS)])
def test_it_learns_to_copy_and_to_reverse(name: str, beam: int) -> None:
    model = trained(name)
    source, lengths, _, labels = draw(500)
    with torch.no_grad():
        encoded = model.encode(source, lengths)
    found = run(model, [LONGEST + 4] * 500, encoded, beam=beam)
    right = [h[0].tokens == answer for h, answer in zip(found, answers(labels), strict=True)]
    assert 100 * sum(right) / 500 >= LEAST[name]


@pytest.mark.parametrize("name", [name for name in LEARNERS if LEAST[name] > 80])
def test_attention_runs_along_the_diagonal_that_the_task_asks_for(name: str) -> None:
    """Copying looks forwards, reversing backwards: most looks fall on the letter to be written or next to it.

    Next to it, because a letter's neighbour knows of it too: ConvS2S looks for the letter written last and takes what
    its convolution brought there.
    """
    model = trained(name)
    source, lengths, target, _ = draw(500)
    longest = lengths == LONGEST + 1
    source, target = source[longest], target[longest]
    with record(model, "decoder") as maps, torch.no_grad():
        model(source, lengths[longest], target)
    cross = [weights.mean(1) for layer, weights in maps.items() if layer.endswith("cross")]
    # at the command, which stands in front, a head may rest; and the first letter has none written before it
    step, reverse = torch.arange(1, LONGEST), source[:, 0] == REVERSE
    looks = 1 + torch.stack(cross).mean(0)[:, 1:LONGEST, 1:].argmax(-1)
    diagonal, anti = (looks - (1 + step)).abs() <= 1, (looks - (LONGEST - step)).abs() <= 1
    for wanted, other in ((diagonal[~reverse], anti[~reverse]), (anti[reverse], diagonal[reverse])):
        assert float(wanted.double().mean()) > 0.8
        assert float(other.double().mean()) < 0.65
