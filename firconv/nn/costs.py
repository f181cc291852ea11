"""What the layers' algorithms charge, as an extension of `firconv.cost.Machine`: multiples of its constants.

So a calibration of the machine scales them too, and they are the same on every machine unless somebody calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from firconv import cost
from firconv.problem import Problem


@dataclass(frozen=True)
class Charges:
    """Multiples of the machine's constants.

    Attributes
    ----------
    product : one multiply-add of Winograd's products, in units of mac32
    dense : one multiply-add of the dense kernels, in units of mac32 or mac64
    copy : one sample copied into a strip or a panel, or out of the sums, in units of copy32 or copy64
    turn : one sample turned so that channels lie innermost, in units of copy32
    transform : one of a tile's points for one channel, in units of mac32
    weight : one transformed weight read by one block of tiles, in units of copy32
    streamed : what a second core adds to the time of reading these weights, which it cannot share
    task : one block, in units of tile
    pair : the 16 sums of two channels of a weights' gradient, taken back to nine taps, in units of copy32
    segmented : the whole of a Winograd layer with more than three taps; less is not worth its weaker promise
    """

    product: float = 0.6
    dense: float = 0.7
    copy: float = 0.5
    turn: float = 0.7
    transform: float = 3.0
    weight: float = 0.45
    streamed: float = 0.4
    task: float = 0.5
    pair: float = 33.0
    segmented: float = 1.15
    provenance: str = "AMD EPYC, Zen 3, 2 cores, numba 0.68; November 2026; fitted by hand to benchmarks/layers.py"


CHARGES = Charges()
TILE = 96  # bytes of positions that the dense kernel sums at a time


def dense(problem: Problem) -> tuple[float, float]:
    """(seconds on one core, multiply-adds) of the tiled matrix product."""
    m, c = cost.machine(), CHARGES
    wide = m.wide(problem.dtype.name)
    mac, copy = (m.mac64, m.copy64) if wide else (m.mac32, m.copy32)
    outs = problem.groups * problem.channels_out * prod(problem.outputs)
    samples = problem.groups * problem.channels_in * prod(problem.signal)
    macs = float(problem.multiplications)
    filled = -(-problem.channels_out // 4) * 4 / problem.channels_out * tiled(prod(problem.outputs), problem.dtype)
    moved = 1.5 * samples + outs + 0.3 * macs / problem.channels_out
    return macs * filled * mac * c.dense + moved * copy * c.copy + 2 * m.tile * c.task, macs


def tiled(positions: float, dtype: Any) -> float:
    """Relative time of positions that do not fill tiles of three vectors: a single vector costs half a tile."""
    tiles = positions * dtype.itemsize / TILE
    return float(int(tiles) + (0, 0.5, 0.75, 1)[-int(-3 * (tiles % 1) // 1)]) / tiles


def filled(tiles: int) -> int:
    """Tiles of Winograd's products, six or four at a time: filled up to an even number."""
    return max(4, -(-tiles // 2) * 2)


def winograd(problem: Problem, size: int, blocks: Any) -> tuple[float, float, int, float]:
    """(seconds on one core, multiplications, bytes of a block, seconds on two cores together) of F(size, 3)."""
    m, c = cost.machine(), CHARGES
    points, wide = blocks.points, -(-problem.channels_in // 8) * 8 * len(blocks.segments)
    outs = blocks.all_panels * 16
    tiles = blocks.rows * min(blocks.columns * blocks.gaps[1], blocks.tiles)
    count = blocks.count
    products = float(count * filled(tiles) * points * wide * outs) * blocks.needed
    moved = problem.groups * (
        problem.channels_in * prod(problem.signal) + problem.channels_out * prod(problem.outputs)
    )
    weights = count * points * wide * outs * m.copy32 * c.weight
    seconds = (
        products * m.mac32 * c.product
        + tiles * points * (wide * (count + 1) + outs * count) * m.mac32 * c.transform  # the last block's samples twice
        + 1.5 * moved * m.copy32 * c.turn
        + weights
        + (count + 3) * m.tile * c.task
    )
    seconds *= c.segmented if len(blocks.segments) > 1 else 1.0
    return seconds, products, 4 * points * filled(tiles) * (wide + 32), seconds + weights * c.streamed


def winograd_gradient(problem: Problem, cut: Any) -> float:
    """Seconds on one core of the weights' gradient by F(2, 3)."""
    m, c = cost.machine(), CHARGES
    samples = problem.groups * problem.channels_in * prod(problem.signal)
    outs = problem.groups * problem.channels_out * prod(problem.outputs)
    moved = 2 * samples * cut.shares[0] + outs * cut.shares[1]
    pairs = problem.groups * prod(cut.channels) * cut.parts
    return float(
        cut.products * m.mac32 * c.product
        + cut.transformed * m.mac32 * c.transform
        + moved * m.copy32 * c.turn
        + pairs * m.copy32 * c.pair
        + cut.tasks * cut.chain * m.tile * c.task
    )
