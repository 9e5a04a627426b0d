"""The laboratory's measuring code on cases whose answer is known by hand."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from jumok.errors import UserError
from jumok.lab.context import Generated, Given
from jumok.lab.drill import Drills, accuracy, drill
from jumok.lab.gates import gates_of
from jumok.lab.gradients import by_distance, cue_against_noise, cue_places, draw_cue, input_gradients, shares
from jumok.lab.memory import BUDGET, CUES, VOCAB, draw_recall, reach, reader
from jumok.lab.needs import PAIRS, STACKS, VALUES, BareAttention, Lookup, draw_dictionary, draw_order, draw_two
from jumok.lab.price import DIM, LAYERS, TABLE_1, Fused, exponent, gpu_peak_bytes, peak_bytes, width
from jumok.lab.readers import KINDS, ConvolutionBody, Kind, Reader, matched, nearest_width, parameters
from jumok.lab.recency import context
from jumok.lab.rivals import joined, mixed
from jumok.lab.saturation import _growth, probe, run_states, scaled
from jumok.lab.sentences import CORPORA, own_sentences
from jumok.models.seq2seq import Seq2Seq, Seq2SeqConfig
from jumok.nn.recurrent import RecurrentLayer
from jumok.nn.recurrent_text import RecurrentEncoder


@pytest.mark.parametrize("kind", KINDS)
def test_rivals_are_matched_in_parameters_within_a_tenth(kind: Kind) -> None:
    for budget in (20_000, 60_000):
        model = matched(kind, VOCAB, CUES, budget, depth=3)
        assert abs(parameters(model) - budget) <= 0.1 * budget
        assert model(torch.randint(VOCAB, (3, 9))).shape == (3, CUES)


def test_a_width_that_cannot_be_matched_is_refused() -> None:
    with pytest.raises(ValueError, match="about 150"):
        nearest_width(lambda width: 100 * width**3, 150, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_reader_of_the_memory_sees_its_farthest_cue(kind: Kind) -> None:
    """And what is told of its receptive field is what its outputs hang on."""
    for farthest in (50, 400):
        model = reader(kind, farthest)
        assert abs(parameters(model) - BUDGET) <= 0.1 * BUDGET
        assert model.receptive_field is None or model.receptive_field > farthest
    model = Reader(kind, VOCAB, CUES, 8, depth=3).double()
    # of many inputs together: in one of them all ReLUs of a step may be off
    x = model.tokens(torch.randint(VOCAB, (32, 20))).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.features(x)[:, -1].square().sum(), x)
    assert int(gradient.any(2).any(0).sum()) == (model.receptive_field or 20)


def test_the_depth_of_convolutions_is_the_least_that_sees_enough() -> None:
    assert [ConvolutionBody.depth_to_see(n) for n in (1, 3, 4, 7, 8, 51, 127, 128, 401)] == [1, 1, 2, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize("kind", KINDS)
def test_no_reader_looks_ahead(kind: Kind) -> None:
    model = Reader(kind, VOCAB, CUES, 12, depth=2)
    x = model.tokens(torch.randint(VOCAB, (2, 7))).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.features(x)[:, 3].square().sum(), x)
    assert not gradient[:, 4:].any()
    assert gradient[:, :4].any()


def test_input_gradients_are_those_of_each_example_s_own_loss() -> None:
    model = Reader("gru", VOCAB, CUES, 10)
    tokens, labels = draw_cue(6, 4, torch.Generator())
    together = input_gradients(model, tokens, labels)
    alone = torch.cat([input_gradients(model, tokens[i : i + 1], labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)


def test_gradient_through_a_linear_recurrence_shrinks_by_its_factor() -> None:
    # h_t = relu(a h_{t-1} + x_t) with positive values is linear: d h_N / d x_t = a^(N - t)
    layer = RecurrentLayer("relu", 1, 1)
    with torch.no_grad():
        layer.kernel.weight_ih_l0.fill_(1.0)
        layer.kernel.weight_hh_l0.fill_(0.5)
    x = torch.rand(1, 6, 1, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0][:, -1].sum(), x)
    assert by_distance(gradient[..., 0].abs()) == pytest.approx([0.5**t for t in range(6)])


def test_every_example_has_the_same_share_of_gradient_however_large_its_loss() -> None:
    one = torch.tensor([[1.0, 3.0], [1000.0, 1000.0], [0.0, 0.0]])
    found = shares(one)
    assert found[:2].tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert bool(found[2].isnan().all()), "no gradient reaches the third at all"
    assert by_distance(found) == [0.625, 0.375]


def test_cue_and_noise_are_told_apart_at_each_distance() -> None:
    norms = torch.tensor([[8.0, 1.0, 2.0], [3.0, 9.0, 4.0]])
    cue, noise = cue_against_noise(norms, torch.tensor([0, 1]))
    assert math.isnan(cue[0])
    assert cue[1:] == [9.0, 8.0]
    assert noise == [3.0, 1.0, 3.0]


def test_the_cue_is_found_where_it_was_put() -> None:
    tokens, labels = draw_cue(11, 50, torch.Generator())
    assert bool((tokens[torch.arange(50), cue_places(tokens)] == labels).all())
    assert bool(((tokens < CUES).sum(1) == 1).all())


def test_recall_puts_the_answer_first_and_noise_after_it() -> None:
    tokens, labels = draw_recall(9, 40, torch.Generator())
    assert tokens.shape == (40, 10)
    assert bool((tokens[:, 0] == labels).all())
    assert bool((tokens[:, 1:] >= CUES).all())


def test_reach_is_the_last_distance_before_the_first_failure() -> None:
    assert reach([5, 10, 20, 50], [[100, 95, 40, 99], [100, 91, 20, 99]]) == 10
    assert reach([5, 10], [[12, 13]]) == 0


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.5])
def test_scaling_gives_the_spectral_radius(radius: float) -> None:
    layer = RecurrentLayer("relu", 4, 12)
    scaled(layer, radius)
    eigenvalues = torch.linalg.eigvals(layer.kernel.weight_hh_l0.detach().double())
    assert float(eigenvalues.abs().max()) == pytest.approx(radius, rel=1e-5)


def test_growth_without_recurrence_is_none_and_with_a_large_radius_it_diverges() -> None:
    # U = 0 leaves |relu(W x_t + b)|, drawn as _growth draws it
    torch.manual_seed(4)
    layer = RecurrentLayer("relu", 16, 64)
    x = torch.randn(32, 9, 16)
    kernel = layer.kernel
    expected = torch.relu(x @ kernel.weight_ih_l0.T + kernel.bias_ih_l0 + kernel.bias_hh_l0).norm(dim=-1).mean(0)
    assert _growth("relu", 0.0, 9, 4) == pytest.approx(expected.tolist(), rel=1e-5)
    assert max(_growth("tanh", 3.0, 30, 4)) <= 8, "64 units of at most 1"
    small, large = _growth("gelu", 0.5, 60, 4), _growth("gelu", 3.0, 60, 4)
    assert large[-1] > 1e3 * large[10]
    assert small[-1] == pytest.approx(small[10], rel=0.2)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_context_is_the_final_state_of_every_layer_and_part(reverse: bool) -> None:
    """``h_t = tanh(W x_t + U h_{t-1} + b)`` written out, over the source in the order of reading."""
    sizes: dict[str, Any] = {"source_vocab": 9, "target_vocab": 9, "dim": 6, "decoder": "summary", "directions": 1}
    model = Seq2Seq(Seq2SeqConfig(cell="tanh", reverse_source=reverse, **sizes)).eval()
    words = torch.randint(4, 9, (3, 5))
    encoder = model.encoder
    assert isinstance(encoder, RecurrentEncoder)
    kernel = encoder.stack.each()[0].kernel
    h = torch.zeros(3, 6)
    for t in range(4, -1, -1) if reverse else range(5):
        x = encoder.tokens(words[:, t : t + 1])[:, 0]
        bias = kernel.bias_ih_l0 + kernel.bias_hh_l0
        h = torch.tanh(x @ kernel.weight_ih_l0.T + h @ kernel.weight_hh_l0.T + bias)
    torch.testing.assert_close(context(model, words), h)
    lstm = Seq2Seq(Seq2SeqConfig(cell="lstm", reverse_source=reverse, **sizes)).eval()
    assert context(lstm, words).shape == (3, 12), "h and c"


def test_states_step_by_step_are_the_layer_s() -> None:
    layer = RecurrentLayer("tanh", 5, 7)
    x = torch.randn(3, 8, 5)
    before, after = run_states(layer, x)
    torch.testing.assert_close(after, layer(x)[0])
    torch.testing.assert_close(before.tanh(), after)


def test_the_probe_reads_what_is_there_and_nothing_else() -> None:
    labels = torch.randint(4, (2000,))
    noisy = nn.functional.one_hot(labels, 4).float() @ torch.randn(4, 9) + 0.05 * torch.randn(2000, 9)
    assert probe(noisy, labels, 4, 1000) > 99
    assert probe(torch.randn(2000, 9), labels, 4, 1000) == pytest.approx(25, abs=6)


def test_gates_are_those_that_move_the_state() -> None:
    layer = RecurrentLayer("lstm", 3, 5)
    with torch.no_grad():
        layer.kernel.bias_ih_l0[:5] = -30.0  # shut the input gate: the state stays at zero
    gates = gates_of(layer, torch.randn(2, 6, 3)).detach()
    assert gates.shape == (3, 2, 6, 5)
    assert float(gates[0].max()) < 1e-6
    assert float(layer(torch.randn(2, 6, 3))[0].detach().abs().max()) < 1e-6
    with pytest.raises(ValueError, match="gru"):
        gates_of(RecurrentLayer("gru", 3, 5), torch.randn(1, 2, 3))


def test_the_exponent_of_a_power_is_its_power() -> None:
    lengths = [16, 64, 256]
    assert exponent(lengths, [3.0 * n**1.7 for n in lengths]) == pytest.approx(1.7)


def test_joined_sentences_drop_what_is_left_over() -> None:
    assert joined(["a", "b", "c", "d", "e"], 2) == ["a b", "c d"]


def test_a_third_of_the_lessons_is_joined_by_two_to_six() -> None:
    learnt = mixed([str(n) for n in range(15 * 60)])
    assert [sum(len(line.split()) == n for line in learnt) for n in range(1, 7)] == [600, 30, 20, 15, 12, 10]
    assert " ".join(learnt) == " ".join(str(n) for n in range(15 * 60))


def test_dictionaries_hold_the_answer_once() -> None:
    tokens, labels = draw_dictionary(torch.Generator(), 30)
    for row, label in zip(tokens.tolist(), labels.tolist(), strict=True):
        key = row[-1] - PAIRS
        assert [pair % VALUES for pair in row[:-1] if pair // VALUES == key] == [label]
    tokens, both = draw_two(torch.Generator(), 30)
    for row, label in zip(tokens.tolist(), both.tolist(), strict=True):
        found = [next(p % VALUES for p in row[:-2] if p // VALUES == asked - PAIRS) for asked in row[-2:]]
        assert found[0] * VALUES + found[1] == label


def test_order_is_the_order_of_the_two_marks() -> None:
    tokens, labels = draw_order(torch.Generator(), 40)
    for row, label in zip(tokens.tolist(), labels.tolist(), strict=True):
        assert int(row.index(0) < row.index(1)) == label


def test_bare_attention_is_the_formula() -> None:
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    expected = (x @ x.transpose(1, 2) / math.sqrt(6)).softmax(-1) @ x
    torch.testing.assert_close(BareAttention()(x), expected)


@pytest.mark.parametrize("title", CORPORA)
def test_meanings_hang_on_the_cue_and_its_distance_is_right(title: str) -> None:
    corpus = Generated(CORPORA[title], [5, 9])
    tokens, labels = corpus.held_out(9, 3, 200)
    assert tokens.shape == (200, corpus.length)
    assert set(labels.tolist()) == set(range(len(corpus.meanings)))
    assert len(list(corpus.for_probes(3))) == 2, "one set of sentences a distance"
    assert corpus.probed == ["5", "9"]
    assert ("pronoun" in corpus.apart) is (title == "pronoun")
    words = {number: word for word, number in corpus.words.items()}
    if title == "apple":
        assert all(words[row[-1]] == "apple" and words[row[-10]] != "<pad>" for row in tokens.tolist())


def own(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_persons_own_sentences_are_a_corpus(tmp_path: Path) -> None:
    fillers = ["어제", "다시", "많이", "조금", "함께"]
    lines = [
        f"{cue} {' '.join(fillers[:count])} 썼다.\t썼다\t{meaning}\t{cue}"
        for cue, meaning in (("돈을", "spend"), ("모자를", "wear"))
        for count in range(1, 6)
    ]
    examples = own_sentences(own(tmp_path / "own.tsv", [*(lines * 5), ""]))
    assert len(examples) == 50
    assert {example.distance for example in examples} == {2, 3, 4, 5, 6}
    assert all(example.words[-1] == "썼다." for example in examples)
    corpus = Given(examples)
    assert len(corpus.learnt) == 40
    assert sum(len(corpus.held_out(distance, 1)[1]) for distance in corpus.distances) == 10
    tokens, labels = corpus.draw(64, 3)
    cues = (tokens == corpus.words["돈을"]).any(1)
    assert torch.equal(cues, labels == corpus.meanings["spend"])
    ((tokens, labels, fitted),) = corpus.for_probes(1)
    assert (len(tokens), fitted) == (50, 40)
    assert corpus.probed == ("all",), "one probe of all distances is named so"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("나는 밥을 먹었다\t썼다\tspend\t밥을", "line 41: the word “썼다” is not in the sentence “나는 밥을 먹었다”"),
        ("돈을 썼다\t썼다\tspend\t모자를", "line 41: the cue “모자를” is not in the sentence"),
        ("There the farmer sat\the\tfarmer\tsat", "line 41: the word “he” is not in the sentence"),
        ("돈을 썼다\t썼다\tspend\t썼다", "line 41: the word and its cue are the same word"),
        ("돈을 썼다\t썼다\tspend", "line 41: write four columns"),
        ("돈을 썼다\t썼다\t\t돈을", "line 41: write four columns"),
    ],
)
def test_a_sentence_without_its_word_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = own(tmp_path / "own.tsv", ["돈을 썼다\t썼다\tspend\t돈을"] * 40 + [line])
    with pytest.raises(UserError, match=message):
        own_sentences(path)


def test_too_few_sentences_or_meanings_are_refused(tmp_path: Path) -> None:
    for count in (39, 40):
        path = own(tmp_path / "own.tsv", ["돈을 썼다\t썼다\tspend\t돈을"] * count)
        with pytest.raises(UserError, match=f"{count} sentences with 1 meanings; give at least 40 sentences and 2"):
            own_sentences(path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_layer_is_what_the_answer_reads(kind: Kind) -> None:
    model = Reader(kind, VOCAB, CUES, 12, depth=2)
    tokens = torch.randint(VOCAB, (3, 6))
    layers = model.layers(tokens)
    assert len(layers) == 3
    torch.testing.assert_close(model.answer(layers[-1][:, -1]), model(tokens))


def test_layers_whose_price_is_compared_are_matched_in_parameters() -> None:
    budget = parameters(Fused(DIM))
    for name, build in LAYERS.items():
        assert abs(parameters(build(width(name))) - budget) <= 0.1 * budget
    assert [row[0].split()[0] for row in TABLE_1].count("self-attention") == 2, "restricted, too"


@pytest.mark.parametrize(
    "change",
    [
        {"projections": False},
        *({"heads": heads} for heads in (1, 2, 8)),
        *({"positions": kind} for kind in ("learned", "rotary", "none")),
        *({"stack": stack} for stack in STACKS),
    ],
)
def test_what_lacks_a_part_of_attention_has_as_many_parameters(change: dict[str, Any]) -> None:
    whole = parameters(Lookup(PAIRS, VALUES))
    assert abs(parameters(Lookup(PAIRS, VALUES, **change)) - whole) <= 0.1 * whole


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_memory_of_a_step_on_a_gpu_grows_with_its_length() -> None:
    short, long = gpu_peak_bytes(LAYERS["attention, explicit"](DIM).cuda(), DIM, [512, 2048], torch.device("cuda"))
    assert short > 2 * 4 * 2**20
    assert long > 6 * short


def test_the_memory_of_a_step_grows_with_its_length() -> None:
    # explicit attention holds H x N x N weights, several times over: 4 x 512 x 512 floats are 4 MiB
    short, long = peak_bytes("attention, explicit", [512, 2048])
    assert short > 2 * 4 * 2**20
    assert long > 6 * short, "4 times the length: 16 times the weights, 4 times everything else"


def test_a_model_that_diverges_is_reported_and_stopped() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([self.w * x[:, 0] * math.nan, x[:, 0] * 0.0], 1)

    def draw(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.ones(4, 1), torch.zeros(4, dtype=torch.long)

    outcome = drill(Broken(), draw, steps=10, seed=1)
    assert outcome.diverged
    assert outcome.steps == 1
    drills = Drills()
    drills("broken", Broken(), draw, steps=10, seed=1)
    drills("linear", nn.Linear(1, 2), draw, steps=3, seed=1)
    drills("linear", nn.Linear(1, 2), draw, steps=5, seed=2)
    assert str(drills) == "Trainings that diverged: broken, seed 1."
    # batches of 4 inputs
    assert list(drills.table("").rows) == [("broken", 1, 1, 1, "1", "4"), ("linear", 4, 2, 0, "3 - 5", "12 - 20")]


def test_drill_learns_and_accuracy_measures_it() -> None:
    model = nn.Linear(2, 2)

    def draw(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(64, 2, generator=generator)
        return x, (x[:, 0] > 0).long()

    assert accuracy(nn.Linear(2, 2).apply(lambda m: nn.init.zeros_(m.weight)), draw, seed=1) < 70
    drill(model, draw, steps=200, seed=1, learning_rate=0.1)
    assert accuracy(model, draw, seed=1) > 95
