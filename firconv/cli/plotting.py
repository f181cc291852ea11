"""``firconv plot``: figures of taps files, named kernels and designs."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firconv.cli.designing import KINDS, add_specification, designed
from firconv.cli.kernels import NAMED, kernel, title

if TYPE_CHECKING:
    from firconv.systems import FIR

EXAMPLES = """\
examples:
  firconv plot h.npz -o h.png
  firconv plot h.npy g.npy --fs 44100 -o both.svg
  firconv plot --sobel x -o sobel.pdf
  firconv plot --gaussian 2 --dims 2 -o blur.png
  firconv plot lowpass --pass 0.1 --stop 0.15 --atten 80 -o design.png

One filter gives an overview (in two dimensions, taps and magnitude plane); several one-dimensional ones are compared.
"""

_FORMATS = {".png": None, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # the same input, the same bytes
_PLANAR = ("disk", "motion", "sharpen", "sobel", "prewitt", "scharr")
_LINEAR = ("lowpass", "highpass", "bandpass", "bandstop")


def add_plot(command: argparse.ArgumentParser) -> None:
    """The words of ``firconv plot``; those of the named kernels are added by the caller."""
    kinds = ", ".join(KINDS)
    command.add_argument("what", nargs="*", metavar="WHAT", help=f".npz .npy .csv files, 1,2,1, or one of {kinds}")
    command.add_argument("-o", "--output", required=True, metavar="OUT", help="the figure: .png, .svg or .pdf")
    command.add_argument("--dpi", type=int, default=120, metavar="N", help="of .png, 20 … 1200; default %(default)s")
    dims = "dimensions of a named kernel, 1 or 2; default 1 if it can have one"
    command.add_argument("--dims", type=int, choices=(1, 2), metavar="N", help=dims)
    add_specification(command)


def run_plot(options: argparse.Namespace) -> None:
    """Draw filters into a file."""
    check_figure(options.output)
    if not 20 <= options.dpi <= 1200:
        raise ValueError(f"--dpi {options.dpi}: give 20 to 1200")
    filters = _filters(options)
    planar = [name for name, fir in filters if fir.ndim > 1]
    if planar and len(filters) > 1:
        raise ValueError(f"{planar[0]}: filters of two dimensions are drawn one at a time")
    from firconv import plots

    figure = plots.overview(filters[0][1]) if len(filters) == 1 else plots.compare(
        [fir for _, fir in filters], [name for name, _ in filters])
    save(options.output, figure, options.dpi)
    print(f"{options.output}: {', '.join(name for name, _ in filters)}")


def _filters(options: argparse.Namespace) -> list[tuple[str, FIR]]:
    """All that was named, with its name."""
    found = [(word, designed(word, options) if word in KINDS else _read(word, options)) for word in options.what]
    names = [*(name for name, *_ in NAMED), "taps"]
    given = [name for name in names if getattr(options, name) not in (None, False)]
    if given:
        found.append((title(options), _kernel(given[0], options)))
    if not found:
        raise ValueError("nothing to draw: give a file of taps, a kernel (--gaussian 2), or lowpass --pass F --stop F")
    rates = sorted({fir.fs for _, fir in found} - {1.0})
    if len(rates) == 1:  # taps that say no rate run at that of the others
        found = [(name, dataclasses.replace(fir, fs=rates[0])) for name, fir in found]
    return found


def _read(word: str, options: argparse.Namespace) -> FIR:
    from firconv.cli.tapfiles import read_filter

    if word in {name for name, *_ in NAMED}:
        raise ValueError(f"plot {word}: a named kernel is an option, --{word}; firconv plot --help says its values")
    if Path(word).suffix.lower() not in (".npy", ".npz", ".csv") and not any(c.isdigit() for c in word):
        raise ValueError(f"{word!r} is no taps: give 1,2,1, a .npy, .npz or .csv file, or one of {', '.join(KINDS)}")
    fir = read_filter(word, options.taps_key)
    if options.fs is None or options.fs == fir.fs:
        return fir
    if fir.fs != 1:
        raise ValueError(f"--fs {options.fs:g}: {word} says fs {fir.fs:g} itself; leave --fs out")
    return dataclasses.replace(fir, fs=options.fs)


def _kernel(name: str, options: argparse.Namespace) -> FIR:
    if name == "taps":
        return _read(options.taps, options)
    dims = options.dims or (2 if name in _PLANAR else 1)
    if (name in _PLANAR and dims == 1) or (name in _LINEAR and dims == 2):
        raise ValueError(f"--{name} --dims {dims}: this kernel needs --dims {3 - dims}, its default")
    fir = kernel(options, dims, options.fs or 1.0)
    return dataclasses.replace(fir, fs=options.fs or 1.0)


def check_figure(path: str) -> None:
    """Refuse a figure that cannot be written before any work is done."""
    from firconv.files import check_target

    if Path(path).suffix.lower() not in _FORMATS:
        raise ValueError(f"cannot write {path!r}: a figure is one of {' '.join(_FORMATS)}")
    check_target(path)


def save(path: str, figure: Any, dpi: int = 120) -> None:
    """Write a figure, which is in place only when it is whole."""
    from firconv.files import whole

    suffix = Path(path).suffix.lower()
    with whole(path) as part:
        figure.savefig(part, format=suffix[1:], dpi=dpi, metadata=_FORMATS[suffix])
