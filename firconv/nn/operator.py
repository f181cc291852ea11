"""A layer without bias as a `LinearOperator`, by the engine, with its exact adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from firconv.nn import bank, operations, plans

if TYPE_CHECKING:
    from firconv.nn.layers import Conv


class LayerOperator(LinearOperator):
    """``A @ x.ravel()`` is the layer's output for one map x of shape (I, *lengths), raveled; ``A.H`` is the adjoint.

    Attributes
    ----------
    signal, outputs : shapes of x and of the output
    """

    def __init__(self, layer: Conv, lengths: Sequence[int], boundary: Any) -> None:
        problem = bank.problem_of(layer, lengths, boundary)
        outs, ins = layer.channels
        self.signal, self.outputs = (ins, *problem.signal[1:]), (outs, *problem.outputs[1:])
        self._words: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation,
                                       "groups": layer.groups,
                                       "boundary": layer.boundary if boundary is None else boundary}
        kind = np.result_type(layer.w.dtype, np.float64)
        self._w = layer.w.astype(kind)
        self._forward: dict[Any, Any] = {}
        super().__init__(kind, (int(np.prod(self.outputs)), int(np.prod(self.signal))))

    def _array(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        kind = np.result_type(x.dtype, np.float64)
        return np.ascontiguousarray(x, dtype=kind).reshape(1, *shape)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        x = self._array(x, self.signal)
        plan = self._forward.get(x.dtype)
        if plan is None:
            plan = self._forward[x.dtype] = plans.plan(x, self._w, **self._words)
        return plan(x).ravel()

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        gradient = operations.conv_input_gradient(self._array(y, self.outputs), self._w.conj(), (1, *self.signal),
                                                  **self._words)
        return gradient.ravel()
