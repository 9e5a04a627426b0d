"""How a recipe's ``model`` keys choose a family of models and start from a preset of it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import BaseModel

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


def with_preset(presets: Mapping[str, Mapping[str, Any]], default: str, values: Any) -> Any:
    """`values` over those of the preset that they name, or of `default`."""
    name = values.get("preset", default) if isinstance(values, dict) else None
    sizes = presets.get(name) if isinstance(name, str) else None
    return values if sizes is None else dict(sizes) | values
