"""Somebody's convolution or correlation as a value: the functions, what they support, and how to ask for the rest.

An `Implementation` takes the words of `firconv.convolve` and answers with what the functions inside can do. What they
cannot do raises `NotImplementedError` with a sentence, so that "not supported" and "wrong" are never confused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from firconv.boundary import NAMES
from firconv.describe import preset
from firconv.identities import strangers

Array = np.ndarray
STEPS = ("up", "down", "dilation")
WORDS = ("mode", "method", "boundary", "origin", *STEPS)
OTHER = {"convolve": "correlate", "correlate": "convolve"}


@dataclass(frozen=True)
class Implementation:
    """Functions of (signal, taps) under one signature, and what they support.

    Attributes
    ----------
    name : str
        For people.
    convolve, correlate : callable or None
        ``f(x, h, **words)`` with those of the words mode, method, boundary, origin, up, down, dilation that `keywords`
        holds and the call needs. What one cannot do is left to
        the other: convolve(x, h) = correlate(x, reversed conj h).
    modes : tuple of str
        Native outputs: "full", "same", "valid". Others are derived by padding with zeros and cropping.
    boundaries : tuple of str
        Names from `firconv.boundary`; without "zero", what lies beyond the ends is its own, and calls that mean zeros
        are answered by the middle of a padded signal.
    ndims : tuple of int
        Dimensions.
    dtypes : tuple of str
        Types whose sums it computes without wrapping; empty for all.
    keywords : frozenset of str
        Words that the functions take.
    origins : str
        Preset that says which tap is at displacement zero in mode "same", such as "scipy" or "ndimage".
    methods : tuple of str
        Values of the word "method".
    lacks : mapping
        Ability → sentence that says why it is not there ("wide integers", "non-finite samples").
    source : str
        Python that makes this implementation as ``f``, for snippets.
    notes : tuple of str
        Sentences that a report repeats.
    plan : callable or None
        ``plan(x, h, mode).stream()``, where signals may arrive in pieces.
    layers : object or None
        With conv, conv_transpose, conv_input_gradient, conv_weight_gradient, avg_pool and max_pool, in the words of
        `firconv.nn`: the laws of layers then run through these.

    Examples
    --------
    >>> import numpy as np
    >>> f = Implementation("np.convolve", np.convolve, modes=("full",))
    >>> f.apply("correlate", np.array([1, 2, 3]), np.array([0, 1]), "same")
    array([1, 2, 3])
    """

    name: str
    convolve: Callable[..., Array] | None = None
    correlate: Callable[..., Array] | None = None
    modes: tuple[str, ...] = ("full", "same", "valid")
    boundaries: tuple[str, ...] = ("zero",)
    ndims: tuple[int, ...] = (1,)
    dtypes: tuple[str, ...] = ()
    keywords: frozenset[str] = frozenset()
    origins: str = "scipy"
    methods: tuple[str, ...] = ("auto",)
    lacks: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    plan: Callable[..., Any] | None = None
    layers: Any = None
    notes: tuple[str, ...] = ()

    def has(self, op: str) -> bool:
        """True where the operation is native, not derived from the other one."""
        return getattr(self, op) is not None

    def origin(self, op: str, k: int) -> int:
        """Index of the tap at displacement zero for k taps, unless the call says another."""
        return preset(self.origins, op, k)

    def apply(self, op: str, x: Array, h: Array, mode: Any = "full", *, method: str = "auto", boundary: Any = "zero",
              origin: Any = None, up: int = 1, down: int = 1, dilation: int = 1) -> Array:
        """One call in firconv's words; `origin` None is the implementation's own.

        Raises
        ------
        NotImplementedError
            With a sentence, where it is not supported.
        """
        words = {"method": method, "boundary": boundary, "up": up, "down": down, "dilation": dilation}
        words = {word: value for word, value in words.items() if value != _PLAIN[word]}
        centre = self._centre(op, h.shape, origin)
        if not self.has(op):
            return self._exchanged(op, x, h, mode, centre, words)
        try:
            return self._own(op, x, h, mode, centre, words)
        except NotImplementedError as reason:
            if not self.has(OTHER[op]):
                raise
            try:
                return self._exchanged(op, x, h, mode, centre, words)
            except NotImplementedError:
                raise reason from None

    def _exchanged(self, op: str, x: Array, h: Array, mode: Any, centre: tuple[int, ...],
                   words: dict[str, Any]) -> Array:
        """By the other operation, with reversed conjugate taps."""
        mirrored = tuple(k - 1 - c for c, k in zip(centre, h.shape, strict=True))
        return self._own(OTHER[op], x, np.flip(h).conj(), mode, mirrored, words)

    def _own(self, op: str, x: Array, h: Array, mode: Any, centre: tuple[int, ...], words: dict[str, Any]) -> Array:
        self._check(x, h, words)
        if isinstance(mode, str) and (mode not in self.modes or self._by_padding(mode, words)):
            return self._derived(op, x, h, mode, centre, words)
        return self._native(op, x, h, mode, centre, words)

    # ---- what is not supported ---------------------------------------------------------------------------------

    def demand(self, ability: str) -> None:
        """Raise the sentence that says why an ability is not there."""
        if ability in self.lacks:
            raise NotImplementedError(f"{self.name}: {self.lacks[ability]}")

    def _check(self, x: Array, h: Array, words: dict[str, Any]) -> None:
        for word, value in words.items():
            if word not in self.keywords:
                raise NotImplementedError(f"{self.name} has no {word}={value!r}")
        rules = _names(words["boundary"]) if "boundary" in words else set()
        if unknown := rules - set(self.boundaries):
            raise NotImplementedError(f"{self.name} has no boundary {', '.join(sorted(unknown))}")
        if x.ndim not in self.ndims:
            raise NotImplementedError(f"{self.name} has no {x.ndim}-D form")
        for dtype in (x.dtype.name, h.dtype.name) if self.dtypes else ():
            if dtype not in self.dtypes:
                raise NotImplementedError(f"{self.name} does not sum {dtype}")

    def _centre(self, op: str, shape: tuple[int, ...], origin: Any) -> tuple[int, ...]:
        if origin is None:
            return tuple(self.origin(op, k) for k in shape)
        return tuple(origin) if isinstance(origin, (tuple, list)) else (origin,) * len(shape)

    # ---- calls -------------------------------------------------------------------------------------------------

    def _native(self, op: str, x: Array, h: Array, mode: Any, centre: tuple[int, ...], words: dict[str, Any]) -> Array:
        if mode == "same" or not isinstance(mode, str):
            if centre != self._centre(op, h.shape, None):
                if "origin" not in self.keywords:
                    raise NotImplementedError(f"{self.name} has no origin={centre}")
                words = {**words, "origin": centre}
        if not isinstance(mode, str) and "window" not in self.keywords:
            raise NotImplementedError(f"{self.name} has no window of positions")
        if "mode" in self.keywords:
            words = {**words, "mode": mode}
        return np.asarray(getattr(self, op)(x, h, **words))

    def _by_padding(self, mode: str, words: dict[str, Any]) -> bool:
        """True where zeros beyond the ends must be part of the signal."""
        return mode != "valid" and "zero" not in self.boundaries and "boundary" not in words

    def _derived(self, op: str, x: Array, h: Array, mode: str, centre: tuple[int, ...], words: dict[str, Any]) -> Array:
        """A mode cut from the first native one, of the signal padded with zeros where that is too short.

        Output j of "full" is output j + shift of the native mode, whatever the origin.
        """
        native, cut, pads = self.modes[0], [], []
        if set(words) & set(STEPS) or ("boundary" in words and native != "full" and mode != "valid"):
            raise NotImplementedError(f"{self.name} has no mode={mode!r} with {', '.join(words)}")
        own = self._centre(op, h.shape, None)
        for n, k, c, c0 in zip(x.shape, h.shape, centre, own, strict=True):
            inside = mode == "valid" or (native == "full" and not self._by_padding(mode, words))
            pad = 0 if inside and native != "valid" else k - 1
            shift = pad - _first(op, k, c0) if native == "same" else pad if native == "full" else 0
            first = _first(op, k, c)
            start, stop = {"full": (0, n + k - 1), "valid": (k - 1, n), "same": (first, first + n)}[mode]
            if not (0 <= start + pad and stop <= n + k - 1 + pad):
                raise NotImplementedError(f"{self.name} has no mode={mode!r} with origin={centre}")
            pads.append((pad, pad))
            cut.append(slice(start + shift, stop + shift))
        padded = np.pad(x, pads) if any(map(any, pads)) else x
        return self._native(op, padded, h, native, own, words)[tuple(cut)]


_PLAIN = {"method": "auto", "boundary": "zero", "up": 1, "down": 1, "dilation": 1}


def _first(op: str, k: int, centre: int) -> int:
    """Where "same" begins in "full"."""
    return centre if op == "convolve" else k - 1 - centre


def _names(boundary: Any) -> set[str]:
    """The rules in a boundary, whatever its nesting."""
    if isinstance(boundary, (tuple, list)):
        constant = len(boundary) == 2 and boundary[0] == "constant" and not isinstance(boundary[1], str)
        return {"constant"} if constant else set().union(*map(_names, boundary))
    return {boundary}


# ── from whatever the user has ────────────────────────────────────────────────────────────────────────────────────────


def of(value: Any, op: str = "convolve") -> Implementation:
    """An `Implementation` from one, from a module or object with convolve or correlate, or from a function of (x, h).

    The words that a function takes are read from its signature; its dimensions, and the mode of one that takes none,
    are found by calling it. A plain function is taken as the operation `op`.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For a function that fails or does not return, or whose output has the length of no mode.

    Examples
    --------
    >>> import numpy as np
    >>> of(np.convolve).name
    'convolve'
    """
    if isinstance(value, Implementation):
        return value
    if getattr(value, "__name__", "") == "firconv" and isinstance(value, ModuleType):
        return _firconv(value)
    found = {name: getattr(value, name) for name in OTHER if callable(getattr(value, name, None))}
    if not found and callable(value):
        found = {op: value}
    name = getattr(value, "__name__", type(value).__name__)
    if not found:
        hint = f"interop.load({value!r})" if isinstance(value, str) else "the function itself"
        raise TypeError(f"implementation={value!r} is neither a function of (signal, taps) nor an object with convolve "
                        f"or correlate: pass {hint}")
    try:
        return _described(name, found)
    except TimeoutError as error:
        raise ValueError(f"{name}(x, h): {error} for 8 samples and 3 taps: give a function that returns") from error


def _firconv(module: ModuleType) -> Implementation:
    return Implementation("firconv", module.convolve, module.correlate, boundaries=NAMES, ndims=(1, 2, 3, 4),
                          keywords=frozenset((*WORDS, "window")),
                          methods=("auto", "direct", "fft", "overlap_save", "reference"),
                          source="import firconv as f", plan=module.plan, layers=module.nn)


def _described(name: str, functions: dict[str, Callable[..., Any]]) -> Implementation:
    """What the signature of a user's functions says, and what a few calls show."""
    taken = set.intersection(*(strangers.words(function, WORDS) for function in functions.values()))
    ndims = tuple(d for d in (1, 2, 3) if all(strangers.takes(function, d) for function in functions.values())) or (1,)
    op, function = next(iter(functions.items()))
    modes = strangers.MODES if "mode" in taken else (strangers.mode_of(name, function, ndims[0]),)
    made = Implementation(name, functions.get("convolve"), functions.get("correlate"), modes=modes, ndims=ndims,
                          boundaries=NAMES if "boundary" in taken else ("zero",), keywords=frozenset(taken),
                          source=f"f = ...  # {name}")
    return made if modes != ("same",) or "boundary" in taken else _ends_found(made, op, function)


def _ends_found(made: Implementation, op: str, function: Callable[..., Any]) -> Implementation:
    """With the origin and the ends of a function that has one mode, same."""
    made = replace(made, origins=strangers.origins_of(op, function, made.ndims[0]))
    if strangers.reads_zeros(function, made.ndims[0]):
        return made
    note = "it does not read zeros beyond the ends (firconv identify names its rule), so it was asked"
    return replace(made, boundaries=(), notes=(f"{note} inside padded signals",))
