import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from jumok.errors import UserError
from jumok.training.options import TextTraining
from jumok.training.schedule import learning_rate, planned_steps


def options(**values: object) -> TextTraining:
    return TextTraining.model_validate({"steps": 1000, **values})


@given(dim=some.integers(1, 2048), warmup=some.integers(1, 8000), step=some.integers(1, 100_000))
def test_inverse_sqrt_is_equation_3(dim: int, warmup: int, step: int) -> None:
    """Vaswani 2017, eq. 3: dim^-0.5 min(step^-0.5, step warmup^-1.5), if its peak is the learning rate."""
    paper = dim**-0.5 * min(step**-0.5, step * warmup**-1.5)
    ours = learning_rate(options(learning_rate=(dim * warmup) ** -0.5, warmup=warmup), step, None)
    assert ours == pytest.approx(paper)


@settings(max_examples=30)
@given(some.sampled_from(["inverse_sqrt", "cosine", "constant"]), some.integers(1, 300), some.floats(1e-6, 1.0))
def test_warmup_rises_to_the_peak_and_nothing_is_higher(schedule: str, warmup: int, peak: float) -> None:
    chosen = options(schedule=schedule, warmup=warmup, learning_rate=peak)
    rates = [learning_rate(chosen, step, 1000) for step in range(1, 1100)]
    assert max(rates) == pytest.approx(peak)
    assert rates[:warmup] == pytest.approx([peak * step / warmup for step in range(1, warmup + 1)])
    assert all(after <= before for before, after in zip(rates[warmup:], rates[warmup + 1 :], strict=False))
    assert min(rates) > 0


def test_cosine_ends_at_one_percent_and_is_halfway_in_the_middle() -> None:
    chosen = options(schedule="cosine", warmup=100, learning_rate=2.0)
    assert learning_rate(chosen, 1100, 1100) == pytest.approx(0.02)
    assert learning_rate(chosen, 600, 1100) == pytest.approx(2.0 * (0.01 + 0.99 / 2))
    assert learning_rate(chosen, 2000, 1100) == pytest.approx(0.02)
    assert learning_rate(chosen, 350, 1100) == pytest.approx(2.0 * (0.01 + 0.99 * (1 + math.cos(math.pi / 4)) / 2))


def test_constant_stays() -> None:
    chosen = options(schedule="constant", warmup=10, learning_rate=0.3)
    assert {learning_rate(chosen, step, None) for step in range(10, 500, 7)} == {0.3}


def test_the_planned_end_is_the_nearest_limit() -> None:
    assert planned_steps(options(steps=50, epochs=3), 10) == 30
    assert planned_steps(options(steps=20, epochs=3), 10) == 20
    assert planned_steps(TextTraining(minutes=1.0), 10) is None


def test_a_training_needs_an_end() -> None:
    with pytest.raises(UserError, match=r"training\.steps, training\.epochs or training\.minutes"):
        TextTraining()


def test_a_cosine_needs_a_planned_end() -> None:
    with pytest.raises(UserError, match=r"needs training\.steps or training\.epochs"):
        TextTraining(schedule="cosine", minutes=5.0)
    assert TextTraining(schedule="cosine", minutes=5.0, epochs=2).epochs == 2
    assert TextTraining(schedule="inverse_sqrt", minutes=5.0).minutes == 5.0
