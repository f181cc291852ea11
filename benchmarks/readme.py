"""The short table of the README, between two marks: ranges of ratios per kind of work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.table import Row, geometric_mean

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
KINDS = (
    ("4 M samples, 9 taps", ("line/9/",)),
    ("4 M samples, 33 to 257 taps", ("line/33/", "line/65/", "line/129/", "line/257/")),
    ("4 M samples, 1,025 to 16,385 taps", ("line/1025/", "line/4097/", "line/16385/")),
    ("1 M samples by 1 M taps", ("long/",)),
    ("64 channels of 65,536, 65 taps", ("channels/",)),
    ("decimate by 8, resample 147/160", ("decimate/", "resample/")),
    ("2048² image, dense 3² to 63²", ("dense/",)),
    ("2048² image, Gaussian σ 1 to 10", ("gaussian/",)),
    ("160³ volume, 5³", ("volume/all",)),
    ("64 samples, 9 taps, one call", ("small/scipy",)),
    ("layers, dense 3×3", tuple(f"layer/3x3/{name}" for name in ("64x56", "128x28", "256x14", "64x224", "512x7"))),
    ("layers, 1×1 or with stride", ("layer/1x1/", "layer/stem", "layer/3x3/stride")),
    ("layers, depthwise", ("layer/depthwise/",)),
)


def table(rows: Sequence[Row]) -> str:
    """A line per kind of work: the fastest peers, and how many times longer the fastest takes."""
    return "\n".join(["| work | fastest peer | its time over ours |", "| --- | --- | --- |", *_lines(rows)])


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    for title, prefixes in KINDS:
        some = [row for row in rows if row.name.startswith(prefixes)]
        if some:
            ratios = sorted(row.ratio for row in some)
            peers = ", ".join(dict.fromkeys(row.peer for row in some))
            spread = f"{ratios[0]:.1f}" if len(some) == 1 else f"{ratios[0]:.1f} … {ratios[-1]:.1f}"
            mean = f", mean {geometric_mean(ratios):.1f}" if len(some) > 2 else ""
            yield f"| {title} | {peers} | {spread}{mean} |"


def write(file: Path, rows: Sequence[Row]) -> None:
    """Put the table between the marks."""
    text = file.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)
    if not pattern.search(text):
        raise ValueError(f"{file}: no place for the table: put {BEGIN} and {END} where it belongs")
    file.write_text(pattern.sub(lambda _: f"{BEGIN}\n{table(rows)}\n{END}", text), encoding="utf-8")
