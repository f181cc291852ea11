"""Tasks that workers count themselves, and how the first worker sees that all are over.

`counter` is shared by the workers of a call, see ``firconv.threads.share``: tasks that were taken, tasks that are over,
1 when the first worker is back, and a number that is the kernel's own.
"""

from __future__ import annotations

from typing import Any

from firconv.kernels.bunches import seen, take
from firconv.kernels.compiled import compiled, loops

POLLS = 1 if loops() else 1 << 18  # looks at a counter, some 60 µs: to be woken takes half of that


@compiled(references=False)
def ended(counter: Any, tasks: int) -> bool:
    """Count a task that is over: whether it was the last."""
    return take(counter[1:]) == tasks - 1


@compiled(references=False)
def _awaited(counter: Any, count: int) -> None:
    """Return when a counter has reached a number, or after some time."""
    for _ in range(POLLS):
        if seen(counter) >= count:
            return


@compiled(references=False)
def settled(counter: Any, tasks: int, number: int, last: bool) -> None:
    """End a worker's part: the first one, number 0, waits for the tasks of others, though not for long.

    Who ended the last of all lets the first one go ahead: both need the interpreter's lock, and whoever comes second
    would have to be woken.
    """
    if number == 0:
        _awaited(counter[1:], tasks)
    elif last:
        _awaited(counter[2:], 1)
