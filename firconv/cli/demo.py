"""``firconv demo``: filter real data, check the laws on it, time it against scipy, and draw it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from firconv.cli.laws import Law, laws
from firconv.cli.races import Race, races
from firconv.cli.samples import Case, cases
from firconv.files import whole


def run_demo(options: argparse.Namespace) -> None:
    """Filter, check, time and draw; a folder with figures and the tables as text."""
    from rich.console import Console

    from firconv.cli.figures import draw

    folder = Path(options.folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"cannot write into {str(folder)!r}: it is a file; name a folder")
    os.makedirs(folder, exist_ok=True)
    console = Console(highlight=False)
    with console.status("compiling and filtering", spinner="line"):
        done = cases()
    with console.status("checking the laws", spinner="line"):
        checked = laws(done)
    with console.status("timing", spinner="line"):
        raced = races(done)
    with console.status("drawing", spinner="line"):
        drawn = draw(done, folder)
    report(console, done, checked, raced)
    with whole(folder / "tables.txt") as part, open(part, "w", encoding="utf-8") as file:
        report(Console(file=file, width=100, highlight=False), done, checked, raced)
    place = f"{len(drawn)} figures and tables.txt are in {folder.resolve()}"
    console.print(place, markup=False, soft_wrap=True)
    if not all(law.holds for law in checked):
        raise ArithmeticError("a law failed; please report the table above")


def report(console: Any, done: list[Case], checked: list[Law], raced: list[Race]) -> None:
    """The three tables."""
    from rich import box
    from rich.table import Table

    def table(title: str, *columns: tuple[str, str]) -> Table:
        made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column, side in columns:
            made.add_column(column, justify="right" if side == "right" else "left", no_wrap=side == "right")
        return made

    what = table("What was filtered", ("signal", "left"), ("filter", "left"), ("boundary", "left"))
    for case in done:
        what.add_row(case.title, case.doing, case.boundary)
    held = table(
        "Laws, on these data", ("law", "left"), ("data", "left"), ("error", "right"), ("bound", "right"), ("", "left")
    )
    for law in checked:
        verdict = "holds" if law.holds else "[bold red]FAILS[/]"
        held.add_row(law.name, law.data, _size(law.error), _size(law.bound), verdict)
    times = table(
        "Best times, one thread each, in turns",
        ("job", "left"),
        ("signal", "right"),
        ("firconv", "right"),
        ("scipy", "right"),
        ("by", "left"),
        ("ratio", "right"),
    )
    for race in raced:
        ratio = f"{race.theirs / race.ours:.1f}"
        times.add_row(race.job, race.shape, _duration(race.ours), _duration(race.theirs), race.rival, ratio)
    held.caption = "* convolution, ⋆ correlation; bound: of rounding, 0 for the same bits\n"
    times.caption = "ratio: how many times longer scipy takes\n"
    for made in (what, held, times):
        made.caption_justify = "left"
        console.print(made)


def _size(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"
