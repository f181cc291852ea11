"""Rows in two and three dimensions: dense kernels, Gaussians given as dense kernels, a volume."""

from __future__ import annotations

import numpy as np

from benchmarks import halide_peer
from benchmarks.bench import SLOW_PLAIN, Array, Bench, Peer, Run, has, noise, problem


def dense(size: int, width: int, dtype: str) -> Bench:
    """A square image, a square kernel without structure, reflected beyond the edges (correlation)."""
    x, h = noise((size, size), dtype), noise((width, width), dtype, 1)
    peers = [*_opencv_dense(x, h), *_scipy_image(x, h), *_torch_image(x, h)]
    ours = problem("correlate", x, h, "same", boundary="reflect")
    return Bench(**ours, peers=peers, macs=x.size * h.size, traffic=2 * x.nbytes)


def _opencv_dense(x: Array, h: Array) -> list[Peer]:
    if not has("cv2"):
        return []
    import cv2

    return [Peer("cv2.filter2D", lambda: cv2.filter2D(x, -1, h, borderType=cv2.BORDER_REFLECT_101))]


def _scipy_image(x: Array, h: Array) -> list[Peer]:
    from scipy import ndimage, signal

    half = h.shape[0] // 2

    def transformed() -> Array:
        return signal.oaconvolve(np.pad(x, half, "reflect"), h[::-1, ::-1], "valid")

    return [
        Peer("ndimage.correlate", lambda: ndimage.correlate(x, h, mode="mirror"), SLOW_PLAIN),
        Peer("oaconvolve", transformed),
    ]


def _torch_image(x: Array, h: Array) -> list[Peer]:
    if not has("torch"):
        return []
    import torch

    image, kernel, half = torch.from_numpy(x)[None, None], torch.from_numpy(h)[None, None], h.shape[0] // 2

    def run() -> Array:
        padded = torch.nn.functional.pad(image, (half, half, half, half), mode="reflect")
        return torch.conv2d(padded, kernel)[0, 0].numpy()

    return [Peer("torch conv2d", run, SLOW_PLAIN)]


def dense_valid(size: int, width: int, dtype: str) -> Bench:
    """The same without edges (mode "valid"): what Halide's tuned schedule is measured on."""
    x, h = noise((size, size), dtype), noise((width, width), dtype, 1)
    outputs = (size - width + 1) ** 2
    peers = [Peer(peer.name, _cropped(peer, width // 2)) for peer in _opencv_dense(x, h)]
    ours, references = problem("correlate", x, h, "valid"), halide_peer.dense(x, h)
    macs, traffic = outputs * h.size, x.nbytes + outputs * x.itemsize
    return Bench(**ours, peers=peers, macs=macs, traffic=traffic, references=references)


def _cropped(peer: Peer, half: int) -> Run:
    """The peer's result without the outputs that saw beyond the edges: a view."""
    return lambda: peer.run()[half:-half, half:-half]


def gaussian(size: int, sigma: float, dtype: str) -> Bench:
    """A Gaussian given as a dense 2-D kernel, cut at 4 σ; the peers are told that it is separable."""
    x, radius = noise((size, size), dtype), int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    h = np.outer(weights, weights).astype(dtype)
    peers = [*_opencv_gaussian(x, weights.astype(dtype), sigma), *_scipy_gaussian(x, sigma)]
    ours = problem("convolve", x, h, "same", boundary="reflect")
    return Bench(**ours, peers=peers, macs=2 * x.size * len(weights), traffic=2 * x.nbytes)


def _opencv_gaussian(x: Array, weights: Array, sigma: float) -> list[Peer]:
    if not has("cv2"):
        return []
    import cv2

    size, edge = (len(weights), len(weights)), cv2.BORDER_REFLECT_101
    return [
        Peer("cv2.GaussianBlur", lambda: cv2.GaussianBlur(x, size, sigma, borderType=edge)),
        Peer("cv2.sepFilter2D", lambda: cv2.sepFilter2D(x, -1, weights, weights, borderType=edge)),
    ]


def _scipy_gaussian(x: Array, sigma: float) -> list[Peer]:
    from scipy import ndimage

    return [Peer("ndimage.gaussian", lambda: ndimage.gaussian_filter(x, sigma, mode="mirror", truncate=4.0))]


def volume(size: int, width: int, dtype: str, peers: tuple[str, ...] = ()) -> Bench:
    """A cube and a small cube of taps without structure, zeros beyond (mode "same"); `peers` picks some of them."""
    x, h = noise((size,) * 3, dtype), noise((width,) * 3, dtype, 1)
    from scipy import ndimage, signal

    found = [
        Peer("ndimage.convolve", lambda: ndimage.convolve(x, h, mode="constant")),
        Peer("oaconvolve", lambda: signal.oaconvolve(x, h, "same")),
        Peer("fftconvolve", lambda: signal.fftconvolve(x, h, "same")),
        *_torch_volume(x, h),
    ]
    some = [peer for peer in found if not peers or peer.name in peers]
    return Bench(**problem("convolve", x, h, "same"), peers=some, macs=x.size * h.size, traffic=2 * x.nbytes)


def _torch_volume(x: Array, h: Array) -> list[Peer]:
    if not has("torch"):
        return []
    import torch

    cube, kernel = torch.from_numpy(x)[None, None], torch.from_numpy(h).flip((0, 1, 2))[None, None]
    return [Peer("torch conv3d", lambda: torch.conv3d(cube, kernel, padding=h.shape[0] // 2)[0, 0].numpy())]
