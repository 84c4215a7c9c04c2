"""Every number has an owner: a setting is a dataclass field that names its source."""

import dataclasses
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from openscenes.errors import InputError
from openscenes.files import one_line, whole_number

T = TypeVar("T")
_MOST = 10**6


def setting(default: T, source: str) -> T:
    """A dataclass field with a default and the place where that default comes from.

    Args:
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
    """Check low <= value <= high for the named fields."""
    for name in names:
        value = getattr(config, name)
        real = isinstance(value, Real) and not isinstance(value, bool)
        if not real or not low <= value <= high:
            raise InputError(
                f"{type(config).__name__}.{name} is {one_line(repr(value))}; "
                f"give a number between {low:g} and {high:g}."
            )


def require_whole(config: object, low: int, high: int, *names: str) -> None:
    """Check that the named fields are whole numbers from low to high."""
    for name in names:
        value = getattr(config, name)
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            raise InputError(
                f"{type(config).__name__}.{name} is {one_line(repr(value))}; "
                f"give a whole number between {low} and {high}."
            )


def require_kind(value: Any, kind: type[T], name: str) -> T:
    """The value, where it is of a kind."""
    if not isinstance(value, kind):
        raise InputError(f"{name} is a {type(value).__name__}; give a {kind.__name__}.")
    return value


def require_one_of(config: object, name: str, choices: tuple[str, ...]) -> None:
    """Check that the named field is one of the choices."""
    value = getattr(config, name)
    if not isinstance(value, str) or value not in choices:
        raise InputError(
            f"{type(config).__name__}.{name} is {value!r}; choose one of {', '.join(choices)}."
        )


def text_parameter(name: str, value: object) -> str:
    """A parameter of a notebook that is text, or a path.

    papermill's ``-p`` makes a number, a truth value or None of what looks like one.

    Raises:
        InputError: for anything else, saying how to give it as text.
    """
    if isinstance(value, str | Path):
        return str(value)
    raise InputError(
        f"{name} is {one_line(repr(value))}, and text is wanted; put it into quotes, or give it to "
        f"papermill as -r {name} {one_line(str(value))}."
    )


def folder_parameter(name: str, value: object) -> str:
    """The same for a folder, which may be called by a whole number, such as 2024."""
    if type(value) is int and Path(str(value)).is_dir():
        return str(value)
    return text_parameter(name, value)


def count_parameter(name: str, value: object, low: int = 1, high: int = _MOST) -> int:
    """A parameter that counts something; InputError where it is no whole number in [low, high]."""
    found = whole_number(value, low, high) if isinstance(value, int) else None
    if found is None:
        raise InputError(
            f"{name} is {one_line(repr(value))}; give a whole number from {low} to {high}."
        )
    return found
