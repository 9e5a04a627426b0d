"""The files of a recipe of sentence vectors, examined before a training: `jumok data check RECIPE`."""

from jumok.data.graded import GradedPairs, read_graded
from jumok.data.sentence_report import SentenceReport, Sentences, check_sentences
from jumok.data.sentences import read_groups
from jumok.tasks.embed import EmbedRecipe
from jumok.tasks.embed_data import files_of


def check_files(recipe: EmbedRecipe) -> SentenceReport:
    """Report on what each objective learns from, and on what is held out from all of them.

    Raises `UserError` where a file cannot be read, or where nothing of one is left to learn from.
    """
    data = recipe.data

    def graded(name: str, *, scores: bool) -> GradedPairs:
        pairs = read_graded(files_of(data, [name])[0])
        if scores:
            _ = pairs.grades  # a training refuses pairs without them
        return pairs

    train: list[tuple[str, Sentences]] = []
    for objective in recipe.objectives:
        if objective.kind in ("graded", "entailment"):
            train.append((objective.kind, graded(objective.files[0], scores=objective.kind == "graded")))
        else:
            train.append((objective.kind, read_groups(files_of(data, objective.files))))
    held_out: list[tuple[str, Sentences]] = [("val", graded(name, scores=True)) for name in data.val]
    if data.retrieval:
        held_out.append(("retrieval", read_groups(files_of(data, data.retrieval))))
    held_out += [("held out", graded(name, scores=False)) for name in data.held_out]
    return check_sentences(train, held_out, lowercase=data.lowercase)
