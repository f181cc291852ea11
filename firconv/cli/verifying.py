"""``firconv verify``: the laws of convolution on this library, on others, and on your own function."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firconv.identities import Report

EXAMPLES = """\
examples:
  firconv verify
  firconv verify --against scipy
  firconv verify --against mymodule:convolve --laws "commutes,boundary*" --trials 100
  firconv verify --list

Exit code 1 when a law fails or time runs out. What an implementation does not have is not a failure.
"""


def add_verify(command: argparse.ArgumentParser) -> None:
    """The words of ``firconv verify``."""
    against = "numpy, scipy, ndimage, torch, cv2, or your own as module or module:function; default: firconv"
    command.add_argument("--against", default="firconv", metavar="WHAT", help=against)
    command.add_argument("--op", choices=("convolve", "correlate"), default="convolve",
                         help="which operation module:function is; default: %(default)s")
    command.add_argument("--laws", metavar="NAMES", help="commas between them, * for any letters; default: all")
    command.add_argument("--dtypes", metavar="NAMES", help="number types, commas between them; default: nine")
    command.add_argument("--trials", type=int, default=25, metavar="N", help="problems per law; default: %(default)s")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="other problems; default: %(default)s")
    command.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS",
                         help="for one problem; default: %(default)g")
    command.add_argument("--limit", type=float, default=600.0, metavar="SECONDS",
                         help="for everything; default: %(default)g")
    command.add_argument("--list", action="store_true", help="print every law with its equation and domain, and stop")


def run_verify(options: argparse.Namespace) -> None:
    """Check, print the table, and leave with 1 if a law fails."""
    from rich.console import Console

    console = Console(highlight=False)
    if options.list:
        print("\n".join(_listed()))
        return
    if options.seed < 0:
        raise ValueError(f"--seed {options.seed}: give a whole number, not below 0")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # problems are small: threads of torch and OpenCV only wait
    report = _checked(options)
    from firconv.identities import tables

    console.print(tables.table(report), width=min(console.width, 100))
    for line in tables.notes(report):
        console.print(line, markup=False, soft_wrap=True)
    sys.stdout.flush()
    if not report:
        raise SystemExit(1)


def _checked(options: argparse.Namespace) -> Report:
    from rich.console import Console

    from firconv import identities, interop

    laws = list(_chosen(options.laws)) if options.laws else None
    dtypes: dict[str, Any] = {"dtypes": options.dtypes.split(",")} if options.dtypes else {}
    if options.against not in interop.NAMES:
        sys.path.insert(0, os.getcwd())  # where the user's module is
    implementation = interop.load(options.against, options.op)
    with Console(stderr=True).status("checking", spinner="line") as status:
        return identities.check(laws, implementation, trials=options.trials, seed=options.seed, timeout=options.timeout,
                                limit=options.limit, progress=lambda name: status.update(f"checking: {name}"), **dtypes)


def _chosen(words: str) -> Iterator[str]:
    """Names of laws from names and patterns."""
    from firconv import identities

    for word in words.split(","):
        pattern = word.strip()
        found = [law.name for law in identities.laws() if fnmatchcase(law.name, pattern)]
        yield from found or [identities.law(pattern).name]


def _listed() -> Iterator[str]:
    from textwrap import wrap

    from firconv import identities

    for law in identities.laws():
        yield f"{law.name}: {law.text}"
        yield from wrap(law.domain, 78, initial_indent="    ", subsequent_indent="    ")
