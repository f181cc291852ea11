"""``python -m benchmarks``: measure, print, and on demand write ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
from pathlib import Path

import scipy.fft
from rich.console import Console

from benchmarks import fresh, grid, ipp, machine, readme, regret, report, table
from benchmarks.bench import has
from benchmarks.cases import all_cases

ROOT = Path(__file__).resolve().parent.parent
PAGE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
PARTS = ("table", "fresh", "regret")


def main(arguments: list[str] | None = None) -> int:
    """Run the parts asked for; 0 even when a ratio is missed: a benchmark reports."""
    options = parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{case.name:24s}{case.title}" for case in all_cases()))
        return 0
    options.width = report.width(options.width)
    if options.join:
        return finish(report.join([json.loads(file.read_text()) for file in options.join]), options)
    if ipp.installed() and ipp.LINKS not in os.environ:
        return again(arguments)
    hold_threads()
    with scipy.fft.set_workers(2):
        results = measure(options, Console(width=options.width))
    return finish(results, options)


def finish(results: report.Results, options: argparse.Namespace) -> int:
    """Print the tables, and write the page and the README's table where that is asked."""
    report.show(Console(width=options.width), results)
    if options.docs:
        PAGE.write_text(report.page(results, options.note), encoding="utf-8")
        readme.write(README, results.rows)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    result.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default: all)")
    result.add_argument("--only", default="*", metavar="PATTERN", help="rows of the table by name, as 'line/*'")
    result.add_argument("--quick", action="store_true", help="a fifth of the time per row; every fifth problem")
    result.add_argument("--share", default="1/1", metavar="I/N", help="of the planner's problems the I-th of N shares")
    result.add_argument("--join", type=Path, nargs="+", metavar="FILE", help="measure nothing: join what --json wrote")
    result.add_argument("--docs", action="store_true", help="write docs/benchmarks.md and the table in README.md")
    result.add_argument("--note", default="", metavar="TEXT", help="for the page: what else the machine did meanwhile")
    result.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    result.add_argument("--list", action="store_true", help="name the rows and stop")
    result.add_argument("--width", type=int, default=None, help="columns of the tables (default: the terminal's)")
    return result


def again(arguments: list[str] | None) -> int:
    """Start this command once more, in an environment that finds the IPP libraries."""
    words = sys.argv[1:] if arguments is None else arguments
    with ipp.linked() as environment:
        return subprocess.run([sys.executable, "-m", "benchmarks", *words], env=environment, check=False).returncode


def hold_threads() -> None:
    """Two threads for each peer; firconv takes what FIRCONV_WORKERS says, two here unless set."""
    import firconv

    firconv.set_workers(2)
    if has("cv2"):
        import cv2

        cv2.setNumThreads(2)
    if has("torch"):
        import torch

        torch.set_num_threads(2)


def measure(options: argparse.Namespace, console: Console) -> report.Results:
    """Run the parts, telling progress, and print the tables."""
    parts, quick = options.parts or list(PARTS), options.quick
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(
            f"python -m benchmarks: no part called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}"
        )
    glance = 0.3 if quick else 1.0
    results = report.Results(machine.measure(glance), command(options))
    if "table" in parts:
        for case in all_cases():
            if fnmatch.fnmatch(case.name, options.only):
                results.rows.append(table.run_case(case, 0.3 if quick else 1.5))
                tell(console, results.rows[-1])
                save(results, options.json)
    if "fresh" in parts:
        results.facts = fresh.run_fresh(2 if quick else 5, memory=not quick)
    if "regret" in parts:
        share, shares = map(int, options.share.split("/"))
        some = grid.questions()[:: 5 if quick and shares == 1 else 1][share - 1 :: shares]
        results.regrets = regret.run_regret(some, 0.15 if quick else 0.4, lambda item: progress(console, item))
    results.machine = machine.again(results.machine, glance)
    save(results, options.json)
    return results


def command(options: argparse.Namespace) -> str:
    """The command that measures the same again."""
    words = ["python -m benchmarks", *options.parts]
    words += ["--quick"] if options.quick else []
    words += [f"--only '{options.only}'"] if options.only != "*" else []
    return " ".join(words)


def save(results: report.Results, target: Path | None) -> None:
    """Write what there is so far: a long run that is stopped keeps its rows."""
    if target:
        target.write_text(json.dumps(results.as_dict(), indent=1, default=str), encoding="utf-8")


def tell(console: Console, row: table.Row) -> None:
    """One line per row, so that a long run shows life."""
    console.print(f"{row.name:20s} {report.milli(row.ours):>7s} ms  {row.ratio:6.2f} × {row.peer}", highlight=False)
    for name, trouble in row.disagreements.items():
        console.print(f"  [red]{name} computes something else: {trouble}[/red]")


def progress(console: Console, item: regret.Regret) -> None:
    """Choices that cost more than a tenth, as they are found."""
    if item.regret > 1.1:
        console.print(f"regret {item.regret:.2f}  {item.question}: {item.chosen}, best {item.best}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
