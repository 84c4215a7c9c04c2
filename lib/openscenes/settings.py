"""Every number has an owner: a setting is a dataclass field that names its source."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from openscenes.errors import InputError

T = TypeVar("T")


def setting(default: T, source: str) -> T:
    """A dataclass field with a default and the place where that default comes from.

    Args:
        default: the value; it must be immutable, as for any dataclass field.
        source: ``"Sec. 4.1.2"`` or ``"Ours: ..."``.
    """
    return dataclasses.field(default=default, metadata={"source": source})


def sources(config_or_class: Any) -> dict[str, str]:
    """Source of every field declared by ``setting``, by field name, in order of declaration."""
    return {
        field.name: field.metadata["source"]
        for field in dataclasses.fields(config_or_class)
        if "source" in field.metadata
    }


def require_between(config: object, low: float, high: float, *names: str) -> None:
    """Check low <= value <= high for the named fields.

    Raises:
        InputError: naming the field, its value and the range.
    """
    for name in names:
        value = getattr(config, name)
        if not low <= value <= high:
            raise InputError(
                f"{type(config).__name__}.{name} is {value}; "
                f"give a number between {low:g} and {high:g}."
            )


def require_one_of(config: object, name: str, choices: tuple[str, ...]) -> None:
    """Check that the named field is one of the choices.

    Raises:
        InputError: naming the field, its value and the choices.
    """
    value = getattr(config, name)
    if value not in choices:
        raise InputError(
            f"{type(config).__name__}.{name} is {value!r}; choose one of {', '.join(choices)}."
        )
