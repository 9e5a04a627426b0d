"""Laws of the translator: nothing lost, nothing that depends on the neighbours, options that do what they say."""

import logging
import random
import shutil
import unicodedata
from pathlib import Path

import pytest
import torch
from tests.tasks import small

import jumok
from jumok.decoding.search import SearchOptions
from jumok.errors import UserError
from jumok.tasks.inference import side_by_side
from jumok.tasks.translate_predict import Translator


def lines(seed: int, count: int = 12) -> list[str]:
    return [source for source, _ in small.pairs(count, seed, longest=9)]


def options(**values: object) -> SearchOptions:
    return SearchOptions.model_validate({"beam": 3, **values})


def test_every_line_gives_one_and_an_empty_line_an_empty_one(translator: Translator, seed: int) -> None:
    sources = lines(seed)
    with_gaps = ["", *sources[:5], "   ", "\t", *sources[5:], ""]
    answers = translator(with_gaps)
    assert len(answers) == len(with_gaps)
    assert [answer for line, answer in zip(with_gaps, answers, strict=True) if not line.strip()] == [""] * 4
    assert [answer for line, answer in zip(with_gaps, answers, strict=True) if line.strip()] == translator(sources)
    assert translator([]) == []


@pytest.mark.parametrize("sample", [False, True])
def test_a_sentence_gives_the_same_alone_and_in_any_batch(translator: Translator, seed: int, sample: bool) -> None:
    sources, asked = lines(seed), options(n_best=3, sample=sample, seed=seed)
    whole = translator.translate(sources, asked, batch_tokens=10_000)
    small_batches = translator.translate(sources, asked, batch_tokens=8)
    alone = [translator.translate([line], asked, first=number)[0] for number, line in enumerate(sources)]
    for one, two, three in zip(whole, small_batches, alone, strict=True):
        assert [t.text for t in one] == [t.text for t in two] == [t.text for t in three]
        assert [t.score for t in one] == pytest.approx([t.score for t in three], abs=1e-4)


def test_order_does_not_matter(translator: Translator, seed: int) -> None:
    sources = lines(seed)
    shuffled = random.Random(seed).sample(sources, len(sources))
    assert dict(zip(sources, translator(sources), strict=True)) == dict(
        zip(shuffled, translator(shuffled), strict=True)
    )


def test_the_best_of_n_is_the_best_alone_and_scores_fall(translator: Translator, seed: int) -> None:
    many = translator.translate(lines(seed), options(n_best=3))
    for found in many:
        assert len(found) == 3
        assert [t.score for t in found] == sorted((t.score for t in found), reverse=True)
    assert [found[0].text for found in many] == translator(lines(seed), beam=3)


