"""The threads of the process: how many workers a call may use, and running tasks on them.

Results never depend on the number of workers: tasks are cut by the plan, and every output belongs to one task.
"""

from __future__ import annotations

import operator
import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

_lock = threading.Lock()
_idle: list[_Worker] = []
_made = 0
_default: int | None = None
_home = os.getpid()
_main = threading.main_thread().ident


def _forget() -> None:
    """A forked child has none of its parent's threads, and perhaps a lock that nobody will release."""
    global _lock, _idle, _made, _default, _main
    _lock, _idle, _made, _default, _main = threading.Lock(), [], 0, None, threading.get_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def available() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def set_workers(workers: int | None) -> None:
    """Set the default of ``workers=`` for the process; None goes back to FIRCONV_WORKERS or all cores.

    Examples
    --------
    >>> import firconv
    >>> firconv.set_workers(1)
    >>> firconv.get_workers()
    1
    >>> firconv.set_workers(None)
    """
    global _default
    _default = None if workers is None else _checked(workers, "set_workers")


def get_workers() -> int:
    """The number of workers that a call without ``workers=`` uses here and now.

    One in threads other than the main one, where somebody else has already divided the cores; else what `set_workers`
    said in this process; else one in a child process, FIRCONV_WORKERS, or all cores.

    Examples
    --------
    >>> import firconv
    >>> firconv.get_workers() >= 1
    True
    """
    if threading.get_ident() != _main:
        return 1
    if _default is not None:
        return _default
    if _is_child():
        return 1
    named = os.environ.get("FIRCONV_WORKERS")
    return available() if not named else _from_environment(named)


def _is_child() -> bool:
    """True in a fork of the process that loaded this module, and in every process that multiprocessing started."""
    process = sys.modules.get("multiprocessing.process")
    return os.getpid() != _home or (process is not None and process.parent_process() is not None)


def _from_environment(text: str) -> int:
    try:
        return _checked(int(text), "FIRCONV_WORKERS")
    except ValueError:
        raise ValueError(
            f"FIRCONV_WORKERS={text!r} is not a whole number of at least 1: set it to how many cores "
            "firconv may use, or unset it"
        ) from None


def _checked(workers: Any, name: str) -> int:
    try:
        number = operator.index(workers)
    except TypeError:
        raise TypeError(f"{name}: workers={workers!r} is not an int") from None
    if number < 1:
        raise ValueError(f"{name}: workers={workers!r} must be at least 1")
    return number


def resolve(workers: int | None) -> int:
    """The number of workers for a call with this ``workers=``."""
    return get_workers() if workers is None else _checked(workers, "workers")


def _no_processor() -> int:
    return -1


def _which() -> Callable[[], int]:
    """What tells the processor that this thread runs on, −1 where that cannot be had."""
    import ctypes

    try:
        return ctypes.PyDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else _no_processor
    except (AttributeError, OSError, TypeError):
        return _no_processor


_processor: Callable[[], int] = _no_processor


class _Worker:
    """A thread that sleeps until it is given something to do, and sleeps again after it.

    Waking it costs the caller two operations: nothing is queued, and no future is made. What it has not begun when the
    caller has nothing else to do is taken back.
    """

    __slots__ = ("_away", "_bell", "_call", "_done", "_thread")

    def __init__(self, number: int):
        self._bell = self._done = threading.Lock()
        self._bell.acquire()
        self._call: list[tuple[Callable[[], None], threading.Lock]] = []  # at most one; whoever pops it has it
        self._away = -1
        self._thread = threading.Thread(target=self._live, name=f"firconv-{number}", daemon=True)
        self._thread.start()

    def begin(self, call: Callable[[], None]) -> None:
        """Hand over a call that raises nothing; never before the last one was ended by `end`."""
        here = _processor()
        if here != self._away:
            self._leave(here)
        self._done = threading.Lock()
        self._done.acquire()
        self._call.append((call, self._done))
        try:
            self._bell.release()
        except RuntimeError:  # it still rings for a call that was taken back
            pass

    def _leave(self, processor: int) -> None:
        """Keep off the caller's processor.

        A virtual processor that sleeps looks to Linux like one that is taken away, so a thread that is woken after a
        pause of a millisecond was put on its caller's, where both took turns, in two calls of three.
        """
        self._away = processor
        with suppress(OSError):  # where that is forbidden it may be anywhere
            others = os.sched_getaffinity(0) - {processor}
            if others and self._thread.native_id is not None:
                os.sched_setaffinity(self._thread.native_id, others)

    def end(self, wait: bool = True) -> None:
        """Take the call back, or wait until it is over; or leave it to itself where nothing depends on it any more."""
        try:
            self._call.pop()
        except IndexError:
            if wait:
                self._done.acquire()

    def _live(self) -> None:
        while True:
            self._bell.acquire()
            try:
                call, done = self._call.pop()
            except IndexError:
                continue
            call()
            del call  # with all that it holds
            done.release()


