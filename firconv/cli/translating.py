"""``firconv translate``: a call of firconv in the words of other systems."""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  firconv translate 'correlate(x, h, "same", boundary="reflect")' --to torch
  firconv translate 'convolve(x, h, "same", origin="matlab")' --ndim 2

Exit code 1 when the system that is asked for cannot do it; the line says why.
"""


def add_translate(command: argparse.ArgumentParser) -> None:
    """The words of ``firconv translate``."""
    command.add_argument("call", metavar="CALL", help='such as \'convolve(x, h, "same", boundary="edge")\'')
    command.add_argument(
        "--to",
        metavar="SYSTEM",
        help="numpy, scipy.signal, scipy.ndimage, torch, opencv, matlab or onnx; default: all of them",
    )
    command.add_argument(
        "--ndim", type=int, choices=(1, 2, 3), help="dimensions; default: as many as the call's lists have, else 1"
    )


def run_translate(options: argparse.Namespace) -> None:
    """Print the code, and leave with 1 if the one system that was asked for cannot do it."""
    from firconv.translation import SYSTEMS, translate

    systems = [options.to] if options.to else list(SYSTEMS)
    found = [translate(options.call, system, ndim=options.ndim) for system in systems]
    print("\n\n".join(str(each) if options.to else f"{each.to}:\n{each}" for each in found))
    if options.to and not found[0]:
        raise SystemExit(1)
