"""The Transformer learns to copy and to reverse in seconds."""

import pytest
import torch
from tests.decoding.run import run
from tests.learn.toy import LONGEST, answers, draw, trained


@pytest.mark.parametrize("beam", [1, 4])
def test_it_learns_to_copy_and_to_reverse(beam: int) -> None:
    model = trained()
    source, lengths, _, labels = draw(500)
    with torch.no_grad():
        encoded = model.encode(source, lengths)
    found = run(model, [LONGEST + 4] * 500, encoded, beam=beam)
    right = [h[0].tokens == answer for h, answer in zip(found, answers(labels), strict=True)]
    assert 100 * sum(right) / 500 >= 98
