"""What the user writes after --boundary, --mode, --origin and --axes, as the library takes it."""

from __future__ import annotations

from typing import Any


def boundary(text: str) -> Any:
    """``reflect``, ``constant=3``, ``zero/edge`` (low and high end), ``reflect,wrap`` (per axis).

    >>> boundary("zero/edge,constant=3")
    [('zero', 'edge'), ('constant', 3.0)]
    """
    if "," in text:
        return [boundary(part) for part in text.split(",")]
    if "/" in text:
        return tuple(boundary(part) for part in text.split("/"))
    name, _, value = text.partition("=")
    if not value:
        return text
    try:
        return (name, float(value))
    except ValueError:
        raise ValueError(f"--boundary {text}: {value!r} is not a number; write constant=0.5") from None


def window(text: str, ndim: int) -> Any:
    """``same``, or ``START:STOP`` per axis as positions.

    >>> window("-2:5", 2)
    [(-2, 5), (-2, 5)]
    """
    if ":" not in text:
        return text
    try:
        windows = [(int(start), int(stop)) for start, stop in (part.split(":") for part in text.split(","))]
    except ValueError:
        raise ValueError(f"--mode {text}: give full, same, valid, or whole numbers as START:STOP") from None
    return windows if len(windows) > 1 else windows * ndim if ndim > 1 else windows[0]


def origin(text: str) -> Any:
    """An index, one per axis, or another system's name."""
    try:
        origins = tuple(int(word) for word in text.split(","))
    except ValueError:
        return text
    return origins if len(origins) > 1 else origins[0]


def axes(text: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of an array of this shape, counted from 0."""
    try:
        return tuple(range(len(shape))[int(word)] for word in text.split(","))
    except (ValueError, IndexError):
        raise ValueError(f"--axes {text}: give axes of shape {shape}, such as 0 or 0,1") from None


def times(shape: tuple[int, ...]) -> str:
    """A shape for people."""
    return " × ".join(map(str, shape))


def commas(values: tuple[int, ...]) -> str:
    """Numbers for people."""
    return ", ".join(map(str, values))
