"""Learning the weights of a small network: gradients by the chain rule, and stochastic gradient descent.

The layers know their forward pass, `firconv.nn.backward` the way back. This is for networks that one wants to look
into, trained in seconds; it is no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import Any

import numpy as np

from firconv.nn import words
from firconv.nn.backward import backward
from firconv.nn.layer import Layer
from firconv.nn.layer import batch as batch_of
from firconv.nn.networks import Sequential, as_layer

__all__ = ["Fit", "Gradients", "accuracy", "cross_entropy", "fit", "initial", "loss_gradients"]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Gradients:
    """The loss of a batch, and its gradients.

    Attributes
    ----------
    loss : float
        Mean cross-entropy.
    x : array, of the input
    layers : tuple, one entry per layer: None, or the gradients (w, bias)

    Examples
    --------
    >>> from firconv import nn
    >>> found = loss_gradients(nn.Dense([[1.0], [1.0]]), [[2.0]], [0])
    >>> round(found.loss, 4), found.x, found.layers[0][0].tolist()
    (0.6931, array([[0.]]), [[-1.0], [1.0]])
    """

    loss: float
    x: Array
    layers: tuple[tuple[Array, Array | None] | None, ...]


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network.

    Attributes
    ----------
    net : Sequential
    losses : array, the mean loss of every epoch

    Examples
    --------
    >>> from firconv import nn
    >>> found = fit(nn.Dense([[0.0], [0.0]]), [[1.0], [-1.0]], [0, 1], epochs=3)
    >>> len(found.losses), found.net(np.array([[1.0], [-1.0]])).argmax(1)
    (3, array([0, 1]))
    """

    net: Sequential
    losses: Array


def initial(shape: Sequence[int], seed: int | np.random.Generator = 0) -> Array:
    """Random weights of shape (outputs, inputs, *K) with variance 2/(inputs·∏K): rectified maps keep their size.

    Examples
    --------
    >>> w = initial((64, 32, 3, 3))
    >>> w.shape, bool(abs(w.var() * 32 * 9 / 2 - 1) < 0.05)
    ((64, 32, 3, 3), True)
    """
    shape = words.shape("initial(shape)", "shape", shape)
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) * sqrt(2 / prod(shape[1:]))


def cross_entropy(scores: Array, labels: Any) -> tuple[float, Array]:
    """(mean of −log softmax(scores)[label], its gradient) for scores of shape (N, classes).

    Raises
    ------
    ValueError
        Labels that are not one class per row.

    Examples
    --------
    >>> loss, gradient = cross_entropy(np.zeros((1, 2)), [1])
    >>> round(loss, 4), gradient
    (0.6931, array([[ 0.5, -0.5]]))
    """
    labels = np.asarray(labels)
    n, classes = scores.shape
    if labels.shape != (n,) or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"cross_entropy(scores, labels): labels of shape {labels.shape} and dtype {labels.dtype}; "
                         f"give one integer in 0 … {classes - 1} for each of the {n} rows")
    shifted = scores - scores.max(1, keepdims=True)
    share = np.exp(shifted)
    share /= share.sum(1, keepdims=True)
    rows = np.arange(n)
    loss = float(-np.log(np.maximum(share[rows, labels], np.finfo(share.dtype).tiny)).mean())
    share[rows, labels] -= 1
    return loss, share / n


def loss_gradients(net: Any, x: Any, labels: Any) -> Gradients:
    """The loss of a network in a row on a batch, and the gradients of all that it learned.

    Parameters
    ----------
    net : Sequential, or a sequence of layers
    x : array_like, shape (N, C, *spatial)
    labels : array_like of int, shape (N,)

    Raises
    ------
    TypeError
        For layers without a gradient here.

    Examples
    --------
    >>> from firconv import nn
    >>> net = nn.Sequential(nn.Flatten(), nn.Dense(np.zeros((2, 3))))
    >>> found = loss_gradients(net, np.ones((1, 1, 3)), [0])
    >>> round(found.loss, 4), found.layers[1][0]
    (0.6931, array([[-0.5, -0.5, -0.5],
           [ 0.5,  0.5,  0.5]]))
    """
    parts, value = _parts(net, "loss_gradients"), batch_of("loss_gradients(net, x, labels)", x)
    inputs = []
    for layer in parts:
        inputs.append(value)
        value = layer(value)
    loss, g = cross_entropy(value, labels)
    found: list[Any] = []
    for layer, before in zip(reversed(parts), reversed(inputs), strict=True):
        g, own = backward(layer, before, g)
        found.append(own)
    return Gradients(loss, g, tuple(reversed(found)))


