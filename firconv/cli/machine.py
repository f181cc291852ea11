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

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda amount: bar.advance(task, amount)
