"""The lags of a correlation."""

from __future__ import annotations

import numpy as np

from firconv.describe import MODES


def correlation_lags(in1_len: int, in2_len: int, mode: str = "full") -> np.ndarray:
    """Displacements of in2 against in1 that the outputs of a 1-D cross-correlation belong to, as SciPy numbers them.

    Parameters
    ----------
    in1_len, in2_len : int
        Lengths of the signal and the taps.
    mode : {"full", "same", "valid"}

    Returns
    -------
    ndarray of int64
        Lag ℓ of each output of ``correlate(x, h, mode)``: y[ℓ] = Σ_k conj(h[k])·x[k + ℓ].

    Raises
    ------
    ValueError
        For another mode, or lengths below one.

    Examples
    --------
    >>> import firconv
    >>> firconv.correlation_lags(4, 3).tolist()
    [-2, -1, 0, 1, 2, 3]
    >>> firconv.correlation_lags(4, 3, "same").tolist()
    [-1, 0, 1, 2]
    """
    if mode not in MODES:
        raise ValueError(f"correlation_lags(n, k): mode={mode!r} is unknown: use 'full', 'same' or 'valid'")
    if in1_len < 1 or in2_len < 1:
        raise ValueError(f"correlation_lags(n, k): lengths {in1_len!r} and {in2_len!r} must be at least 1")
    if mode == "full":
        return np.arange(1 - in2_len, in1_len)
    if mode == "same":
        start = -(in2_len // 2)
        return np.arange(start, start + in1_len)
    bound = in1_len - in2_len
    return np.arange(bound + 1) if bound >= 0 else np.arange(bound, 1)
