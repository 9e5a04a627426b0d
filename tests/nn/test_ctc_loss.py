"""CTC's loss is torch's and brute force's; what does not fit its frames is counted and harms nothing."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decoding.alignments import every_text
from torch.nn import functional as F

from jumok.nn.loss import ctc_loss


def fits(text: tuple[int, ...], frames: int) -> bool:
    return len(text) + sum(one == other for one, other in itertools.pairwise(text)) <= frames


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(1, 5),
    tokens=st.integers(2, 4),
    texts=st.lists(st.lists(st.integers(1, 3), max_size=5), min_size=1, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_equal_to_brute_force(frames: int, tokens: int, texts: list[list[int]], seed: int) -> None:
    torch.manual_seed(seed)
    texts = [[min(token, tokens - 1) for token in text] for text in texts]
    logits = torch.randn(len(texts), frames, tokens) * 2
    longest = max(map(len, texts))
    # what stands behind a text is not read
    targets = torch.tensor([text + torch.randint(tokens, (longest - len(text),)).tolist() for text in texts])
    targets = targets.long().view(len(texts), longest)
    found = ctc_loss(logits, targets, torch.tensor([len(text) for text in texts]))
    expected, unfit = 0.0, 0
    for row, text in enumerate(texts):
        if fits(tuple(text), frames):
            expected -= math.log(every_text(logits[row].double().softmax(-1))[tuple(text)])
        else:
            unfit += 1
    assert float(found.total) == pytest.approx(expected, abs=1e-4)
    assert int(found.unfit) == unfit


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tokens", [4, 11, 500])  # of few many are equal, of many most are in no text
@pytest.mark.parametrize("scale", [1.0, 8.0])  # sure of itself, and wrong
def test_equal_to_torch_with_its_gradient(dtype: torch.dtype, tokens: int, scale: float) -> None:
    logits = (scale * torch.randn(7, 19, tokens)).to(dtype).requires_grad_()
    lengths = torch.tensor([1, 8, 0, 5, 3, 9, 2])
    targets = torch.randint(1, tokens, (7, 9))
    found = ctc_loss(logits, targets, lengths)
    log_p = logits.double().log_softmax(-1).transpose(0, 1)
    expected = F.ctc_loss(log_p, targets, torch.full((7,), 19), lengths, reduction="sum")
    torch.testing.assert_close(found.total.double(), expected, rtol=1e-4, atol=1e-4)
    assert found.total.dtype == torch.float32
    ours, theirs = (torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (found.total, expected))
    torch.testing.assert_close(ours, theirs, rtol=2e-2 if dtype == torch.bfloat16 else 1e-3, atol=1e-4)
    assert int(found.unfit) == 0


def test_texts_that_do_not_fit_are_counted_and_add_nothing() -> None:
    logits = torch.randn(5, 4, 6).requires_grad_()
    targets = torch.tensor([[1, 2, 3, 4, 5], [2, 2, 3, 0, 0], [2, 2, 2, 0, 0], [3, 3, 3, 3, 3], [4, 4, 1, 1, 0]])
    loss = ctc_loss(logits, targets, torch.tensor([5, 3, 3, 1, 4]))
    # the second needs a blank between: 4 frames; the third and the fifth would need 5 and 6
    assert int(loss.unfit) == 3
    alone = ctc_loss(logits[[1, 3]], targets[[1, 3]], torch.tensor([3, 1]))
    torch.testing.assert_close(loss.total, alone.total)
    loss.total.backward()
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())
    assert not bool(logits.grad[[0, 2, 4]].any())
    assert bool(logits.grad[[1, 3]].any(-1).all())


@pytest.mark.parametrize("width", [0, 3])
def test_texts_of_nothing(width: int) -> None:
    logits = torch.randn(2, 5, 4).requires_grad_()
    loss = ctc_loss(logits, torch.zeros(2, width, dtype=torch.long), torch.zeros(2, dtype=torch.long))
    torch.testing.assert_close(loss.total, -logits.log_softmax(-1)[..., 0].sum())
    assert int(loss.unfit) == 0
