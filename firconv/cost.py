"""What each method counts, and what a machine charges for it: predicted seconds on one core.

The constants are one object with its provenance. They are the same on every machine unless the user calibrated, so that
the same call takes the same method everywhere.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from math import ceil, log2, prod
from pathlib import Path

from firconv.problem import Problem


@dataclass(frozen=True)
class Machine:
    """Seconds charged per unit of work on one core, with where they come from.

    Attributes
    ----------
    mac32, mac64, mac_int : one multiply-add of the direct kernels in float32, float64, int64
    row : starting one row of outputs in a direct kernel
    tile : one task (reading, tables, a call)
    copy32, copy64 : moving one sample through memory
    fft32, fft64 : one sample of a real block's transform and back, per log2 N
    block32, block64 : one sample of a block, whatever N (product, guard, crop)
    call : one call of the Fourier kernel
    axis : part of block32 and block64 that each axis after the first adds
    line : factor on the multiply-adds of lines, whose rows are long and whose taps lie next to each other
    far : factor on transforms along an axis of more than 2¹⁶ samples, and again beyond 2²¹, which leave the caches
    tree32, tree64 : one sample of a block of a line or an image through `kernels.tree`, per log2 N
    leaf32, leaf64 : one sample of such a block, whatever N (leaves, guard, crop)
    line32, line64 : one sample of a long line's three transforms, per log2 of the length
    """

    mac32: float = 2.15e-11
    mac64: float = 4.1e-11
    mac_int: float = 9e-10
    row: float = 9.6e-08
    tile: float = 1.3e-05
    copy32: float = 2.75e-10
    copy64: float = 4.9e-10
    fft32: float = 3.3e-10
    fft64: float = 4.2e-10
    block32: float = 1.85e-09
    block64: float = 2.9e-09
    call: float = 8e-05
    axis: float = 0.83
    line: float = 0.82
    far: float = 2.0
    tree32: float = 2e-11
    tree64: float = 1e-10
    leaf32: float = 1.25e-09
    leaf64: float = 1.7e-09
    line32: float = 3.5e-10
    line64: float = 6.7e-10
    provenance: str = "x86-64 with AVX2 (AMD EPYC, Zen 4), 2 cores, numpy 2.4, scipy 1.17, numba 0.68; November 2026"

    def mac(self, real: str) -> float:
        """Seconds of one multiply-add in a real dtype."""
        return {"float32": self.mac32, "float64": self.mac64}.get(real, self.mac_int)

    def copy(self, real: str) -> float:
        """Seconds of moving one sample through memory."""
        return self.copy64 if self.wide(real) else self.copy32

    def wide(self, real: str) -> bool:
        """True for types of eight bytes."""
        return real != "float32"


BUILT_IN = Machine()


def store() -> Path:
    """The file in the user's cache folder where a calibration is kept."""
    base = os.environ.get("FIRCONV_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "firconv"
    )
    return Path(base) / "calibration.json"


@lru_cache(maxsize=1)
def machine() -> Machine:
    """The constants in force: the user's calibration if there is one, else the built-in ones."""
    try:
        found = json.loads(store().read_text())
        known = {f.name: f.type for f in fields(Machine)}
        numbers = {k: v for k, v in found.items() if k in known}
        if any(k != "provenance" and not (isinstance(v, float) and 0 < v < 1e6) for k, v in numbers.items()):
            return BUILT_IN
        return replace(BUILT_IN, **numbers)
    except (OSError, ValueError, TypeError, AttributeError):
        return BUILT_IN


def save(constants: Machine) -> Path:
    """Keep a calibration for later processes, and use it from now on."""
    path = store()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(asdict(constants), indent=1))
    os.replace(partial, path)
    machine.cache_clear()
    return path


# ── what each method counts ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Work:
    """What a method does for a problem: multiply-adds, seconds on one core, bytes beside the output, tasks to share.

    On several cores its seconds count `drag` times: cores wait for each other between calls of kernels.
    """

    multiplications: float
    seconds: float
    bytes: int
    tasks: float = 8.0
    drag: float = 1.0

    @property
    def shared(self) -> float:
        """Seconds as they count in a choice: work of long duration in few tasks leaves cores idle."""
        return self.seconds if self.seconds < 2e-4 else self.seconds * (1 + 1 / self.tasks) * self.drag


