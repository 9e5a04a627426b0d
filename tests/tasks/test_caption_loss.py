"""Self-critical training is REINFORCE: its gradient is the policy gradient, and what it draws is the model's own."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from jumok.data.tokenizer import BEGIN, END, PAD, UNKNOWN
from jumok.models.image_to_text import ImageToText, build
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.tasks.caption_loss import SelfCritical, log_probabilities
from jumok.tasks.image_text import ImageTextBatch

VOCAB = 6
LSTM = {"encoder": "resnet", "decoder": "lstm", "widths": (8, 8), "blocks": (1, 1), "dim": 8, "decoder_depth": 1}
VIT = {"encoder": "vit", "patch": 4, "dim": 8, "heads": 2, "depth": 1, "decoder_depth": 1, "hidden": 16}


def tiny(max_len: int = 4, dropout: float = 0.2, **values: object) -> ImageToText:
    sizes = {"image_size": 8, "vocab_size": VOCAB, "max_len": max_len, "dropout": dropout}
    model = build(ImageToTextConfig.model_validate(sizes | (values or VIT)))
    assert isinstance(model, ImageToText)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)  # decided enough that captions differ in their chance
    return model


def batch(count: int, epoch: int = 0) -> ImageTextBatch:
    return ImageTextBatch.collate(torch.randn(count, 3, 8, 8), [[4]] * count, list(range(10, 10 + count)), epoch)


def reward(place: int, pieces: Sequence[int]) -> float:
    return 0.1 * (place - 9) * pieces.count(4) + 0.5 * (pieces[:1] == [5]) + 0.2 * len(pieces)


def by_hand(model: ImageToText, image: Tensor, pieces: Sequence[int]) -> Tensor:
    """``log p(pieces | image)``, a token at a time, until END is written or has to be; never BEGIN or PAD."""
    total, written = torch.zeros(()), [BEGIN]
    for piece in [*pieces, END][: model.config.max_len - 1]:
        logits = model(image[None], torch.tensor([written]))[0, -1].clone()
        logits[[PAD, BEGIN]] = -torch.inf
        total = total + logits.log_softmax(-1)[piece]
        written.append(piece)
    return total


def gradient(model: ImageToText, total: Tensor) -> Tensor:
    parts = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    pairs = zip(model.parameters(), parts, strict=True)
    return torch.cat([torch.zeros(p.numel()) if part is None else part.flatten() for p, part in pairs])


@pytest.mark.parametrize("values", [VIT, LSTM], ids=["vit", "lstm"])
def test_log_probabilities_are_those_of_a_token_at_a_time(values: dict[str, object]) -> None:
    model, seen = tiny(**values).eval(), batch(2)
    rows = [[4, 5, 3], [5], [], [3, 3, 3]]
    found = log_probabilities(model, model.encode(seen.images), rows, 2)
    wanted = [by_hand(model, seen.images[number // 2], row) for number, row in enumerate(rows)]
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-5, atol=1e-5)  # sums in another order


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("values", [VIT, LSTM], ids=["vit", "lstm"])
def test_the_gradient_is_reinforce_by_hand(values: dict[str, object], samples: int, seed: int) -> None:
    model, seen = tiny(**values).train(), batch(3)
    critical = SelfCritical(reward, samples, seed)
    loss = critical(model, seen)
    assert model.training, "the mode is as before"
    assert float(loss.weight) == 3 * samples
    model.eval()
    drawn, greedy = critical._written(model, seen)
    total = torch.zeros(())
    for number, (hypotheses, place) in enumerate(zip(drawn, seen.indices.tolist(), strict=True)):
        rewards = [reward(place, h.tokens) for h in hypotheses]
        for k, hypothesis in enumerate(hypotheses):
            if greedy is not None:
                baseline = reward(place, greedy[number][0].tokens)
            else:
                baseline = sum(rewards[:k] + rewards[k + 1 :]) / (samples - 1)
            total = total - (rewards[k] - baseline) * by_hand(model, seen.images[number], hypothesis.tokens)
    torch.testing.assert_close(loss.total, total, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient(model, loss.total), gradient(model, total), rtol=1e-3, atol=1e-4)


def test_on_average_it_is_the_gradient_of_the_expected_reward(seed: int) -> None:
    """All captions of at most two pieces are summed over; the mean of many estimates agrees within its noise."""
    torch.manual_seed(0)  # one model, whose gradient stands out; what is drawn differs each time
    model, seen = tiny(max_len=3).eval(), batch(1)
    every = [list(row) for size in range(3) for row in itertools.product([UNKNOWN, 4, 5], repeat=size)]
    log_p = torch.stack([by_hand(model, seen.images[0], row) for row in every])
    assert float(log_p.detach().exp().sum()) == pytest.approx(1.0, abs=1e-5)
    rewards = torch.tensor([reward(10, row) for row in every])
    exact = gradient(model, -(rewards * log_p.exp()).sum())
    estimates = []
    for epoch in range(8):
        loss = SelfCritical(reward, 500, seed)(model, replace(seen, epoch=epoch))
        estimates.append(gradient(model, loss.total / loss.weight))
    found = torch.stack(estimates)
    noise = float(found.std(0).norm()) / len(estimates) ** 0.5
    assert float((found.mean(0) - exact).norm()) < 4 * noise + 0.02 * float(exact.norm())
    assert noise < 0.5 * float(exact.norm()), "enough samples to tell"


def test_what_is_drawn_depends_on_seed_epoch_and_index_alone(seed: int) -> None:
    model, seen = tiny(max_len=12).eval(), batch(4)
    critical = SelfCritical(reward, 3, seed)

    def drawn(critical: SelfCritical, part: ImageTextBatch) -> list[list[list[int]]]:
        return [[h.tokens for h in hypotheses] for hypotheses in critical._written(model, part)[0]]

    whole = drawn(critical, seen)
    torch.rand(3)
    alone = ImageTextBatch.collate(seen.images[2:3], [[4]], [12])
    assert drawn(critical, alone) == whole[2:3]
    assert drawn(critical, replace(seen, epoch=1)) != whole
    assert drawn(SelfCritical(reward, 3, seed + 1), seen) != whole


def test_under_autocast_every_weight_still_gets_its_gradient(seed: int) -> None:
    """What was converted to bf16 without a graph, to draw, must not stand in for the weights of the forced pass."""
    model, seen = tiny(), batch(3)
    with torch.autocast("cpu", torch.bfloat16):
        loss = SelfCritical(reward, 4, seed)(model, seen)
    loss.total.backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None]


def test_rewarded_captions_become_likelier() -> None:
    torch.manual_seed(1)
    model, seen = tiny(max_len=8, dropout=0.0), batch(4)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    first = last = 0.0
    for epoch in range(25):
        loss = SelfCritical(lambda place, pieces: float(pieces.count(5)), 4, 1)(model, replace(seen, epoch=epoch))
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()
        last = float(loss.metrics["reward"]) / float(loss.weight)
        first = first or last
    assert last > first + 100, "a piece more on average"
