"""How a recipe's ``model`` keys choose a family of models and start from a preset of it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, model_validator

from jumok.config import Config
from jumok.errors import UserError


def family(families: Collection[str], default: str) -> Callable[[Any], str]:
    """A discriminator of a union of options: ``<architecture>`` of the values, `default` where they name none.

    Tags in angle brackets are left out of the keys that messages name.
    """

    def tag(values: Any) -> str:
        # what is no group of keys is refused by name, as the default family
        given = values.model_dump() if isinstance(values, BaseModel) else values if isinstance(values, dict) else {}
        name = given.get("architecture", default)
        if not isinstance(name, str) or name not in families:
            raise UserError(f"model.architecture = {name!r} is not one of {', '.join(families)}")
        return f"<{name}>"

    return tag


class FromPreset(Config):
    """Options that start from a preset: the values of ``PRESETS[preset]``, and what is changed in them."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]]

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        name = values.get("preset", cls.model_fields["preset_"].default) if isinstance(values, dict) else None
        sizes = cls.PRESETS.get(name) if isinstance(name, str) else None
        return values if sizes is None else sizes | values


def check_same_sizes(stored: Mapping[str, Any], mine: Mapping[str, Any], run: str) -> None:
    """Raises `UserError` if the ``model`` values `stored` in `run` shape weights otherwise than `mine` do."""
    free = {"dropout", "attention_dropout", "max_len"}  # what does not shape them
    other = [
        f"model.{key} = {value} (here {mine.get(key)})"
        for key, value in stored.items()
        if key not in free and mine.get(key) != value
    ]
    if other:
        raise UserError(f"the run {run} has {', '.join(other)}; set the same to continue from it")
