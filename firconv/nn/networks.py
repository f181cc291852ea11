"""Layers made of layers: in a row, or side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from firconv.nn.layer import Layer, Shape

__all__ = ["Add", "Composite", "Concat", "Identity", "Join", "Multiply", "Sequential", "as_layer"]

Value = TypeVar("Value")


def as_layer(layers: Any, name: str) -> Layer:
    """A layer as it is; a sequence of layers as a `Sequential`.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(layers, Layer):
        return layers
    if isinstance(layers, (list, tuple)):
        return Sequential(*layers)
    raise TypeError(f"{name}(layers): {layers!r} is no layer; give layers of firconv.nn, or a list of "
                    "them (from_torch and from_onnx convert models)")


class Composite(Layer):
    """A layer that holds layers; equal where they are."""

    parts: tuple[Layer, ...]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name}: layers are immutable; build another one")

    def _hold(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key() if isinstance(other, Composite) \
            else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __reduce__(self) -> Any:
        return type(self), self.parts

    def _key(self) -> Any:
        return self.parts

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """Learned numbers of all layers inside."""
        return sum(layer.parameters for layer in self.parts)

    @property
    def ndim(self) -> int | None:  # type: ignore[override]
        """Number of spatial axes, from the first layer that says it."""
        return next((layer.ndim for layer in self.parts if layer.ndim), None)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        inside = ",\n".join(repr(layer) for layer in self.parts)
        return f"{type(self).__name__}({_indented(inside)})"


def _indented(text: str) -> str:
    return "\n  " + text.replace("\n", "\n  ") + "\n" if "\n" in text else text


class Sequential(Composite):
    """Layers in a row.

    Parameters
    ----------
    *layers : Layer, or a list or tuple of them (a row inside the row)

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> net = nn.Sequential(nn.Conv([[[1.0, -1]]]), nn.ReLU(), nn.Flatten())
    >>> net(np.array([[[1.0, 4, 9, 7]]]))
    array([[0., 0., 2.]])
    >>> net.summary((1, 4)).rows[-1].output
    (3,)
    """

    def __init__(self, *layers: Any) -> None:
        self._hold(parts=tuple(as_layer(layer, type(self).__name__) for layer in layers))

    @property
    def rows(self) -> int:  # type: ignore[override]
        """Rows in a table."""
        return sum(layer.rows for layer in self.parts)

    def __getitem__(self, index: Any) -> Any:
        """One layer, or a `Sequential` of a slice of them."""
        return Sequential(*self.parts[index]) if isinstance(index, slice) else self.parts[index]

    def fold(self, step: Callable[[Layer, Value], Value], join: Callable[[Layer, list[Value]], Value],
             value: Value) -> Value:
        """One layer after the other."""
        for layer in self.parts:
            value = layer.fold(step, join, value)
        return value

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, *spatial) of the output, for an input of that form."""
        return self.fold(shaped, joined, tuple(shape))


def shaped(layer: Layer, shape: Shape) -> Shape:
    """A step of a fold: the shape behind a leaf."""
    return layer.output_shape(shape)


def joined(layer: Layer, shapes: list[Shape]) -> Shape:
    """A join of a fold: the shape where branches meet."""
    join: Any = layer
    return join.joined_shape(shapes)


class Join(Composite):
    """Branches that read the same input and meet; a branch is a layer, or a list of them, [] the input itself."""

    def __init__(self, *branches: Any) -> None:
        self._hold(parts=tuple(as_layer(branch, type(self).__name__) for branch in branches))

    @property
    def rows(self) -> int:  # type: ignore[override]
        """Rows in a table: those of the branches, and one where they meet."""
        return 1 + sum(layer.rows for layer in self.parts)

    def fold(self, step: Callable[[Layer, Value], Value], join: Callable[[Layer, list[Value]], Value],
             value: Value) -> Value:
        """Every branch on the same value, then the join."""
        return join(self, [branch.fold(step, join, value) for branch in self.parts])

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, *spatial) of the output, for an input of that form."""
        return self.fold(shaped, joined, tuple(shape))

    def joined_shape(self, shapes: list[Shape]) -> Shape:
        """(C, *spatial) from those of the branches."""
        return tuple(int(n) for n in np.broadcast_shapes(*shapes))

    def combine(self, parts: list[np.ndarray]) -> np.ndarray:
        """The output from those of the branches."""
        raise NotImplementedError(f"{type(self).__name__}.combine: a kind of join says how it combines")


class Add(Join):
    """The sum of branches: a residual block is ``Add([Conv(…), ReLU(), Conv(…)], [])``.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.Add([nn.ReLU()], [])(np.array([[[-1.0, 2.0]]]))
    array([[[-1.,  4.]]])
    """

    def combine(self, parts: list[np.ndarray]) -> np.ndarray:
        """The sum."""
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


class Multiply(Join):
    """The product of branches: gates, such as squeeze and excitation.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.Multiply([], nn.GlobalAvgPool())(np.array([[[1.0, 3.0]]]))
    array([[[2., 6.]]])
    """

    def combine(self, parts: list[np.ndarray]) -> np.ndarray:
        """The product."""
        total = parts[0]
        for part in parts[1:]:
            total = total * part
        return total


class Concat(Join):
    """The channels of branches one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.Concat([], nn.ReLU())(np.array([[[-1.0, 2.0]]]))
    array([[[-1.,  2.],
            [ 0.,  2.]]])
    """

    def combine(self, parts: list[np.ndarray]) -> np.ndarray:
        """All channels."""
        return np.concatenate(parts, axis=1)

    def joined_shape(self, shapes: list[Shape]) -> Shape:
        """The channels add up."""
        if len({shape[1:] for shape in shapes}) > 1:
            raise ValueError(f"Concat: the branches give shapes {', '.join(map(str, shapes))}, which differ beyond the "
                             "channels; change strides or paddings")
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])


class Identity(Layer):
    """The input itself.

    Examples
    --------
    >>> Identity()([[[1.0, 2.0]]])
    array([[[1., 2.]]])
    """

    rows = 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity)

    def __hash__(self) -> int:
        return hash(Identity)

    def __repr__(self) -> str:
        return "Identity()"

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The input itself."""
        return x
