"""One-dimensional rows: long signals, channels, decimation, resampling, the short call."""

from __future__ import annotations

import numpy as np

from benchmarks import ipp
from benchmarks.bench import PLAIN, SLOW_PLAIN, Array, Bench, Peer, has, noise, problem


def line(n: int, taps: int, dtype: str) -> Bench:
    """One long signal, every output (mode "full")."""
    x, h = noise(n, dtype), noise(taps, dtype, 1)
    peers = [*_numpy_scipy(x, h), *_opencv_line(x, h), *_torch_line(x, h)]
    macs, traffic = n * taps, x.nbytes + (n + taps - 1) * x.itemsize
    ours = problem("convolve", x, h)
    return Bench(**ours, peers=peers, macs=macs, traffic=traffic, references=ipp.line(x, h))


def _numpy_scipy(x: Array, h: Array) -> list[Peer]:
    from scipy import ndimage, signal

    reach = len(h) - 1

    def filtered() -> Array:
        return np.concatenate(signal.lfilter(h, np.ones(1, h.dtype), x, zi=np.zeros(reach, x.dtype)))

    def padded() -> Array:
        return ndimage.convolve1d(np.pad(x, (reach - reach // 2, reach // 2)), h, mode="constant")

    return [
        Peer("np.convolve", lambda: np.convolve(x, h), PLAIN),
        Peer("oaconvolve", lambda: signal.oaconvolve(x, h)),
        Peer("fftconvolve", lambda: signal.fftconvolve(x, h)),
        Peer("upfirdn", lambda: signal.upfirdn(h, x), SLOW_PLAIN),
        Peer("lfilter", filtered, PLAIN),
        Peer("ndimage.convolve1d", padded, SLOW_PLAIN),
    ]


def _opencv_line(x: Array, h: Array) -> list[Peer]:
    """One row of an image, zeros added at both ends; OpenCV correlates, so the taps are reversed."""
    if not has("cv2"):
        return []
    import cv2

    reach, anchor, row, one = len(h) - 1, len(h) // 2, h[::-1].copy(), np.ones(1, h.dtype)

    def padded() -> Array:
        return cv2.copyMakeBorder(x[None], 0, 0, reach - anchor, anchor, cv2.BORDER_CONSTANT)

    def dense() -> Array:
        return cv2.filter2D(padded(), -1, row[None], anchor=(anchor, 0), borderType=cv2.BORDER_CONSTANT)[0]

    def separable() -> Array:
        return cv2.sepFilter2D(padded(), -1, row, one, anchor=(anchor, 0), borderType=cv2.BORDER_CONSTANT)[0]

    return [Peer("cv2.filter2D", dense), Peer("cv2.sepFilter2D", separable, PLAIN)]


def _torch_line(x: Array, h: Array) -> list[Peer]:
    if not has("torch"):
        return []
    import torch

    n, signal, taps = len(x) + len(h) - 1, torch.from_numpy(x), torch.from_numpy(h)
    length, flipped = _smooth(n), taps.flip(0)[None, None]

    def direct() -> Array:
        return torch.conv1d(signal[None, None], flipped, padding=len(h) - 1)[0, 0].numpy()

    def transformed() -> Array:
        spectrum = torch.fft.rfft(signal, length) * torch.fft.rfft(taps, length)
        return torch.fft.irfft(spectrum, length)[:n].numpy()

    return [Peer("torch conv1d", direct, SLOW_PLAIN), Peer("torch.fft", transformed)]


def _smooth(n: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(n, real=True))


def channels(rows: int, n: int, taps: int, dtype: str) -> Bench:
    """Many signals, one filter along the last axis, outputs where the signal is (mode "same"); odd taps."""
    x, h = noise((rows, n), dtype), noise(taps, dtype, 1)
    peers = [*_scipy_channels(x, h), *_opencv_channels(x, h), *_torch_channels(x, h)]
    ours = problem("convolve", x, h, "same", axes=-1)
    return Bench(**ours, peers=peers, macs=x.size * taps, traffic=2 * x.nbytes, references=ipp.channels(x, h))


def _scipy_channels(x: Array, h: Array) -> list[Peer]:
    from scipy import ndimage, signal

    return [
        Peer("oaconvolve", lambda: signal.oaconvolve(x, h[None], "same", axes=-1)),
        Peer("fftconvolve", lambda: signal.fftconvolve(x, h[None], "same", axes=-1)),
        Peer("ndimage.convolve1d", lambda: ndimage.convolve1d(x, h, mode="constant"), SLOW_PLAIN),
    ]


def _opencv_channels(x: Array, h: Array) -> list[Peer]:
    if not has("cv2"):
        return []
    import cv2

    row, one, zeros = h[::-1].copy(), np.ones(1, h.dtype), cv2.BORDER_CONSTANT
    return [
        Peer("cv2.filter2D", lambda: cv2.filter2D(x, -1, row[None], borderType=zeros)),
        Peer("cv2.sepFilter2D", lambda: cv2.sepFilter2D(x, -1, row, one, borderType=zeros)),
    ]


def _torch_channels(x: Array, h: Array) -> list[Peer]:
    if not has("torch"):
        return []
    import torch

    batch, taps = torch.from_numpy(x)[:, None], torch.from_numpy(h).flip(0)[None, None]
    return [Peer("torch conv1d", lambda: torch.conv1d(batch, taps, padding=len(h) // 2)[:, 0].numpy(), SLOW_PLAIN)]


def rates(n: int, taps: int, up: int, down: int, dtype: str) -> Bench:
    """Zero-stuffed by `up`, filtered, every `down`-th output kept (mode "full", as upfirdn)."""
    x, h = noise(n, dtype), noise(taps, dtype, 1)
    from scipy import signal

    outputs = (n * up - up + taps - 1) // down + 1
    peers = [Peer("upfirdn", lambda: signal.upfirdn(h, x, up, down))]
    if up == 1:
        peers.append(Peer(f"oaconvolve[::{down}]", lambda: signal.oaconvolve(x, h)[::down]))
    peers += _torch_rates(x, h, up, down, outputs)
    ours, references = problem("convolve", x, h, up=up, down=down), ipp.rates(x, h, up, down)
    macs, traffic = outputs * taps // up, x.nbytes + outputs * x.itemsize
    return Bench(**ours, peers=peers, macs=macs, traffic=traffic, references=references)


def _torch_rates(x: Array, h: Array, up: int, down: int, outputs: int) -> list[Peer]:
    """A bank of `up` filters with stride `down`: y[up·m + r] = Σ h[...]·x[...]; the form that torchaudio uses.

    Output q = up·m + r is at position q·down of the stuffed signal, m·down + (r·down)/up of the plain one.
    """
    if not has("torch"):
        return []
    import torch

    reach = (len(h) - 1) // up  # how far back the longest phase looks
    ahead = ((up - 1) * down) // up  # how far forward the last output of a group looks
    bank = np.zeros((up, 1, reach + 1 + ahead), x.dtype)
    for r in range(up):
        newest, phase = divmod(r * down, up)
        part = h[phase::up]
        bank[r, 0, reach + newest - len(part) + 1 : reach + newest + 1] = part[::-1]
    groups = -(-outputs // up)
    right = max(0, (groups - 1) * down + ahead + 1 - len(x))
    signal, weights = torch.from_numpy(x), torch.from_numpy(bank)

    def run() -> Array:
        padded = torch.nn.functional.pad(signal, (reach, right))
        y = torch.conv1d(padded[None, None], weights, stride=down)[0, :, :groups]
        return y.T.reshape(-1)[:outputs].numpy()

    return [Peer("torch conv1d", run)]


def small(n: int, taps: int, dtype: str, peer: str) -> Bench:
    """The plain call on a short signal: what the call itself costs."""
    x, h = noise(n, dtype), noise(taps, dtype, 1)
    from scipy import signal

    runs = {"np.convolve": lambda: np.convolve(x, h), "signal.convolve": lambda: signal.convolve(x, h)}
    traffic = x.nbytes + (n + taps - 1) * x.itemsize
    return Bench(**problem("convolve", x, h), peers=[Peer(peer, runs[peer])], macs=n * taps, traffic=traffic)
