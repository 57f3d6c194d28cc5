"""A method's settings with some of them changed, each checked: what tuning tries and what a file of it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from index.core.errors import InvalidInput

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def changed(settings: Settings, changes: Mapping[str, Any], source: str) -> Settings:
    """The settings with changes, of the types they are declared with; numbers may be written as text.

    Args:
        source: whose settings they are, for the message.

    Raises:
        InvalidInput: there is no such setting, or a value cannot be used.
    """
    known = asdict(settings)
    for name in changes:
        if name not in known:
            raise InvalidInput(f"{source} has no setting {name!r}; it has {', '.join(known) or 'none'}")
    try:
        checked: Settings = TypeAdapter(type(settings)).validate_python(known | dict(changes))
    except ValidationError as error:
        problem = error.errors()[0]
        setting = ".".join(str(part) for part in problem["loc"]) or "settings"
        raise InvalidInput(f"{source}: {setting}: {problem['msg']}, not {problem['input']!r}") from None
    return checked