def _parts(net: Any, name: str = "fit") -> list[Layer]:
    """The layers of rows within rows, in order."""
    net = as_layer(net, name)
    return [leaf for part in net for leaf in _parts(part, name)] if isinstance(net, Sequential) else [net]


def fit(net: Any, x: Any, labels: Any, *, epochs: int = 10, batch: int = 32, rate: float = 0.1, momentum: float = 0.9,
        seed: int = 0, progress: Callable[[int, float], None] | None = None) -> Fit:
    """Train by stochastic gradient descent with momentum: v ← μ·v − rate·∇, w ← w + v.

    Parameters
    ----------
    net, x, labels : as in `loss_gradients`
    epochs : int
        Passes over the data, each in another order.
    batch : int
        Inputs per step.
    rate, momentum : float
    seed : int
        Of the order; the same seed gives the same network.
    progress : callable, optional
        Called with the epoch and its mean loss.

    Returns
    -------
    Fit
        With a new network; the one given is unchanged.

    Raises
    ------
    ValueError
        Epochs or batches below 1, a rate that is not positive, momentum outside [0, 1), as many labels as there are not
        inputs.

    Examples
    --------
    >>> from firconv import nn
    >>> x = np.array([[[1.0, 0]], [[0, 1.0]]])
    >>> trained = fit([nn.Flatten(), nn.Dense(np.zeros((2, 2)))], x, [0, 1], epochs=20)
    >>> accuracy(trained.net, x, [0, 1]), bool(trained.losses[-1] < trained.losses[0])
    (1.0, True)
    """
    x, labels = batch_of("fit(net, x, labels)", x), np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"fit(net, x, labels): labels has shape {labels.shape}: give one class number for each input")
    if epochs < 1 or batch < 1 or not rate > 0 or not 0 <= momentum < 1 or len(x) != len(labels):
        raise ValueError(f"fit({len(x)} inputs, {len(labels)} labels, epochs={epochs!r}, batch={batch!r}, "
                         f"rate={rate!r}, momentum={momentum!r}): give a label per input, at least one "
                         "epoch of batches of at least one, a positive rate, and 0 ≤ momentum < 1")
    parts, rng, losses = _parts(net), np.random.default_rng(seed), []
    speed: list[Any] = [None] * len(parts)
    for epoch in range(epochs):
        order, total = rng.permutation(len(x)), 0.0
        for start in range(0, len(x), batch):
            chosen = order[start:start + batch]
            found = loss_gradients(parts, x[chosen], labels[chosen])
            total += found.loss * len(chosen)
            for i, own in enumerate(found.layers):
                if own is not None:
                    speed[i] = _faster(speed[i], own, rate, momentum)
                    parts[i] = _moved(parts[i], speed[i])
        losses.append(total / len(x))
        if progress:
            progress(epoch, losses[-1])
    return Fit(Sequential(*parts), np.array(losses))


def _faster(speed: Any, own: tuple[Array, Array | None], rate: float, momentum: float) -> list[Array | None]:
    before = speed or [None] * len(own)
    return [None if g is None else (0 if v is None else momentum * v) - rate * g
            for v, g in zip(before, own, strict=True)]


def _moved(layer: Any, speed: list[Array | None]) -> Layer:
    w, bias = speed
    return replace(layer, w=layer.w + w, bias=None if bias is None else layer.bias + bias)


def accuracy(net: Any, x: Any, labels: Any) -> float:
    """The share of inputs whose largest score is that of their label.

    Raises
    ------
    ValueError
        Labels that are not one class per input.

    Examples
    --------
    >>> from firconv import nn
    >>> accuracy(nn.Dense([[1.0], [-1.0]]), [[2.0], [-2.0]], [0, 0])
    0.5
    """
    scores, labels = as_layer(net, "accuracy")(x), np.asarray(labels)
    if labels.shape != scores.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"accuracy(net, x, labels): labels has shape {labels.shape} and dtype {labels.dtype}: give "
                         f"one class number for each of the {len(scores)} inputs")
    return float((scores.argmax(1) == labels).mean())
