"""The command ``firconv``: its words, and what it says when something is wrong.

Every mistake of the user or of a file is one line on standard error and exit code 2, with nothing written. Ctrl-C is
130 and SIGTERM 143, with nothing half written. This module imports nothing slow: the work is in its neighbours.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from firconv.cli import designing, identifying, plotting, translating, verifying
from firconv.cli.kernels import NAMED, number, positive

_EXAMPLES = """\
examples:
  firconv filter photo.jpg -o soft.jpg --gaussian 2
  firconv filter photo.png -o edges.png --sobel x --absolute
  firconv filter speech.wav -o clear.wav --bandpass 300 3400
  firconv filter data.npy -o smooth.npy --taps 1/4,1/2,1/4 --axes 0
  firconv plan photo.jpg --gaussian 2
  firconv design lowpass --pass 3000 --stop 3400 --atten 60 --fs 44100 -o h.npz
  firconv plot h.npz -o h.png
  firconv demo
"""


_ABOUT = """\
Filter a file into a new one, which is in place only when it is whole.

Sound is filtered in blocks, without delay; rate, channels and coding stay. Images keep
their depth and colours, filtered as stored (gamma-coded); alpha stays as it was. Integers
are rounded and saturated. JPEG is written at quality 95 without colour subsampling.
Arrays keep what the sum gives.
"""


# command -> module that runs it; the others concern this machine
_PLACES = {"filter": "filtering", "plan": "filtering", "demo": "demo", "design": "designing", "plot": "plotting",
           "verify": "verifying", "identify": "identifying", "translate": "translating"}


class _Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line, and options are not guessed from their beginnings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(*args, **settings | kwargs)

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"invalid int value: (.*)", r"\1 is not a whole number", message)
        message = re.sub(r"invalid float value: (.*)", r"\1 is not a number", message)
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    from firconv import __version__

    top = _Parser(prog="firconv", description="Filter sound, images and arrays.", epilog=_EXAMPLES)
    top.add_argument("--version", action="version", version=f"firconv {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    usage = "firconv {} IN {}--gaussian SIGMA | --box N | --sobel x | --lowpass HZ | --taps 1,2,1 | … [options]"
    filter_ = commands.add_parser(
        "filter",
        help="filter a file into a new one",
        description=_ABOUT,
        epilog=_EXAMPLES,
        usage=usage.format("filter", "-o OUT "),
    )
    filter_.add_argument("input", metavar="IN", help=".wav .flac .ogg .aiff, .png .jpg .tif, .npy .npz .csv")
    filter_.add_argument("-o", "--output", required=True, metavar="OUT", help="the new file; may be IN itself")
    _add_kernels(filter_)
    _add_calls(filter_)
    _add_results(filter_)

    about = "print what filtering a file would do: method, cost, accuracy"
    plan = commands.add_parser("plan", help=about, description=f"{about.capitalize()}.", usage=usage.format("plan", ""))
    plan.add_argument("input", metavar="IN")
    _add_kernels(plan)
    _add_calls(plan)

    design = commands.add_parser("design", help="design a filter to a specification", epilog=designing.EXAMPLES)
    designing.add_design(design)

    plot = commands.add_parser("plot", help="draw a filter, or several", epilog=plotting.EXAMPLES)
    plotting.add_plot(plot)
    _add_kernels(plot, required=False)

    about = "check the laws of convolution on this library, another one, or your own function"
    verifying.add_verify(commands.add_parser("verify", help=about, epilog=verifying.EXAMPLES))

    about = "find out which convention a function follows"
    identifying.add_identify(commands.add_parser("identify", help=about, epilog=identifying.EXAMPLES))

    about = "write a call of firconv in the words of NumPy, SciPy, torch, OpenCV, MATLAB or ONNX"
    translating.add_translate(commands.add_parser("translate", help=about, epilog=translating.EXAMPLES))

    demo = commands.add_parser("demo", help="filter, check and time real data, with figures")
    demo.add_argument("folder", nargs="?", default="firconv-demo", metavar="FOLDER", help="default: %(default)s")
    commands.add_parser("calibrate", help="measure this machine, so that plans fit it")
    commands.add_parser("warmup", help="compile everything now")
    commands.add_parser("config", help="versions, processor, threads, cache")
    return top


def _add_kernels(command: argparse.ArgumentParser, required: bool = True) -> None:
    group = command.add_argument_group("filter, one of").add_mutually_exclusive_group(required=required)
    for name, values, text in NAMED:
        if not values:
            group.add_argument(f"--{name}", action="store_true", help=text)
        elif values == ("x|y",):
            group.add_argument(f"--{name}", metavar="x|y", help=text)
        else:
            many = {"nargs": len(values), "metavar": values} if len(values) > 1 else {"metavar": values[0]}
            group.add_argument(f"--{name}", type=number, help=text, **many)
    group.add_argument("--taps", metavar="TAPS", help="1,2,1 or 1,0,-1;2,0,-2;1,0,-1 or a .npy, .npz, .csv file")
    details = command.add_argument_group("details of the filter")
    details.add_argument("--transition", type=number, metavar="HZ", help="of the pass bands; default a quarter of HZ")
    details.add_argument("--attenuation", type=number, default=60.0, metavar="DB", help="outside; default %(default)g")
    details.add_argument("--taps-count", type=int, metavar="N", help="instead of --transition; odd")
    details.add_argument("--taps-key", metavar="NAME", help="which array of a .npz file of taps")
    details.add_argument("--correlate", action="store_true", help="do not flip the taps")


def _add_calls(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("how it is applied")
    rules = "zero, edge, symmetric, reflect, wrap, omit, constant=C …; low/high, commas per axis"
    group.add_argument("--boundary", metavar="NAME", help=f"{rules}; default: reflect for images, else zero")
    group.add_argument("--mode", default="same", help="same (default), full, valid, or START:STOP")
    group.add_argument("--origin", help="index of the centre tap, commas per axis, or ndimage, causal …")
    group.add_argument("--axes", help="such as 0 or 0,1; default: time, both of an image, down a table, all")
    group.add_argument("--method", default="auto", help="auto (default), direct, separable, fft or overlap_save")
    group.add_argument("--workers", type=int, metavar="N", help="threads; default all cores")
    group.add_argument("--rate", type=positive, metavar="HZ", help="samples per second of arrays; default 1")
    group.add_argument("--key", metavar="NAME", help="which array of a .npz archive")


def _add_results(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what is written")
    group.add_argument(
        "--dtype", help="number type of the output: uint8, uint16, int16, float32 …; default: that of IN"
    )
    scale = group.add_mutually_exclusive_group()
    scale.add_argument("--normalize", action="store_true", help="stretch the result from black to white")
    scale.add_argument("--range", nargs=2, type=number, metavar=("LO", "HI"), help="values that become black and white")
    group.add_argument("--absolute", action="store_true", help="the magnitude of the result")
    group.add_argument(
        "--offset", type=number, nargs="?", const=True, metavar="V", help="added to the result; without V, middle grey"
    )
    group.add_argument("--quality", type=int, default=95, help="of JPEG, 1 … 100; default %(default)s, no subsampling")
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _options(words: Sequence[str]) -> argparse.Namespace:
    """What the user asked for; leaves with one line where a word has no place."""
    top = parser()
    options, extra = top.parse_known_args(words)
    if extra:
        named = options.command == "verify" and not extra[0].startswith("-")
        top.prog += f" {options.command}"
        top.error(f"unrecognized arguments: {' '.join(extra)}" + (f"; write --against {extra[0]}" if named else ""))
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Never a traceback for what a user or a file can do wrong."""
    words = _joined(sys.argv[1:] if arguments is None else arguments)
    name = "firconv"
    for stream in (sys.stdout, sys.stderr):  # a × that a terminal cannot show is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with _terminated():
            options = _options(words)
            name = f"firconv {options.command}"
            _command(options.command)(options)
            sys.stdout.flush()
            return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return _fail(name, "interrupted; nothing was written", 130)
    except BrokenPipeError:  # the reader of our output has gone, as in `firconv plan … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (OSError, ValueError, TypeError, ArithmeticError, MemoryError, ImportError) as error:
        if os.environ.get("FIRCONV_TRACEBACK"):
            raise
        return _fail(name, _one_line(error), 2)
    except Exception as error:  # ours, not the user's: still one line, and how to see more
        if os.environ.get("FIRCONV_TRACEBACK"):
            raise
        return _fail(name, f"bug: {type(error).__name__}: {_one_line(error)}; FIRCONV_TRACEBACK=1 shows where", 1)


def _command(name: str) -> Callable[[argparse.Namespace], None]:
    import importlib

    place = _PLACES.get(name, "machine")
    run: Callable[[argparse.Namespace], None] = getattr(importlib.import_module(f"firconv.cli.{place}"), f"run_{name}")
    return run


def _joined(words: Sequence[str]) -> list[str]:
    """``--taps -1,2,-1`` as one word: argparse would take the taps for an option."""
    joined: list[str] = []
    for word in words:
        negative = len(word) > 1 and word[0] == "-" and word[1] in "0123456789."
        if negative and joined and joined[-1] in ("--taps", "--origin", "--mode", "--axes"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


@contextlib.contextmanager
def _terminated() -> Any:
    """SIGTERM unwinds like an exception while the block runs, so that temporary files go."""

    def stop(number: int, frame: Any) -> NoReturn:
        raise SystemExit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: the caller's business
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot open {os.fspath(error.filename)!r}: {error.strerror}"
    if isinstance(error, MemoryError):
        details = " ".join(str(error).split()) or "no details"
        return f"not enough memory ({details}); use a smaller file, fewer taps or float32"
    return " ".join(str(error).split()) or type(error).__name__


def _fail(name: str, message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(f"{name}: {message}", file=sys.stderr)
    return code
