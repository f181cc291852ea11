"""Real signals to try filters on, from the samples that matplotlib ships: nothing is downloaded."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np

from firconv.files.common import Signal

SAMPLES = ("eeg", "mri", "photo")
_EEG_RATE = 80.0  # samples per second: 800 in the ten seconds that matplotlib's own example shows


def sample(name: str) -> Signal:
    """One of `SAMPLES` as a `Signal`, whose ``array`` is yours to change.

    ========  ===============  ==========================================================
    name      shape            what it is
    ========  ===============  ==========================================================
    eeg       (800, 4)         electrical activity of a brain, 4 channels, 80 Hz, float64
    mri       (256, 256)       a slice of a head, uint16
    photo     (600, 512, 3)    the photograph of Grace Hopper, uint8
    ========  ===============  ==========================================================

    Raises
    ------
    ValueError
        For another name.

    Examples
    --------
    >>> photo = sample("photo").array
    >>> photo.shape, photo.dtype
    ((600, 512, 3), dtype('uint8'))
    """
    if name == "eeg":
        eeg = np.frombuffer(_content("eeg.dat"), "<f8").reshape(-1, 4).astype(float)
        return Signal(eeg, axes=(0,), rate=_EEG_RATE)
    if name == "mri":
        raw = np.frombuffer(gzip.decompress(_content("s1045.ima.gz")), ">u2")
        return Signal(raw.reshape(256, 256).astype(np.uint16), "image", (0, 1))
    if name == "photo":
        from PIL import Image

        return Signal(np.array(Image.open(io.BytesIO(_content("grace_hopper.jpg")))), "image", (0, 1), white=255)
    raise ValueError(f"sample({name!r}): no such sample; use one of {', '.join(SAMPLES)}")


def _content(name: str) -> bytes:
    from matplotlib.cbook import get_sample_data

    return Path(str(get_sample_data(name, asfileobj=False))).read_bytes()