def test_a_seed_repeats_its_draws_and_another_draws_others(translator: Translator, seed: int) -> None:
    draws = [
        [found[0].text for found in translator.translate(lines(seed), options(sample=True, temperature=2.0, seed=s))]
        for s in (seed, seed, seed + 1)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_a_prefix_starts_each_output(translator: Translator, seed: int) -> None:
    sources = lines(seed, 4)
    prefixes = ["6 6", "", "1 2 3 4", "ra"]
    answers = translator.translate(sources, prefixes=prefixes)
    for prefix, found in zip(prefixes, answers, strict=True):
        assert found[0].text.startswith(prefix)
    assert answers[1][0].text == translator(sources)[1]


def test_lengths_are_kept(translator: Translator, seed: int) -> None:
    encode = translator.tokenizers.target.encode
    short = translator.translate(lines(seed), options(max_length=2))
    assert all(len(encode(found[0].text)) <= 2 for found in short)
    none = translator.translate(lines(seed), options(min_length=9, max_length=9, no_repeat_ngram=2, beam=4))
    assert all(found[0].text for found in none)


def test_text_is_brought_to_nfc(translator: Translator) -> None:
    text = "ga \N{HANGUL SYLLABLE GAG} \N{LATIN SMALL LETTER E WITH ACUTE} na"
    assert translator([unicodedata.normalize("NFD", text)]) == translator([text])


def test_a_line_longer_than_the_model_is_cut_and_counted(
    translator: Translator, caplog: pytest.LogCaptureFixture
) -> None:
    sources = ["ga na", "ma " * 10_000, "da"]
    with caplog.at_level(logging.WARNING):
        answers = translator(sources)
    assert "1 of 3 lines" in caplog.text
    assert answers[0] == translator(["ga na"])[0]
    tokenizer = translator.tokenizers.source
    assert answers[1] == translator([tokenizer.decode(tokenizer.encode(sources[1])[: translator.max_len])])[0]
    assert [found[0].cut for found in translator.translate(sources)] == [False, True, False]


def test_an_ensemble_of_a_run_with_itself_is_that_run(run: Path, translator: Translator, seed: int) -> None:
    twice = jumok.load(f"{run},{run}")
    assert twice(lines(seed)) == translator(lines(seed))
    one = translator.translate(lines(seed), options())
    for a, b in zip(one, twice.translate(lines(seed), options()), strict=True):
        assert a[0].score == pytest.approx(b[0].score, abs=1e-4)


def test_an_ensemble_refuses_other_vocabularies_and_languages(run: Path, tmp_path: Path) -> None:
    data = small.write_data(tmp_path / "data", seed=99, train=60)
    values = small.recipe_values(data, tmp_path / "other")
    values["tokenizer"]["size"] = 310
    small.train_values(values)
    with pytest.raises(UserError, match="vocabulary"):
        jumok.load(f"{run},{tmp_path / 'other'}")


def test_bf16_changes_few_outputs(run: Path, translator: Translator, seed: int) -> None:
    rounded = Translator.load(run, precision="bf16", device="cpu")
    sources = lines(seed, 40)
    same = sum(a == b for a, b in zip(rounded(sources), translator(sources), strict=True))
    assert same >= 20  # an untrained model's near ties; what is promised is measured on real runs


def test_a_run_needs_nothing_but_its_folder(run: Path, data: Path, translator: Translator, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        shutil.copy(run / name, copy / name)
    assert Translator.load(copy)(["ga na da"]) == translator(["ga na da"])


def test_a_single_string_is_no_list_of_lines(translator: Translator) -> None:
    with pytest.raises(TypeError, match=r"\[line\]"):
        translator("ga na")


def test_progress_counts_every_line(translator: Translator, seed: int) -> None:
    counts: list[int] = []
    translator.translate(["", *lines(seed), ""], advance=counts.append, batch_tokens=16)
    assert sum(counts) == len(lines(seed)) + 2


def test_attention_rows_sum_to_one_and_follow_a_forced_target(translator: Translator) -> None:
    view = translator.attention("ga na da", "1 2 3")
    assert view.output_text == "1 2 3"
    cross = view.maps["decoder.blocks.0.cross"]
    assert cross.shape == (2, len(view.target), len(view.source))
    assert torch.as_tensor(cross).sum(-1).allclose(torch.ones(()))
    assert translator.attention("ga na da").output_text == translator(["ga na da"])[0]
    with pytest.raises(UserError, match="no text"):
        translator.attention("  ")


@pytest.mark.parametrize("mixed", [False, True])
def test_batches_side_by_side_compute_as_the_caller_does(mixed: bool) -> None:
    """Autocast belongs to a thread: a validation in bf16 must not decode its batches in fp32."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            found = list(
                side_by_side(lambda row: torch.ones(2, 2) @ torch.ones(2, row), [1, 2, 3], torch.device("cpu"))
            )
    finally:
        torch.set_num_threads(threads)
    assert [(row, product.shape[1]) for row, product in found] == [(1, 1), (2, 2), (3, 3)]
    assert {product.dtype for _, product in found} == {torch.bfloat16 if mixed else torch.float32}
