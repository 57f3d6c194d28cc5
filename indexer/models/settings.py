"""Validated changes of a method's settings, for tuning and for files of ``posterity tune``."""

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
    """Return the settings with changes, converted to the declared types; numbers may be text.

    Args:
        settings: a dataclass.
        changes: setting -> value.
        source: method, file or option that the changes come from, for the message.

    Raises:
        InvalidInput: a setting does not exist, or a value is invalid.
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
