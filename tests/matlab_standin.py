"""A few of MATLAB's functions and its indices, as its documentation has them: enough to run translated lines."""

from __future__ import annotations

import re

import numpy as np
from scipy import signal


def conv2(x, h, shape="full"):
    """Central part for "same": from row ceil((size(h, 1) + 1)/2), counted from 1."""
    full = signal.convolve2d(x, h)
    if shape == "same":
        r, c = ((k + 2) // 2 - 1 for k in h.shape)
        return full[r : r + x.shape[0], c : c + x.shape[1]]
    return full if shape == "full" else signal.convolve2d(x, h, "valid")


WORDS = {"replicate": "edge", "symmetric": "symmetric", "circular": "wrap"}


def padarray(x, amount, word, direction):
    pads = [(int(n), 0) if direction == "pre" else (0, int(n)) for n in amount]
    return np.pad(x, pads, WORDS[word]) if isinstance(word, str) else np.pad(x, pads, constant_values=word)


def imfilter(x, h, boundary, shape, kind):
    """The centre of the taps is floor((size(h) + 1)/2), counted from 1; 'conv' turns them round first."""
    assert shape == "same"
    w = h if kind == "corr" else h[::-1, ::-1]
    low = [(k + 1) // 2 - 1 for k in w.shape]
    pads = [(c, k - 1 - c) for c, k in zip(low, w.shape, strict=True)]
    x = np.pad(x, pads, WORDS[boundary]) if isinstance(boundary, str) else np.pad(x, pads, constant_values=boundary)
    return signal.correlate2d(x, w.conj(), "valid")


FUNCTIONS = {
    "conv": conv2, "conv2": conv2, "padarray": padarray, "imfilter": imfilter, "conj": np.conj,
    "rot90": lambda x, n: np.rot90(x, n), "floor": lambda v: int(np.floor(v)), "numel": np.size,
    "size": lambda x, d: x.shape[d - 1], "zeros": lambda r, c: np.zeros((int(r), int(c)), complex),
    "max": lambda *v: max(*v) if len(v) > 1 else np.max(v[0]), "sum": np.sum, "abs": np.abs,
    "norm": np.linalg.norm, "array": np.array,
    "upfirdn": lambda x, h, p, q: signal.upfirdn(h[0], x[0], p, q)[None],
}  # fmt: skip


def run(code, x, h):
    """y from lines of MATLAB; 1-D signals are rows."""
    names = {"x": np.atleast_2d(x), "h": np.atleast_2d(h)}
    for line in code.replace(" ...\n", " ").splitlines():
        target, value = line.rstrip(";").split(" = ", 1)
        indexed = re.fullmatch(r"([xy])\((.*)\)", value)
        assigned = re.fullmatch(r"w\((.*)\)", target)
        if indexed:
            names[target] = names[indexed[1]][places(indexed[2], names[indexed[1]], names)]
        elif assigned:
            names["w"][places(assigned[1], names["w"], names)] = names[value]
        else:
            names[target] = evaluated(matrix(value), names)
    return names["y"] if np.ndim(x) == 2 else names["y"][0]


def matrix(text):
    """[1 2; 3 4] as an array; anything else as it is."""
    if not text.startswith("["):
        return text
    return f"array([[{'], ['.join(', '.join(row.split()) for row in text.strip('[]').split(';'))}]])"


def evaluated(text, names):
    text = re.sub(r"\b(\w+)\(:\)", r"\1.ravel()", text)
    return eval(text, {"__builtins__": {}}, FUNCTIONS | names)


def places(text, array, names):
    """The NumPy index of MATLAB's: ranges that include their end, counted from 1."""
    parts = split(text, ",")
    if len(parts) == 1:
        parts = [":", parts[0]]
    return np.ix_(*(np.concatenate([span(p, n, names) for p in split(part.strip("[]"), ",")])
                    for part, n in zip(parts, array.shape, strict=True)))


def span(text, n, names):
    if text.strip() == ":":
        return np.arange(n)
    ends = [evaluated(re.sub(r"\bend\b", str(n), p), names) for p in split(text, ":")]
    start, step, stop = ends if len(ends) == 3 else (ends[0], 1, ends[1])
    return np.arange(int(start), int(stop) + (1 if step > 0 else -1), int(step)) - 1


def split(text, mark):
    """Split at marks outside all brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += letter in "([" or -(letter in ")]")
        if letter == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [p.strip() for p in parts]
