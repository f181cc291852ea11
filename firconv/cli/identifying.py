"""``firconv identify``: which convention does a function of any module follow?"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

EXAMPLES = """\
examples:
  firconv identify scipy.ndimage:correlate
  firconv identify scipy.ndimage:correlate --ndim 2 --keyword mode=mirror --to torch
  firconv identify cv2:filter2D --ndim 2 --keyword borderType=BORDER_REFLECT
  firconv identify torch.nn.functional:conv_transpose1d --keyword stride=2
  firconv identify scipy.ndimage:gaussian_filter --keyword sigma=2
  firconv identify mymodule:smooth --call "f(h, x)[0]"

Exit code 1 when the function was not identified; the report says why.
"""

#: How functions are called that do not take (signal, taps).
_CALLS = {"scipy.signal:upfirdn": "f(h, x)", "scipy.signal:lfilter": "f(h, [1.0], x)", "cv2:filter2D": "f(x, -1, h)"}
_ALONE = ("gaussian_filter", "gaussian_filter1d", "uniform_filter", "uniform_filter1d", "median_filter")
_CALLS |= {name: "f(x)" for name in ("cv2:GaussianBlur", "cv2:blur", *(f"scipy.ndimage:{n}" for n in _ALONE))}
_LAYERS = tuple(f"torch.nn.functional:conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))


def add_identify(command: argparse.ArgumentParser) -> None:
    """The words of ``firconv identify``."""
    command.add_argument("function", metavar="MODULE:FUNCTION", help="of (signal, taps), or of the signal alone")
    command.add_argument(
        "--ndim", type=int, choices=(1, 2, 3), help="dimensions of its signals; default: 1, or the layer's"
    )
    command.add_argument(
        "--keyword", action="append", default=[], metavar="NAME=VALUE", help="argument to pass along; again for more"
    )
    command.add_argument("--call", metavar="EXPRESSION", help='how it is called, in f, x, h and np: "f(h, x)", "f(x)"')
    command.add_argument(
        "--to",
        metavar="SYSTEM",
        help="also print it in the words of numpy, scipy.signal, scipy.ndimage, torch, opencv, matlab or onnx",
    )
    command.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="for everything; default: %(default)g"
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="other signals; default: %(default)s")


def run_identify(options: argparse.Namespace) -> None:
    """Probe, print the report and a translation, and leave with 1 if nothing was identified."""
    from firconv import interop
    from firconv.identification import identify
    from firconv.translation import named, translate

    if options.to:
        named(options.to)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # signals are small: threads of torch and OpenCV only wait
    sys.path.insert(0, os.getcwd())  # where the user's module is
    f = interop.function(options.function)
    keywords = dict(_keyword(word, options.function) for word in options.keyword)
    ndim = options.ndim or (int(options.function[-2]) if options.function in _LAYERS else 1)
    taps: bool | None
    text = options.call or _CALLS.get(options.function)
    if text is not None:
        f, taps = _expression(text, f, keywords), bool(_uses(text, "h"))
    else:
        f, taps = _plain(options.function, f, keywords)
    found = identify(f, ndim, taps=taps, limit=options.limit, seed=options.seed)
    print(f"{options.function}{_written(options.keyword)}: {found}")
    if options.to and found.explained:
        print(f"\nthe same in {options.to}:\n{translate(found, options.to)}")
    sys.stdout.flush()
    if not found.explained:
        raise SystemExit(1)


def _written(words: list[str]) -> str:
    return f" ({', '.join(words)})" if words else ""


def _keyword(word: str, function: str) -> tuple[str, Any]:
    """name=value; a value is a Python literal, a constant of the function's module, or a word."""
    name, equal, text = word.partition("=")
    if not equal or not name.isidentifier():
        raise ValueError(f"--keyword {word}: write NAME=VALUE, such as mode=mirror")
    try:
        return name, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        module = sys.modules[function.partition(":")[0]]
        return name, getattr(module, text) if text.isupper() and hasattr(module, text) else text


def _plain(name: str, f: Callable[..., Any], keywords: dict[str, Any]) -> tuple[Callable[..., Any], bool | None]:
    from firconv.identification.calls import takes_taps

    if name in _LAYERS:
        return _layer(f, keywords), True
    known = takes_taps(f)
    if known is False:
        return (lambda x: f(x, **keywords)), False
    return (lambda x, h: f(x, h, **keywords)), known


def _layer(f: Callable[..., Any], keywords: dict[str, Any]) -> Callable[..., Any]:
    """A layer of torch as a function of arrays: one channel in, one out."""
    import torch

    def layer(x: np.ndarray, h: np.ndarray) -> Any:
        lifted = (torch.from_numpy(np.ascontiguousarray(v))[None, None] for v in (x, h))
        return f(*lifted, **keywords)[0, 0]

    return layer


def _uses(text: str, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(_parsed(text)))


def _parsed(text: str) -> ast.Expression:
    try:
        return ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"--call {text!r} is no expression: write how f is called, such as f(h, x)") from error


def _expression(text: str, f: Callable[..., Any], keywords: dict[str, Any]) -> Callable[..., Any]:
    """The user's own expression as a function; keywords are passed to every call of f in it."""
    code = compile(_parsed(text), "--call", "eval")
    if not _uses(text, "f") or not _uses(text, "x"):
        raise ValueError(f"--call {text!r} must use f and x, such as f(h, x)")

    def called(x: np.ndarray, h: Any = None) -> Any:
        return eval(code, {"f": lambda *given: f(*given, **keywords), "x": x, "h": h, "np": np})

    return called
