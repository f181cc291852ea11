"""Layers with numbers: arrays are copied, frozen, and compared by content; plans are kept per shape and dtype."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from firconv import describe
from firconv.nn.layer import Layer
from firconv.nn.windows import written

#: Input shapes whose plans a layer keeps.
KEPT = 8


class Valued(Layer):
    """Base of frozen dataclasses that hold arrays: equal, with equal hashes, where words and bits are equal."""

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        names = [f.name for f in fields(self) if f.compare]  # type: ignore[arg-type]
        return tuple(_content(getattr(self, name)) for name in names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Valued):
            return NotImplemented
        return type(self) is type(other) and self._key == other._key

    def __hash__(self) -> int:
        return hash((type(self), self._key))

    def __repr__(self) -> str:
        arrays = {f.name for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)}  # type: ignore[arg-type]
        shapes = [f"{name}: {'×'.join(map(str, getattr(self, name).shape))} {getattr(self, name).dtype}"
                  for name in (f.name for f in fields(self)) if name in arrays]  # type: ignore[arg-type]
        rest = written(self, skip=arrays | {"bias"}).partition("(")[2][:-1]
        return f"{type(self).__name__}({', '.join([*shapes, rest] if rest else shapes)})"

    def __reduce__(self) -> Any:
        return _rebuilt, (type(self), {f.name: getattr(self, f.name) for f in fields(self) if f.init})  # type: ignore[arg-type]


def _rebuilt(kind: type, words: dict[str, Any]) -> Any:
    return kind(**words)


def _content(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, blake2b(value.tobytes(), digest_size=16).digest()
    return repr(value)


def frozen(value: Any, call: str, name: str, least: int) -> np.ndarray:
    """A read-only copy of an array of numbers with at least so many dimensions.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    describe.refuse_masks(call, name, value)
    array = np.array(value)
    if array.dtype.kind not in "iufc" or array.ndim < least or array.size == 0:
        raise ValueError(f"{call}: {name} has shape {array.shape} and dtype {array.dtype}; give numbers in at least "
                         f"{least} dimensions")
    array.flags.writeable = False
    return array


def frozen_bias(value: Any, call: str, channels: int, name: str = "bias") -> np.ndarray | None:
    """A read-only copy of one number per output channel, or None.

    Raises
    ------
    ValueError
        For another shape.
    """
    if value is None:
        return None
    array = frozen(value, call, name, 1)
    if array.shape != (channels,):
        raise ValueError(f"{call}: {name} has shape {array.shape} for {channels} output channels; give one number for "
                         "each")
    return array


class Plans:
    """What was prepared for the latest inputs, by shape and dtype; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: OrderedDict[Any, Any] = OrderedDict()

    def get(self, x: np.ndarray, make: Callable[[np.ndarray], Any]) -> Any:
        """The plan for inputs like x, made on first use."""
        key = x.shape, x.dtype
        with self._lock:
            found = self._plans.get(key)
            if found is not None:
                self._plans.move_to_end(key)
                return found
        found = make(x)
        with self._lock:
            found = self._plans.setdefault(key, found)
            while len(self._plans) > KEPT:
                self._plans.popitem(last=False)
        return found

    def __len__(self) -> int:
        return len(self._plans)