def direct(problem: Problem, real: str, planes: int, m: Machine) -> Work:
    """The direct sum; `planes` real multiply-adds per multiplication (4 for complex × complex)."""
    macs = float(problem.multiplications) * planes
    filtered = problem.filtered
    outs = _outputs(problem)
    run = max(1, prod(problem.outputs[filtered[-1] :])) if filtered else outs
    passes = max(
        1, prod(problem.taps[a] for a in filtered[:-2])
    )  # images are summed one tap of the outer axes at a time
    split = prod(problem.signal) if max(problem.up + problem.down, default=1) > 1 else 0
    pace = m.line if filtered == (len(problem.outputs) - 1,) and run > LONG else 1.0
    if _slides(problem, real):
        ratio, lanes = problem.down[-1] / problem.up[-1], 4 if m.wide(real) else 8
        pace = SLIDE * (1 + (lanes - 1) * abs(ratio - 1) * problem.up[-1] / problem.taps[-1])
        split //= 2
    elif _columns(problem) and problem.taps[filtered[0]] * min(_behind(problem), STRIP) * _bytes(real) > NEAR:
        pace = DISTANT[m.wide(real)]
    seconds = (
        macs * m.mac(real) * pace
        + (outs * passes + 2 * split) * m.copy(real)
        + outs / run * passes * m.row
        + _tasks(problem, outs) * m.tile
    )
    return Work(macs, seconds, _tile_bytes(real), max(8.0, _tasks(problem, outs)))


def _slides(problem: Problem, real: str) -> bool:
    """True for lines that go through `kernels.rates`."""
    last, floating = len(problem.outputs) - 1, real in ("float32", "float64") and problem.dtype.kind in "fc"
    single = problem.channels_in == problem.channels_out == 1 and problem.taps_dtype.kind != "c"
    if problem.filtered != (last,) or not (floating and single):
        return False
    return problem.up[last] != problem.down[last] and problem.up[last] % problem.dilation[last] == 0


def _outputs(problem: Problem) -> int:
    return prod(problem.outputs) * problem.groups * problem.channels_out