def _helpers(count: int, most: int) -> list[_Worker]:
    """Up to `count` workers that have nothing to do; there are never more than `most`, or than threads can be had."""
    global _made, _processor
    found: list[_Worker] = []
    while len(found) < count:
        try:
            found.append(_idle.pop())
            continue
        except IndexError:
            pass
        with _lock:
            if _made >= most:
                break
            _processor = _which() if _made == 0 else _processor
            try:
                found.append(_Worker(_made + 1))
            except RuntimeError:  # no thread can be started, as at the end of the interpreter
                break
            _made += 1
    return found


def _dismiss(helpers: list[_Worker], wait: bool = True) -> None:
    """Wait until nobody works any more; who is interrupted meanwhile does without those who still do."""
    global _made
    while helpers:
        try:
            helpers[-1].end(wait)
        except BaseException:
            with _lock:
                _made -= len(helpers)
            raise
        _idle.append(helpers.pop())


def run(function: Callable[[Any], None], tasks: Iterable[Any], workers: int) -> None:
    """Call `function` on every task, on `workers` threads of which the caller is one; the first error is raised."""
    tasks = list(tasks)
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            function(task)
        return
    waiting, turn = iter(tasks), threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        while True:
            with turn:
                task = next(waiting, _DONE)
            if task is _DONE:
                return
            function(task)

    def help_out() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    helpers = _helpers(min(workers, len(tasks)) - 1, workers - 1)
    begun: list[_Worker] = []
    try:
        for helper in helpers:
            helper.begin(help_out)
            begun.append(helper)
        work()
    except BaseException:
        with turn:
            for _ in waiting:
                pass
        raise
    finally:
        _dismiss(begun)
    if errors:
        raise errors[0]


_DONE = object()


def share(work: Callable[[int, np.ndarray], None], workers: int, tasks: int) -> None:
    """Call work(0, counter) here and work(1, counter), … on other threads; each must be able to do all that is left.

    The tasks are counted by who does them, as compiled kernels do (``firconv.kernels.turns``), and a thread that comes
    too late is not needed. Where the counter says, once work(0) is back, that all tasks are over, the other threads are
    left on their way back: to be woken by the last of them would take longer than many a layer.
    """
    counter = np.zeros(4, np.int64)
    if workers <= 1:
        work(0, counter)
        return
    errors: list[BaseException] = []
    begun: list[_Worker] = []
    wait = True
    try:
        for helper in _helpers(workers - 1, workers - 1):
            helper.begin(partial(_attempt, work, len(begun) + 1, counter, errors))
            begun.append(helper)
        work(0, counter)
        counter[2] = 1
        wait = int(counter[1]) < tasks
    finally:
        _dismiss(begun, wait)
    if errors and wait:
        raise errors[0]


def _attempt(
    work: Callable[[int, np.ndarray], None], number: int, counter: np.ndarray, errors: list[BaseException]
) -> None:
    try:
        work(number, counter)
    except BaseException as error:
        errors.append(error)


def taken(rooms: list[T]) -> T | None:
    """Work arrays that a worker has left to the next one, or None: another thread may take the last at any moment."""
    try:
        return rooms.pop()
    except IndexError:  # all are in use
        return None


def within(
    seconds: float, call: Callable[[], Any], name: str = "firconv.within"
) -> tuple[Any, BaseException | None] | None:
    """(what a stranger's call returned, None) or (None, what it raised); None if it is not back in time.

    Then its thread is asked to end: a loop in Python stops, compiled code first has to return.

    Examples
    --------
    >>> within(10, lambda: 2 + 2)
    (4, None)
    >>> def endless():
    ...     while True:
    ...         pass
    >>> within(0.1, endless) is None
    True
    """
    import ctypes

    found: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            found.append((call(), None))
        except BaseException as error:  # also SystemExit and KeyboardInterrupt: they are the call's, not the user's
            found.append((None, error))

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
    return None
