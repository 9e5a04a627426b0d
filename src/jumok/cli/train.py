"""``jumok train RECIPE key=value ...``: a recipe in, a run directory out."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jumok.cli.console import Bar, say, table
from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.config import Config
    from jumok.tasks.caption import CaptionRecipe
    from jumok.tasks.classify import ClassifyRecipe
    from jumok.tasks.embed import EmbedRecipe
    from jumok.tasks.read import ReadRecipe
    from jumok.tasks.translate import TranslateRecipe


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file: recipes/multi30k-de-en.yaml.")],
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Keys to change: run=runs/mine training.minutes=30."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run where it was stopped or killed.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print every key, its value and meaning; end.")] = False,
    devices: Annotated[int | None, typer.Option(min=1, help="Processes, one a GPU or share of the CPU.")] = None,
) -> None:
    """Train a model as a recipe says. Every key can be changed by KEY=VALUE; --explain prints them all."""
    from jumok.config import override, parse, read_recipe

    recipe = _find(recipe)
    changes = list(assignments or [])
    if devices is not None:
        changes.append(f"training.devices={devices}")
    values = override(read_recipe(recipe), changes)
    kind = _recipe_type(values.get("task"), recipe)
    if explain:
        print_keys(kind, values, recipe)
        return
    parsed = parse(kind, values, f"{recipe} with {' '.join(changes)}" if changes else str(recipe))
    again = ["jumok", "train", str(recipe), *(assignments or []), *(["--devices", str(devices)] if devices else [])]
    run_training(parsed, resume=resume, again=shlex.join([*again, "--resume"]))


def run_training(
    recipe: "TranslateRecipe | ClassifyRecipe | CaptionRecipe | ReadRecipe | EmbedRecipe", *, resume: bool, again: str
) -> None:
    """Train, say where the run is, and on Ctrl-C how to go on: by the command `again`."""
    from jumok.tasks import train_recipe
    from jumok.training.run import first_process

    # where several processes run the same program, one speaks
    tell = say if first_process() else lambda *_: None
    try:
        train_recipe(recipe, resume=resume, say=tell, counter=Bar)
    except KeyboardInterrupt:
        tell(f"stopped; go on with: {again}")
        raise typer.Exit(130) from None
    tell(f"the run is in {recipe.run}; next: jumok info {recipe.run}")


def _find(recipe: Path) -> Path:
    """The file of a recipe: a path, or the bare name of one that ships with the package."""
    from jumok.tasks.runs import RECIPES

    if recipe.is_file():
        return recipe
    shipped = RECIPES / f"{recipe.stem}.yaml"
    if str(recipe) == recipe.stem and shipped.is_file():
        return shipped
    if shipped.is_file():
        raise UserError(
            f"there is no file {recipe}; a recipe of that name ships with the package: jumok train {recipe.stem}"
        )
    names = sorted(path.name for path in recipe.parent.glob("*.yaml")) if recipe.parent.is_dir() else []
    there = f"in {recipe.parent} there is: {', '.join(names)}" if names else "give the path of a YAML file"
    raise UserError(f"there is no recipe {recipe}; {there}")


def _recipe_type(
    task: object, where: Path
) -> "type[TranslateRecipe | ClassifyRecipe | CaptionRecipe | ReadRecipe | EmbedRecipe]":
    if task == "classify":
        from jumok.tasks.classify import ClassifyRecipe

        return ClassifyRecipe
    if task == "caption":
        from jumok.tasks.caption import CaptionRecipe

        return CaptionRecipe
    if task == "read":
        from jumok.tasks.read import ReadRecipe

        return ReadRecipe
    if task == "embed":
        from jumok.tasks.embed import EmbedRecipe

        return EmbedRecipe
    from jumok.tasks.translate import TranslateRecipe

    if task in (None, "translate"):
        return TranslateRecipe
    if task == "compare":
        raise UserError(f"{where}: this is a recipe of the laboratory; use jumok compare {where}")
    raise UserError(
        f"{where}: task = {task!r} is not a job of Jumok; write task: translate, classify, caption, read or embed"
    )


def print_keys(kind: "type[Config]", values: dict[str, Any], recipe: Path) -> None:
    """Every key of a recipe with its value, default, type and meaning."""
    from jumok.config import explain, parse
    from jumok.tasks.runs import flat

    now = flat(parse(kind, values, str(recipe)).model_dump(by_alias=True))
    given = set(flat(values))
    rows = [
        (f"{key} *" if key in given else key, _shown(now.get(key)), default, type_name, meaning)
        for key, type_name, default, meaning in explain(kind, values)
    ]
    columns = ["key", "value", "default", "type", "meaning"]
    table(f"{recipe} (* set there or on the command line)", columns, rows, numbers=False)


def _shown(value: object) -> str:
    return "" if value is None else str(value)
