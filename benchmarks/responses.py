"""Rows of systems: frequency responses against what they replace, and operators against the engine they call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.bench import Array, Bench, Case, Peer, noise

ENGINE = 1 / 1.2  # an operator may take a fifth more than the call it wraps


def cases(tiny: bool) -> list[Case]:
    """The rows; `tiny` shrinks the sizes, for tests."""
    taps, points, side = (101, 2000, 40) if tiny else (1001, 1_000_000, 1024)
    rows = [
        Case(f"response/{kind}", f"1,001 taps, 1 M {words}", "response", partial(line, taps, points, kind), wanted,
             usual=("freqz",))
        for kind, words, wanted in (("uniform", "uniform points", 1.5), ("anywhere", "points anywhere", 20.0),
                                    ("band", "points of a fifth", 20.0))
    ]  # fmt: skip
    rows.append(Case("response/plane", "15², response on 1024²", "response", partial(plane, side), 1.0,
                     usual=("np.fft.fft2",)))  # fmt: skip
    shapes = (((500,), (31,), "zero"), ((40, 40), (7, 7), "reflect"), ((30, 30), (3, 3), "wrap"))
    large = (((1_000_000,), (31,), "zero"), ((1024, 1024), (7, 7), "reflect"), ((256, 256), (3, 3), "wrap"))
    for small, (shape, width, boundary) in zip(shapes, large, strict=True):
        size = " × ".join(f"{n:,}" for n in shape) + ", " + "×".join(map(str, width)) + f", {boundary}"
        for name, build in (("operator", forward), ("adjoint", adjoint)):
            bench = partial(build, *(small if tiny else (shape, width, boundary)))
            rows.append(Case(f"{name}/{boundary}", f"{name} {size}", "operator", bench, ENGINE))
    return rows


def line(taps: int, points: int, kind: str) -> Bench:
    """The response of one long filter: all around the half circle, in a band, or at any frequencies."""
    from scipy import signal

    from firconv.response import frequency_response

    h = noise(taps, "float64")
    anywhere = np.random.default_rng(1).uniform(0, 0.5, points)
    asked = {"uniform": {"n": points}, "anywhere": {"freqs": anywhere}, "band": {"band": (0.1, 0.2), "n": points}}[kind]
    where = {"uniform": points, "anywhere": anywhere, "band": np.linspace(0.1, 0.2, points)}[kind]
    method = {"uniform": "pruned DFT", "anywhere": "Taylor table", "band": "chirp-z"}[kind]
    peer = Peer("freqz", lambda: signal.freqz(h, worN=where, fs=1)[1])
    return _response(lambda: frequency_response(h, **asked)[1], method, h, peer, points)


def plane(side: int) -> Bench:
    """The response of a small kernel over the plane, in the order of the transform."""
    from firconv.response import frequency_response

    h, f = noise((15, 15), "float64"), np.fft.fftfreq(side)
    peer = Peer("np.fft.fft2", lambda: np.fft.fft2(h, (side, side)))
    return _response(lambda: frequency_response(h, (f, f))[1], "matrix products", h, peer, side * side)


def _response(ours: Callable[[], Array], method: str, h: Array, peer: Peer, points: int) -> Bench:
    """A complex value per point, of real taps: two multiply-adds each."""
    scale = float(np.abs(h).sum())
    return Bench(ours, lambda: method, scale, "float64", [peer], macs=2 * points * h.size,
                 traffic=16 * points + h.nbytes)  # fmt: skip


def forward(shape: tuple[int, ...], width: tuple[int, ...], boundary: str) -> Bench:
    """``A @ x`` against the call."""
    import firconv

    x, h = noise(shape, "float64"), noise(width, "float64", 1)
    fir = firconv.FIR(h, [k // 2 for k in width])
    A, flat = fir.operator(shape, boundary=boundary), x.ravel()
    peer = Peer("firconv.convolve", lambda: fir(x, boundary=boundary).ravel())
    plan = firconv.plan(x, h, "same", boundary=boundary, origin=fir.origins)
    return _map(lambda: A.matvec(flat), str(plan.method), x, h, peer)


def adjoint(shape: tuple[int, ...], width: tuple[int, ...], boundary: str) -> Bench:
    """``A.H @ y`` against the engine on the adjoint taps, what the boundary repeats folded back where it must be."""
    import firconv

    y, h = noise(shape, "float64"), noise(width, "float64", 1)
    fir = firconv.FIR(h, [k // 2 for k in width])
    A, flat, back = fir.operator(shape, boundary=boundary), y.ravel(), fir.H

    def call() -> Array:
        if boundary == "reflect":
            return _folded(back(y, [(k // 2 - k + 1, n + k // 2) for n, k in zip(shape, width, strict=True)]), width)
        return back(y, boundary=boundary).ravel()  # wrapped around or zero: the adjoint is such a filter itself

    plan = firconv.plan(y, back.taps, "same", origin=back.origins)
    return _map(lambda: A.rmatvec(flat), str(plan.method), y, h, Peer("firconv.convolve", call))


def _folded(g: Array, width: tuple[int, ...]) -> Array:
    """The rows and columns that "reflect" copied, added to those that they are copies of; odd widths."""
    for axis, k in enumerate(width):
        m = k // 2
        g = np.moveaxis(g, axis, 0)
        inside = g[m : len(g) - m]
        inside[1 : m + 1] += g[m - 1 :: -1]
        inside[-m - 1 : -1] += g[: -m - 1 : -1]
        g = np.moveaxis(inside, 0, axis)
    return g.ravel()


def _map(ours: Callable[[], Array], method: str, x: Array, h: Array, peer: Peer) -> Bench:
    scale = float(np.abs(x).max() * np.abs(h).sum())
    return Bench(ours, lambda: method, scale, "float64", [peer], macs=x.size * h.size, traffic=2 * x.nbytes)
