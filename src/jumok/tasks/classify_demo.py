"""What the demo's classifier learnt of generated pictures, attention included."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from jumok.insight.image_viewer import ImageView
from jumok.tasks.classify import ClassifyRecipe
from jumok.tasks.classify_attention import attention_view
from jumok.tasks.classify_evaluate import evaluate, labelled
from jumok.tasks.classify_predict import Classifier

SHOWN = 8


@dataclass(frozen=True)
class Shown:
    """What the demo shows: some validation pictures (file, class, probability, label), top-1, the look at one."""

    examples: list[tuple[str, str, str, str]]
    top1: float
    view: ImageView


def show(recipe: ClassifyRecipe, advance: Callable[[int], None] | None = None) -> Shown:
    """Classify the validation pictures of the demo's data with its finished run."""
    classifier = Classifier.load(recipe.run)
    folder = Path(recipe.data.folder) / recipe.data.val
    result = evaluate(classifier, labelled(folder, classifier), advance=advance)
    # one of each class, the classes in their order
    first = {label: row for row, label in reversed(list(enumerate(result.labels)))}
    rows = [first[label] for label in sorted(first)][:SHOWN]
    examples = []
    for row in rows:
        ((name, probability),) = classifier.best(result.probabilities[row], 1)
        where = str(result.paths[row].relative_to(folder))
        examples.append((where, name, f"{probability:.3f}", result.classes[result.labels[row]]))
    view = attention_view(classifier, result.paths[rows[-1]])
    return Shown(examples, result.scores.top1, replace(view, truth=result.classes[result.labels[rows[-1]]]))
