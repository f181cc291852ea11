"""torch's layers in the words of `firconv.nn`, on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


class TorchLayers:
    """conv, conv_transpose, both gradients and pools of torch, for arrays of shape (N, C, *lengths).

    Parameters
    ----------
    torch : the module
    """

    def __init__(self, torch: Any):
        self._torch, self._functions = torch, torch.nn.functional

    def conv(self, x: Array, w: Array, **words: Any) -> Array:
        """``F.conv1d`` … ``conv3d``."""
        return self._layer("conv", x, w, words)

    def conv_transpose(self, x: Array, w: Array, **words: Any) -> Array:
        """``F.conv_transpose1d`` … ``conv_transpose3d``."""
        return self._layer("conv_transpose", x, w, words)

    def conv_input_gradient(self, gy: Array, w: Array, x_shape: tuple[int, ...], **words: Any) -> Array:
        """What autograd puts into ``x.grad``."""
        return self._gradient(gy, np.zeros(x_shape, w.dtype), w, words)[0]

    def conv_weight_gradient(self, gy: Array, x: Array, w_shape: tuple[int, ...], **words: Any) -> Array:
        """What autograd puts into ``w.grad``."""
        return self._gradient(gy, x, np.zeros(w_shape, x.dtype), words)[1]

    def avg_pool(self, x: Array, size: int, *, stride: int) -> Array:
        """``F.avg_pool1d`` … ``avg_pool3d``."""
        return self._pool("avg_pool", x, size, stride)

    def max_pool(self, x: Array, size: int, *, stride: int) -> Array:
        """``F.max_pool1d`` … ``max_pool3d``."""
        return self._pool("max_pool", x, size, stride)

    def _layer(self, name: str, x: Array, w: Array, words: dict[str, Any]) -> Array:
        run = getattr(self._functions, f"{name}{x.ndim - 2}d")
        return run(*(self._torch.from_numpy(np.array(a)) for a in (x, w)), **words).numpy()

    def _gradient(self, gy: Array, x: Array, w: Array, words: dict[str, Any]) -> tuple[Array, Array]:
        """Both gradients of Re Σ conj(gy)·conv(x, w), without the conjugate that torch's complex gradients have."""
        if gy.dtype.kind not in "fc":
            raise NotImplementedError(f"torch has no gradients of {gy.dtype}")
        inputs = [self._torch.from_numpy(np.array(a)).requires_grad_() for a in (x, w)]
        y = getattr(self._functions, f"conv{x.ndim - 2}d")(*inputs, **words)
        y.backward(self._torch.from_numpy(gy.conj()))
        found = [v.grad.numpy().conj() for v in inputs]
        return found[0], found[1]

    def _pool(self, name: str, x: Array, size: int, stride: int) -> Array:
        run = getattr(self._functions, f"{name}{x.ndim - 2}d")
        return run(self._torch.from_numpy(np.array(x)), size, stride).numpy()
