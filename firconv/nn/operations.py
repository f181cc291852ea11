"""Layers on arrays: conv, conv_transpose and the gradients.

All are the one sum of `firconv.nn.words`, through a plan that is remembered: the gradients and the transposed layer are
its two adjoint problems.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firconv import describe
from firconv.nn import gradients, words
from firconv.nn.recalled import recalled
from firconv.nn.words import Words


def conv(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    boundary: Any = "zero",
    method: str = "auto",
    rtol: float | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """A convolutional layer: y[n, o, t] = b[o] + Σ_i Σ_k w[o, i, k]·x̃[n, i, t·stride + k·dilation − lo].

    Nothing is flipped and nothing conjugated: a layer is a correlation.

    Parameters
    ----------
    x : array_like, shape (N, C, *lengths)
        Any number of spatial axes.
    w : array_like, shape (O, C/groups, *K)
    bias : array_like, shape (O,), optional
    stride, dilation : int or one per axis
    padding : int, one per axis, one (lo, hi) pair per axis, or a word
        "valid"; "same": ⌈length/stride⌉ outputs, an odd sample of padding at the end; "same_lower": at the start;
        "causal": all padding at the start.
    groups : int
        Independent sets of channels; C for a depthwise layer.
    boundary : str, ("constant", c), (low, high), or a list with one entry per axis
        What the padding holds; zero, edge, symmetric, reflect, wrap, antisymmetric, antireflect or omit.
    method : str
        "auto", or the algorithm: "direct" keeps |ŷ − y| ≤ γ_K·(|w| * |x|).
    rtol : float, optional
        Promise |ŷ − y| ≤ rtol·(|w| * |x|) for each output; chooses the arithmetic.
    workers : int, optional
        Threads to use; never changes the result.

    Returns
    -------
    ndarray, shape (N, O, *outputs)

    Raises
    ------
    ValueError, TypeError
        For arguments that cannot mean anything.
    OverflowError
        Where integers do not fit 64 bits.

    See Also
    --------
    plan : the same, prepared once for many inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.conv(np.arange(5.0).reshape(1, 1, 5), np.array([[[1.0, 0, -1]]]), padding="same", boundary="edge")
    array([[[-1., -2., -2., -2., -1.]]])
    """
    return _layer(("conv", stride, padding, dilation, groups, boundary), x, w, bias, method, rtol, workers)


def conv_transpose(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    output_shape: Any = None,
    dilation: Any = 1,
    groups: int = 1,
    boundary: Any = "zero",
    method: str = "auto",
    rtol: float | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """The adjoint of `conv` with the same words: y[n, i, m] = b[i] + Σ_o Σ_t w[o, i, m − t·stride + lo]·x[n, o, t].

    With a boundary other than zero, what `conv` reads beyond the ends is added to the samples that it is read from, so
    that ⟨conv(u), x⟩ = ⟨u, conv_transpose(x)⟩ for every boundary that is linear.

    Parameters
    ----------
    x : array_like, shape (N, C, *lengths)
    w : array_like, shape (C, O/groups, *K)
        As torch's, and as the `conv` from O to C channels has it.
    output_padding : int or one per axis
        Outputs more than the fewest that `conv` maps to x's lengths; less than the stride or the dilation.
    output_shape : int or one per axis, optional
        The output lengths, which say the same. With padding "same", "same_lower" or "causal" any lengths near
        length·stride, the default for these words.
    others : as `conv`

    Returns
    -------
    ndarray, shape (N, O, *outputs)
        (length − 1)·stride − lo − hi + (K − 1)·dilation + 1 + output_padding outputs per axis.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `conv`, and for a constant boundary, which has no adjoint.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.conv_transpose(np.array([[[1.0, 2, 3]]]), np.array([[[1.0, 10]]]), stride=2)
    array([[[ 1., 10.,  2., 20.,  3., 30.]]])
    """
    given = "conv_transpose", stride, padding, dilation, groups, boundary, output_padding, output_shape
    return _layer(given, x, w, bias, method, rtol, workers)


def _layer(
    given: tuple[Any, ...], x: Any, w: Any, bias: Any, method: str, rtol: float | None, workers: int | None,
    names: tuple[str, str] = ("x", "w"),
) -> np.ndarray:  # fmt: skip
    """One layer with the fields of `Words`; `names` are what the call's errors say."""
    x, w = describe.operands(given[0], x, w, names)
    try:
        found, weights = recalled(given, x, w, method, rtol)
        return found.run(x, None if bias is None else found.checked_bias(bias), workers, weights)
    except MemoryError as error:
        raise describe.no_room(Words(*given), error) from None