def _tasks(problem: Problem, outs: int) -> float:
    """Tiles of the inside, and slabs at both ends of each axis."""
    banks = problem.groups
    if prod(problem.signal[a] for a in problem.filtered) <= 1 << 14:
        return banks * max(1, min(8, outs // banks >> 14), outs // banks >> 18)
    return banks * (2 * len(problem.filtered) + max(1, min(8, outs // banks >> 14), outs // banks >> 18))


def _bytes(real: str) -> int:
    return 4 if real == "float32" else 8


def _tile_bytes(real: str) -> int:
    return (1 << 18) * _bytes(real) * 2


def separable(problem: Problem, real: str, planes: int, terms: int, m: Machine) -> Work:
    """One pass per filtered axis and term."""
    outs = _outputs(problem)
    lengths = [k / u for k, u in zip(problem.taps, problem.up, strict=True) if k > 1]
    macs = float(outs) * sum(lengths) * planes * terms
    passes = len(lengths) * terms
    rows = outs / max(1, prod(problem.outputs[problem.filtered[-1] :]))  # trailing axes lengthen the row
    seconds = macs * m.mac(real) + passes * (outs * m.copy(real) + rows * m.row + _tasks(problem, outs) * m.tile)
    return Work(macs, seconds, _tile_bytes(real))


def fourier(problem: Problem, real: str, is_complex: bool, lengths: tuple[int, ...], m: Machine) -> Work:
    """Blocks of the given FFT lengths over the whole output, with polyphase parts as channels."""
    wide = m.wide(real)
    if by_tree(problem, is_complex, lengths):
        return _tree(problem, real, lengths, m)
    per, fixed = (m.fft64, m.block64) if wide else (m.fft32, m.block32)
    blocks, parts_in, parts_out, size = float(problem.groups), problem.channels_in, problem.channels_out, prod(lengths)
    for n, a, outs in zip(lengths, problem.lattices, problem.outputs, strict=True):
        blocks *= ceil(ceil(outs / a.out_parts) / max(1, n - a.reach + 1))
        parts_in, parts_out = parts_in * a.in_parts, parts_out * a.out_parts
    planes = 2 if is_complex else 1
    transforms = (parts_in + parts_out) / 2
    away = m.far ** ((max(lengths, default=1) > 1 << 16) + (max(lengths, default=1) > 1 << 21))
    passes = fixed * (1 + m.axis * (sum(n > 1 for n in lengths) - 1))
    seconds = transforms * per * log2(max(2, size)) + passes * max(1, parts_in * parts_out)
    if _columns(problem):
        seconds += TURN * m.copy(real)
    seconds = blocks * size * planes * away * seconds + m.call * max(1.0, blocks * size / (1 << 18))
    macs = blocks * size * planes * (2.5 * transforms * log2(max(2, size)) + 2 * parts_in * parts_out)
    drag = 1.0 if len(problem.filtered) > 1 else DRAG if parts_in == parts_out == 1 else PARTS
    return Work(macs, seconds, int(size * 16 * (2 if wide else 1)), blocks, drag)


#: How much longer Fourier methods of lines, and `kernels.tree`, take on several cores than their share: short calls.
DRAG = 1.2
#: The same for lines in polyphase parts.
PARTS = 1.5
#: How much longer the four steps of a complex line take than two real lines by `kernels.trunk`.
STEPS = 2.4
#: How much longer a multiply-add takes where every lane has a tap of its own; and lanes meet taps one after the other.
SLIDE = 1.4
#: Samples of columns that are summed at once, bytes of them that stay in the first cache, and how much longer a
#: multiply-add takes where they do not, in float32 and wider.
STRIP, NEAR, DISTANT = 96, 1 << 15, (1.5, 1.7)
#: Outputs from which on a line is long.
LONG = 1 << 12
#: Shortest and longest blocks, powers of two, that go through `kernels.tree`: of one axis, and along each of two.
TREE = {1: ((1 << 7, 1 << 16),), 2: ((1 << 4, 1 << 10), (1 << 6, 1 << 10))}
#: Blocks that cost about as much as the guard's closer look at one block with an end of the signal in it.
ENDS = 0.5
#: Calls of the kernel that cost about as much as such looks along an image's border, for a row and a column of it.
BORDER = 0.0105
#: Copies in memory that cost about as much as turning columns into lines, and as the short rows of tiles.
TURN, ROWS = 8.0, 4.0


def plain(problem: Problem, is_complex: bool) -> bool:
    """True for real sums along one or two axes, in one channel, without strides: what `kernels.tree` computes."""
    single = len(problem.filtered) in TREE and not is_complex and problem.channels_in == problem.channels_out == 1
    return single and all(a.in_parts == a.out_parts == 1 for a in problem.lattices)


def by_tree(problem: Problem, is_complex: bool, lengths: tuple[int, ...]) -> bool:
    """True where blocks of these lengths are split by `kernels.tree` rather than transformed."""
    sizes = [n for n in lengths if n > 1]
    if not plain(problem, is_complex) or len(sizes) not in TREE:
        return False
    return all(lo <= n <= hi and n & (n - 1) == 0 for n, (lo, hi) in zip(sizes, TREE[len(sizes)], strict=True))


def _tree(problem: Problem, real: str, lengths: tuple[int, ...], m: Machine) -> Work:
    wide = m.wide(real)
    axes = [a for a, n in enumerate(lengths) if n > 1]
    size, along = prod(lengths), {a: ceil(problem.outputs[a] / _kept(problem, lengths, a)) for a in axes}
    blocks = problem.groups * prod(problem.outputs) / prod(problem.outputs[a] for a in axes) * prod(along.values())
    per, fixed = (m.tree64, m.leaf64) if wide else (m.tree32, m.leaf32)
    samples, banks = blocks * size, problem.groups
    calls = banks * max(1.0, min(8.0, samples / banks / (1 << 16)), samples / banks / (1 << 18))
    single = problem.filtered[0] if len(problem.filtered) == 1 else None
    ends = 2 * ENDS * samples / along[single] if single is not None else 0.0
    looks = 0.0 if single is not None else banks * BORDER * sum(problem.outputs[a] for a in axes)
    moves = ROWS if len(axes) > 1 else TURN if _columns(problem) else 1.0
    copies = samples * m.copy(real) * moves
    seconds = (samples + ends) * (per * log2(size) + fixed) + copies + m.call * (calls + 1 + looks)
    leaf = 4 if wide else 8
    macs = samples * (4 * log2(size / (2 * leaf)) + 2 * leaf)
    return Work(macs, seconds, int(size * 4 * (4 if wide else 2)), calls + 1, DRAG)


def _columns(problem: Problem) -> bool:
    """True for sums along one axis whose samples do not lie next to each other."""
    return len(problem.filtered) == 1 and _behind(problem) > 1


def _behind(problem: Problem) -> int:
    """Samples from one to the next along the last filtered axis."""
    return prod(problem.outputs[problem.filtered[-1] + 1 :])


def _kept(problem: Problem, lengths: tuple[int, ...], axis: int) -> int:
    return max(1, lengths[axis] - problem.lattices[axis].reach + 1)


def long_fourier(problem: Problem, real: str, is_complex: bool, m: Machine) -> Work:
    """One four-step transform of each line, its length the linear one."""
    axis = problem.filtered[0]
    length = max(problem.outputs[axis], problem.signal[axis]) + min(problem.taps[axis], problem.outputs[axis]) // 2
    lines = problem.groups * problem.channels_out * prod(problem.outputs) / problem.outputs[axis]
    planes = 2 * STEPS if is_complex else 1
    seconds = lines * (m.call + length * planes * log2(length) * (m.line64 if m.wide(real) else m.line32))
    macs = lines * length * (2 if is_complex else 1) * 7.5 * log2(length)
    return Work(macs, seconds, int(length * 12 * (2 if m.wide(real) else 1)), drag=DRAG)
