"""Template matching: where does a piece resemble the signal, whatever its brightness and contrast?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from firconv import boundary as bd
from firconv.convolution import correlate, plan

__all__ = ["normalized_correlate"]

#: Windows whose variance is below this part of their mean square are summed again, window by window.
DOUBTFUL = 1e-4


def normalized_correlate(
    x: ArrayLike,
    template: ArrayLike,
    mode: Any = "valid",
    *,
    boundary: Any = "zero",
    origin: Any = None,
    workers: int | None = None,
) -> np.ndarray:
    """Pearson's correlation of a template with every window of a signal: −1 … 1.

    ρ[t] = Σ (x̃[t + k] − x̄_t)·(h[k] − h̄) / √(Σ (x̃[t + k] − x̄_t)²·Σ (h[k] − h̄)²), sums over the window, x̄_t its mean.
    OpenCV calls it TM_CCOEFF_NORMED, scikit-image match_template. 0 where the window is constant.

    Parameters
    ----------
    x : array_like
        Real signal or image.
    template : array_like
        Of as many dimensions, not constant.
    mode, boundary, origin, workers : as in `firconv.correlate`
        "valid" as in OpenCV; mode="same" with boundary="zero" pads as ``match_template(pad_input=True)`` does.

    Returns
    -------
    ndarray of float64
        Of the shape that `correlate` gives.

    Raises
    ------
    ValueError
        For complex numbers, other dimensions, or a template that is constant.

    Examples
    --------
    >>> import numpy as np
    >>> normalized_correlate([5.0, 7, 9, 1, 1, 1], [1, 2, 3]).round(6) + 0.0
    array([ 1.      , -0.720577, -0.866025,  0.      ])
    """
    signal, h = (_real(name, v) for name, v in (("x", x), ("template", template)))
    if signal.ndim != h.ndim:
        raise ValueError(
            f"normalized_correlate(x, template): x has {signal.ndim} dimensions and template has {h.ndim}: "
            "match channel by channel, or give a template of as many dimensions"
        )
    centred = h - h.mean()
    centred -= centred.mean()  # what the first mean rounded away
    energy = float(np.sum(centred**2))
    if energy <= 1e-24 * float(np.sum(h**2)) or energy == 0:
        raise ValueError(
            "normalized_correlate(x, template): the template is constant, so nothing resembles it more than another"
        )
    level = _level(signal, boundary)
    signal, boundary = signal - level, _mapped(boundary, partial(_lowered, level=level))
    settings = {"boundary": boundary, "origin": origin, "workers": workers}
    ones = np.ones(h.shape)
    total = correlate(signal, ones, mode, **settings)
    squares = correlate(signal**2, ones, mode, **{**settings, "boundary": _mapped(boundary, _squared)})
    product = correlate(signal, centred, mode, **settings)
    variance = squares - total**2 / h.size
    doubtful = variance <= DOUBTFUL * squares
    if doubtful.any():
        _again(signal, h, centred, mode, settings, doubtful, product, variance)
    scale = np.sqrt(np.maximum(variance, 0) * energy)
    return np.clip(np.divide(product, scale, out=np.zeros_like(product), where=scale > 0), -1, 1)


def _real(name: str, value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.size == 0:
        raise ValueError(
            f"normalized_correlate(x, template): {name} has dtype {array.dtype} and shape {array.shape}: give "
            "real numbers, at least one"
        )
    return array.astype(np.float64)


# ── boundaries of what is filtered in place of x ──────────────────────────────────────────────────────────────────────


def _rules(boundary: Any) -> tuple[bd.Ends, ...]:
    count = len(boundary) if isinstance(boundary, list) else 1
    return bd.parse(boundary, count, "normalized_correlate(x, template)")


def _mapped(boundary: Any, change: Callable[[bd.Rule], bd.Rule]) -> Any:
    """The boundary with every rule changed."""
    pairs = [(change(low), change(high)) for low, high in _rules(boundary)]
    return pairs if isinstance(boundary, list) else pairs[0]


def _level(x: np.ndarray, boundary: Any) -> float:
    """A whole number near the mean: without it, windows of a bright image lose no digits to their brightness."""
    odd = any(rule.name == "antisymmetric" for ends in _rules(boundary) for rule in ends)
    mean = float(x.mean())
    return 0.0 if odd or not np.isfinite(mean) else float(np.round(mean))


def _lowered(rule: bd.Rule, level: float) -> bd.Rule:
    """The rule of x − level."""
    value = {"zero": 0.0, "constant": rule.value}.get(rule.name)
    return rule if value is None or level == 0 else bd.Rule("constant", value - level)


def _squared(rule: bd.Rule) -> bd.Rule:
    """The rule of x²: squares of a constant are another constant, signs vanish."""
    if rule.name in ("antireflect", "omit"):
        raise ValueError(
            f"normalized_correlate(x, template): boundary={rule.name!r} has no windowed energy; use zero, edge, "
            "symmetric, reflect, wrap or a constant"
        )
    changed = {"antisymmetric": bd.Rule("symmetric"), "constant": bd.Rule("constant", rule.value**2)}
    return changed.get(rule.name, rule)


def _again(
    x: np.ndarray,
    h: np.ndarray,
    centred: np.ndarray,
    mode: Any,
    settings: dict[str, Any],
    doubtful: np.ndarray,
    product: np.ndarray,
    variance: np.ndarray,
) -> None:
    """Sums about the window's own mean, where the difference of two large sums says nothing."""
    made = plan(x, h, mode, op="correlate", boundary=settings["boundary"], origin=settings["origin"])
    p, grid = made.problem, np.argwhere(doubtful)
    box = tuple((-pad, -pad + n + k - 1) for pad, n, k in zip(p.pad, p.outputs, p.taps, strict=True))
    windows = sliding_window_view(bd.read(x, p.boundary, box), h.shape)
    axes = tuple(range(1, 1 + h.ndim))
    step = max(1, (1 << 22) // h.size)
    for start in range(0, len(grid), step):
        at = tuple(grid[start : start + step].T)
        w = windows[at]
        w = w - w[(slice(None), *(slice(0, 1),) * h.ndim)]  # exact for constant windows
        w = w - w.mean(axis=axes, keepdims=True)
        variance[at] = np.sum(w * w, axis=axes)
        product[at] = np.sum(w * centred, axis=axes)