# ── gradients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def conv_input_gradient(
    gy: ArrayLike,
    w: ArrayLike,
    x_shape: tuple[int, ...],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    boundary: Any = "zero",
    method: str = "auto",
    rtol: float | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """The gradient of a scalar with respect to the x of `conv`, from that with respect to its output.

    gx = Jᵀ·gy for the Jacobian J of y = conv(x, w): the adjoint problem in the signal, folded back at the ends.

    Parameters
    ----------
    gy : array_like, shape (N, O, *outputs)
    w : array_like, shape (O, C/groups, *K)
    x_shape : (N, C, *lengths)
        Several lengths may give the same outputs under a stride.
    others : as `conv`

    Returns
    -------
    ndarray, shape x_shape

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `conv`, and where gy has not the shape of its output.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> w = np.array([[[1.0, 2, 3]]])
    >>> nn.conv_input_gradient(np.array([[[1.0, 0, 0, 1]]]), w, (1, 1, 4), padding=1, boundary="edge")
    array([[[3., 3., 1., 5.]]])
    """
    call = Words("conv_input_gradient", stride, padding, dilation, groups, boundary)
    shape = words.shape(call, "x_shape", x_shape)
    given = "conv_input_gradient", stride, padding, dilation, groups, boundary, 0, shape
    return _layer(given, gy, w, None, method, rtol, workers, ("gy", "w"))


def conv_weight_gradient(
    gy: ArrayLike,
    x: ArrayLike,
    w_shape: tuple[int, ...],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    boundary: Any = "zero",
    method: str = "auto",
    workers: int | None = None,
) -> np.ndarray:
    """The gradient of a scalar with respect to the w of `conv`: gw[o, i, k] = Σ_n Σ_t gy[n, o, t]·x̃[n, i, …].

    The adjoint problem in the taps: the output's gradient becomes the taps, stride and dilation change places.

    Parameters
    ----------
    gy : array_like, shape (N, O, *outputs)
    x : array_like, shape (N, C, *lengths)
    w_shape : (O, C/groups, *K)
    others : as `conv`

    Returns
    -------
    ndarray, shape w_shape

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `conv`, where gy has not the shape of its output, and for the boundary "omit", under which the output is not
        linear in the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.conv_weight_gradient(np.ones((1, 1, 4)), np.arange(4.0).reshape(1, 1, 4), (1, 1, 3), padding=1)
    array([[[3., 6., 6.]]])
    """
    call = Words("conv_weight_gradient", stride, padding, dilation, groups, boundary)
    call = Words("conv_weight_gradient", stride, padding, dilation, groups, boundary, 0,
                 words.shape(call, "w_shape", w_shape))  # fmt: skip
    gy, x = describe.operands(call.op, gy, x, ("gy", "x"))
    return gradients.of_weights(call, gy, x, method, workers)


def conv_bias_gradient(gy: ArrayLike) -> np.ndarray:
    """The gradient of a scalar with respect to the bias of a layer: gb[o] = Σ_n Σ_t gy[n, o, t].

    Parameters
    ----------
    gy : array_like, shape (N, O, *outputs)

    Returns
    -------
    ndarray, shape (O,)

    Raises
    ------
    ValueError
        Where gy has no spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.conv_bias_gradient(np.ones((2, 3, 4)))
    array([8., 8., 8.])
    """
    gy = describe.operands("conv_bias_gradient", gy, np.ones(1, np.int8), ("gy", "…"))[0]
    if gy.ndim < 3:
        raise ValueError(
            f"conv_bias_gradient(gy): gy has shape {gy.shape}; a layer's output has at least 3 dimensions "
            "(batch, channels, one spatial axis)"
        )
    axes = (0, *range(2, gy.ndim))
    if gy.dtype == np.float16:
        return gy.sum(axis=axes, dtype=np.float32).astype(np.float16)
    return gy.sum(axis=axes)
