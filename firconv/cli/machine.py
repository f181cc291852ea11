"""``firconv calibrate``, ``warmup`` and ``config``: this machine."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(text: str, total: float) -> Iterator[Callable[[float], None]]:
    """A progress bar on standard error, and the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    percent = TextColumn("{task.percentage:3.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), percent, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda amount: bar.advance(task, amount)


def run_warmup(options: argparse.Namespace) -> None:
    """Compile every kernel now, so that no later call waits."""
    import firconv

    firconv.warmup()
    print("every kernel is compiled")


def run_config(options: argparse.Namespace) -> None:
    """Print versions, processor, threads and cache."""
    import firconv

    firconv.show_config()


def run_calibrate(options: argparse.Namespace) -> None:
    """Measure this machine and keep the constants in the user's cache folder."""
    from firconv import cost
    from firconv.calibration import calibrate

    with progress("measuring this machine", 1.0) as advance:
        reached = 0.0

        def show(what: str, done: int, total: int) -> None:
            nonlocal reached
            advance(done / total - reached)
            reached = done / total

        constants = calibrate(show)
    print(f"plans now use constants of {constants.provenance}, kept in {cost.store()}")
