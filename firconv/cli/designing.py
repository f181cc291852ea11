"""``firconv design``: the shortest filter that meets a specification, and what it achieved."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firconv.cli.kernels import number

if TYPE_CHECKING:
    from firconv.systems import FIR

EXAMPLES = """\
examples:
  firconv design lowpass --pass 3000 --stop 3400 --atten 60 --fs 44100 -o h.npy
  firconv design bandstop --pass 45 55 --stop 49 51 --fs 500 -o hum.npz --plot hum.png
  firconv design hilbert --pass 0.05 0.45 -o quadrature.npz
  firconv filter speech.wav -o clear.wav --taps h.npy

A .npz file keeps the origin, fs and specification with the taps. A .npy or .csv file keeps the taps only: filter puts
their origin in the middle, where that of every filter designed here is, minimum phase aside.
"""

#: How many edges --pass and --stop need.
KINDS = {"lowpass": (1, 1), "highpass": (1, 1), "bandpass": (2, 2), "bandstop": (2, 2), "hilbert": (2, 0),
         "differentiator": (1, None)}
_METHODS = ("equiripple", "least_squares", "window")
_ARRAYS = (".npy", ".npz", ".csv")


def add_design(command: argparse.ArgumentParser) -> None:
    """The words of ``firconv design``."""
    command.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    command.add_argument("-o", "--output", metavar="OUT", help="where to keep the filter: .npz, .npy or .csv")
    command.add_argument("--plot", metavar="FIGURE", help="draw it too: .png, .svg or .pdf")
    command.add_argument("--taps-count", type=int, metavar="N", help="this many taps; default: the fewest that do")
    add_specification(command)


def add_specification(command: argparse.ArgumentParser) -> None:
    """The options of a specification."""
    group = command.add_argument_group("specification")
    group.add_argument("--pass", dest="passes", nargs="+", type=number, metavar="F", help="pass edge, or LO HI")
    group.add_argument("--stop", dest="stops", nargs="+", type=number, metavar="F", help="stop edge, or LO HI")
    group.add_argument("--ripple", type=number, default=0.1, metavar="DB", help="in the pass band; default %(default)g")
    group.add_argument("--atten", type=number, default=60.0, metavar="DB", help="in the stop band; default %(default)g")
    group.add_argument("--fs", type=number, metavar="HZ", help="samples per second; default 1: edges in cycles/sample")
    group.add_argument("--method", choices=_METHODS, default=_METHODS[0], help="default %(default)s")
    group.add_argument("--parity", choices=("odd", "even", "any"), default="odd",
                       help="of the length; odd (default) leaves no delay, any is sometimes shorter")
    group.add_argument("--minimum-phase", action="store_true", help="least delay for the same magnitude, not linear")


def run_design(options: argparse.Namespace) -> None:
    """Design a filter, print what it achieved, and write it."""
    _check_targets(options)
    fir = designed(options.kind, options)
    if options.output:
        from firconv.cli.tapfiles import write_filter

        write_filter(options.output, fir)
    if options.plot:
        from firconv.cli.plotting import save
        from firconv.plots import overview

        save(options.plot, overview(fir))
    print(fir.report)
    if options.output:
        print(f"{options.output}: {fir.taps.size} taps, origin {fir.origin}, fs {fir.fs:g}")
        _note_origin(options.output, fir)


def _check_targets(options: argparse.Namespace) -> None:
    """Files that cannot be written are refused before any work is done."""
    from firconv.files import check_target

    if options.output:
        if Path(options.output).suffix.lower() not in _ARRAYS:
            raise ValueError(f"cannot write {options.output!r}: a filter is kept as {' '.join(_ARRAYS)}")
        check_target(options.output)
    if options.plot:
        from firconv.cli.plotting import check_figure

        check_figure(options.plot)


def _note_origin(path: str, fir: FIR) -> None:
    middle = (fir.taps.size - 1) // 2
    if fir.origin != middle and not path.lower().endswith(".npz"):
        wrong = f"{path} holds no origin, and filter would take the middle tap, {middle}"
        print(f"note: {wrong}; apply it with --origin {fir.origin}, or write .npz", file=sys.stderr)


def designed(kind: str, options: argparse.Namespace) -> FIR:
    """The filter that the options specify.

    Raises
    ------
    ValueError
        Missing or too many edges, edges out of order or beyond fs/2, a specification that no filter met.
    """
    from firconv import design

    passes, stops = _edges(kind, "--pass", options.passes, 0), _edges(kind, "--stop", options.stops, 1)
    how: dict[str, Any] = {"ripple_db": options.ripple, "method": options.method.replace("_", "-"),
                           "fs": 1.0 if options.fs is None else options.fs, "taps": options.taps_count}
    if how["taps"] is None:
        how["parity"] = options.parity
    if kind != "hilbert":
        how["atten_db"] = options.atten
    calls: dict[str, tuple[Any, ...]] = {"hilbert": tuple(passes), "bandpass": (passes, stops),
                                         "bandstop": (passes, stops)}
    try:
        fir: FIR = getattr(design, kind)(*calls.get(kind, (*passes, *stops)), **how)
        return design.minimum_phase(fir) if options.minimum_phase else fir
    except RuntimeError as error:
        raise ValueError(_in_one_line(str(error))) from error
    except ValueError as error:
        if options.fs is None and "beyond half the rate" in str(error):
            raise ValueError(f"{error}; if the edges are in Hz, say the rate with --fs") from error
        raise


def _in_one_line(message: str) -> str:
    """What was asked and reached, without the table that the library puts it in."""
    first, *lines = message.splitlines()
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines if line.startswith("  ")]
    bands = [f"{row[0]}: asked {row[1]}, got {row[2]}" for row in cells[1:] if len(row) == 4]
    advice = [line for line in lines[-1:] if not line.startswith("  ")]
    return "; ".join([first, *bands, *advice])


def _edges(kind: str, option: str, given: list[float] | None, place: int) -> list[float]:
    """As many edges as this kind of filter has."""
    wanted, found = KINDS[kind][place], len(given or ())
    if found == wanted or (wanted is None and found < 2):
        return list(given or ())
    words = {None: "one frequency, or none", 0: "no frequency", 1: "one frequency", 2: "two frequencies, LO HI"}[wanted]
    raise ValueError(f"{kind}: {option} takes {words}, not {found}")
