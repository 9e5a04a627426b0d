"""The files of a recipe of sentence vectors, examined: what a training says first, and `jumok data check RECIPE`."""

from collections.abc import Sequence
from dataclasses import replace

from jumok.data.graded import GradedPairs, read_graded
from jumok.data.sentence_report import SentenceReport, Sentences, check_sentences
from jumok.data.sentences import read_groups
from jumok.tasks.embed_data import files_of
from jumok.tasks.embed_options import Objective, SentenceData


def check_files(data: SentenceData, objectives: Sequence[Objective]) -> SentenceReport:
    """Report on what each objective learns from, and on what is held out from all of them.

    Raises `UserError` where a file cannot be read, or where nothing of one is left to learn from.
    """

    def graded(name: str, *, scores: bool) -> GradedPairs:
        pairs = read_graded(files_of(data, [name])[0])
        if scores:
            _ = pairs.grades  # a training refuses pairs without them
        return pairs

    train: list[tuple[str, Sentences]] = []
    for objective in objectives:
        if objective.kind == "graded":
            train.append((objective.kind, graded(objective.files[0], scores=True)))
        elif objective.kind == "entailment":
            pairs = graded(objective.files[0], scores=False)
            # a pair with a score but no label teaches nothing here
            train.append((objective.kind, replace(pairs, scores=[None] * len(pairs))))
        else:
            train.append((objective.kind, read_groups(files_of(data, objective.files))))
    held_out: list[tuple[str, Sentences]] = [("val", graded(name, scores=True)) for name in data.val]
    if data.retrieval:
        held_out.append(("retrieval", read_groups(files_of(data, data.retrieval))))
    held_out += [("held out", graded(name, scores=False)) for name in data.held_out]
    return check_sentences(train, held_out, lowercase=data.lowercase)
