"""Recipes: plain values in YAML, checked against frozen models, with messages that name the key."""

import difflib
import re
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import pydantic
import yaml

from jumok.errors import UserError


class Config(pydantic.BaseModel):
    """Base of all options: frozen, unknown keys are errors, values are not silently converted."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True
    )


C = TypeVar("C", bound=Config)


def read_recipe(path: Path) -> dict[str, Any]:
    """The values of a YAML recipe. Raises `UserError` if it is missing, not YAML, or not a mapping."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the recipe {path}: {error}; give the path of a YAML file") from error
    values = _yaml(text, str(path))
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no keys; a recipe is YAML of `key: value` lines")
    return values


def override(values: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """A copy of `values` with each ``dotted.key=value`` set; the value is read as YAML."""
    result: dict[str, Any] = _copy(values)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = key.split(".")
        if not equals or not all(parts):
            raise UserError(f"cannot read the option {assignment!r}; write it as key=value, for example seed=2")
        place = result
        for part in parts[:-1]:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UserError(f"{assignment}: {part} is a single value, not a group of keys")
            place = inner
        place[parts[-1]] = _yaml(text, assignment)
    return result


def parse(cls: type[C], values: dict[str, Any], where: str) -> C:
    """`values` as a `cls`. Raises one `UserError` naming every wrong key, for an unknown one the likely spelling."""
    try:
        return cls.model_validate(values)
    except pydantic.ValidationError as error:
        known = [key for key, *_ in explain(cls, values)]
        lines = [_explain_error(dict(item), known) for item in error.errors(include_url=False)]
        raise UserError(f"{where}: " + "; ".join(lines)) from None
    except UserError as error:  # of a validator that sees several keys
        raise UserError(f"{where}: {error}") from None


def explain(cls: type[Config], values: object = None, prefix: str = "") -> list[tuple[str, str, str, str]]:
    """Every option below `cls` as (dotted key, type, default, description).

    Where a group of keys may be one of several kinds, `values` decides: the keys of the kind that they name.
    """
    rows: list[tuple[str, str, str, str]] = []
    for name, field in cls.model_fields.items():
        key = prefix + (field.alias or name)
        below = values.get(field.alias or name) if isinstance(values, dict) else None
        inner = _config_in(field.annotation, below)
        if inner is not None:
            rows += explain(inner, below, key + ".")
        else:
            default = "required" if field.is_required() else str(field.get_default(call_default_factory=True))
            rows.append((key, _type_name(field.annotation), default, field.description or ""))
    return rows


def _config_in(annotation: Any, values: object) -> type[Config] | None:
    """The `Config` that `annotation` is, or in a union of several the one whose constant keys `values` agree with."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return annotation
    kinds = [kind for part in get_args(annotation) if (kind := _config_in(part, values)) is not None]
    given = values if isinstance(values, dict) else {}
    for kind in kinds:
        constants = {
            f.alias or name: get_args(f.annotation)[0]
            for name, f in kind.model_fields.items()
            if _is_constant(f.annotation)
        }
        if all(given.get(name, constant) == constant for name, constant in constants.items()):
            return kind
    return kinds[0] if kinds else None


def _is_constant(annotation: Any) -> bool:
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("Literal", "one of ")


def _explain_error(error: dict[str, Any], known: list[str]) -> str:
    # pydantic names list positions and union branches too; only the keys help a user
    key = ".".join(str(part) for part in error["loc"] if not str(part).startswith("<"))
    if error["type"] == "extra_forbidden":
        likely = _likely(key, known)
        hint = f"did you mean {likely}?" if likely else "`jumok train RECIPE --explain` lists the keys"
        return f"unknown key {key}, {hint}"
    if error["type"] == "missing":
        return f"{key} is missing; set it in the recipe or as {key}=VALUE on the command line"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{key} = {error.get('input')!r}: {message[:1].lower() + message[1:]}"


def _likely(key: str, known: list[str]) -> str | None:
    """The known key, or group of keys, that `key` most likely stands for."""
    *above, last = key.lower().split(".")
    inside = [k for k in known if k.startswith("".join(f"{part}." for part in above))] if above else known
    here = list(dict.fromkeys(".".join(k.split(".")[: len(above) + 1]) for k in inside))
    for places in (here, known):  # a neighbour first: another key of this group, or a group beside it
        by_leaf = {place.split(".")[-1]: place for place in reversed(places)}
        near = difflib.get_close_matches(last, list(by_leaf), n=1, cutoff=0.6)
        if near:
            return by_leaf[near[0]]
    return None


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from error


class _Loader(yaml.SafeLoader):
    """YAML 1.2 numbers: 1e-3 is a number, not the text that YAML 1.1 makes of it."""


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _copy(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in values.items()}
