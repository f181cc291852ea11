"""Workers: how many a call uses, many callers at once, forks, and a package that may write nowhere."""

import concurrent.futures
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import int64
from numpy.testing import assert_array_equal

import firconv
from firconv import threads
from firconv.kernels.bunches import take
from firconv.kernels.compiled import compiled, mutable
from firconv.kernels.turns import ended, settled

PACKAGE = Path(firconv.__file__).parent
X = np.random.default_rng(0).standard_normal(4_000 if numba.config.DISABLE_JIT else 200_000)  # plain loops
JOBS = [
    ("direct", X, np.hanning(33), {"boundary": "reflect"}), ("fft", X[:50_000], np.hanning(800), {}),
    ("overlap_save", X, np.hanning(1500), {}), ("auto", X.astype("f4"), np.hanning(400).astype("f4"), {"down": 3}),
    ("separable", X.reshape(-1, 500), np.outer(np.hanning(9), np.hanning(8)), {}),
    ("direct", X.reshape(-1, 500), np.random.default_rng(1).standard_normal((5, 7)), {}),
    ("auto", (X * 1000).astype(int), np.arange(50), {}), ("reference", X[:900], np.hanning(20), {}),
]


def answer(job, **more):
    method, x, h, keywords = JOBS[job]
    return firconv.convolve(x, h, "same", method, **keywords, **more)


@pytest.fixture(autouse=True)
def default_workers():
    yield
    firconv.set_workers(None)


def in_thread(function):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def in_process(code, **environment):
    paths = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    settings = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, timeout=240)


def printed(code, **environment):
    done = in_process(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# ---- how many ------------------------------------------------------------------------------------------------------

ASK = "import firconv; print(firconv.get_workers())"


def test_default_is_the_cores_of_this_process():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert printed(ASK, FIRCONV_WORKERS="") == [str(cores)]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity to set")
def test_affinity_is_respected():
    assert printed("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + ASK) == ["1"]


def test_environment_and_set_workers():
    assert printed(ASK, FIRCONV_WORKERS="5") == ["5"]
    assert printed("import firconv; firconv.set_workers(3); print(firconv.get_workers())", FIRCONV_WORKERS="5") == ["3"]
    firconv.set_workers(4)
    assert firconv.get_workers() == 4
    firconv.set_workers(None)


def test_bad_environment_is_one_clear_error():
    done = in_process("import firconv; firconv.convolve([1.0], [1.0])", FIRCONV_WORKERS="many")
    assert done.returncode != 0
    assert "ValueError: FIRCONV_WORKERS='many'" in done.stderr


def test_threads_other_than_the_main_one_default_to_one_worker():
    assert in_thread(firconv.get_workers) == 1


CHILD = """
import multiprocessing, firconv
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.apply(firconv.get_workers))
"""


FORKED = """
import os, firconv
firconv.set_workers(4)
child = os.fork()
if child:
    os.waitpid(child, 0)
else:
    print(firconv.get_workers(), flush=True)
    firconv.set_workers(3)
    print(firconv.get_workers())
"""


def test_child_processes_default_to_one_worker(tmp_path):
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    assert printed(code) == ["1", "1"]


def test_set_workers_in_a_child_is_honoured():
    assert printed(FORKED) == ["1", "3"]


@pytest.mark.parametrize("bad", [0, -2, 1.5, "two"])
def test_meaningless_workers(bad):
    for call in (lambda: firconv.set_workers(bad), lambda: firconv.convolve([1.0], [1.0], workers=bad)):
        with pytest.raises((ValueError, TypeError), match="workers"):
            call()


# ---- many callers --------------------------------------------------------------------------------------------------


def test_eight_threads_at_once():
    expected = [answer(job) for job in range(len(JOBS))]
    start = threading.Barrier(8)

    def work(seed):
        start.wait()
        order = np.random.default_rng(seed).permutation(len(JOBS))
        return [(job, answer(job, workers=1 + seed % 2)) for job in order]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for results in pool.map(work, range(8)):
            for job, result in results:
                assert_array_equal(result, expected[job])


def test_eight_threads_share_one_plan():
    plans = [firconv.plan(x, h, "same", method, **keywords) for method, x, h, keywords in JOBS]
    expected = [answer(job) for job in range(len(JOBS))]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [job % len(JOBS) for job in range(32)]
        for job, result in zip(jobs, pool.map(lambda job: plans[job](JOBS[job][1]), jobs), strict=True):
            assert_array_equal(result, expected[job])


def test_an_error_in_one_caller_does_not_disturb_the_next():
    with pytest.raises(OverflowError):
        firconv.convolve(np.full(200_000, 2**62), np.full(9, 3), workers=2)
    assert_array_equal(answer(0, workers=2), answer(0, workers=1))


def meeting(count):
    """A function for `count` tasks none of which ends before all have begun, and the threads that ran them."""
    barrier, names = threading.Barrier(count), set()

    def task(_):
        names.add(threading.current_thread().name)
        barrier.wait(20)

    return task, names


def test_tasks_run_side_by_side_on_threads_that_stay():
    task, names = meeting(3)
    threads.run(task, range(3), 3)
    again, others = meeting(3)
    threads.run(again, range(3), 3)
    assert names == others and len(names) == 3


def test_a_call_is_over_when_its_slowest_task_is():
    ended = []

    def task(seconds):
        time.sleep(seconds)
        ended.append(seconds)

    for _ in range(20):  # the helper begins late, in the middle, or never
        threads.run(task, [0.0, 0.002, 0.0, 0.001], 2)
        assert sorted(ended) == [0.0, 0.0, 0.001, 0.002]
        ended.clear()


@pytest.mark.parametrize("mine", [True, False])
def test_an_error_ends_a_call_and_is_raised_in_its_caller(mine):
    barrier, done = threading.Barrier(2), []

    def task(number):
        if number < 2:
            barrier.wait(20)
            if (threading.current_thread() is threading.main_thread()) == mine:
                raise KeyError(number)
        else:
            done.append(number)

    with pytest.raises(KeyError):
        threads.run(task, range(2000), 2)
    assert len(done) == (len(set(done)) if mine else 1998)
    task, names = meeting(2)
    threads.run(task, range(2), 2)  # nobody was lost


def test_shared_work_is_called_here_and_on_threads_that_come_in_time():
    done, gate = [], threading.Barrier(3, timeout=60)

    def work(number, counter):
        gate.wait()
        done.append((number, threading.current_thread().name))

    threads.share(work, 3, 3)
    assert sorted(n for n, _ in done) == [0, 1, 2] and len({name for _, name in done}) == 3
    assert dict(done)[0] == threading.current_thread().name
    done.clear()
    threads.share(lambda number, counter: done.append(number), 1, 1)
    assert done == [0]


@compiled(lambda t: (mutable(t), int64, int64, mutable(t)), ["int64"])
def one_turn(counter, tasks, number, out):
    take(counter)
    last = ended(counter, tasks)
    out[0] = last
    settled(counter, tasks, number, last)


def test_workers_count_their_tasks():
    """Taken, over, the first one is back; and a number that is a kernel's own."""
    counter, out, found = np.array([0, 0, 1, 7]), np.zeros(1, np.int64), []
    for number in (1, 0, 1):
        one_turn(counter, 3, number, out)
        found.append((int(out[0]), *counter.tolist()))
    assert found == [(0, 1, 1, 1, 7), (0, 2, 2, 1, 7), (1, 3, 3, 1, 7)]


def test_nobody_waits_for_a_thread_whose_tasks_are_over():
    """It is still on its way back, and takes the next call when it is there."""
    begun, back, done = threading.Event(), threading.Event(), []

    def work(number, counter):
        if number == 1:
            begun.set()
            back.wait(60)
        elif not done:
            begun.wait(60)
            counter[1] = 4
        done.append(number)

    threads.share(work, 2, 4)
    assert done == [0]
    gate = threading.Barrier(2, timeout=60)

    def meet(number, counter):
        back.set()
        gate.wait()
        done.append(number)

    threads.share(meet, 2, 2)
    assert done[:2] == [0, 1] and sorted(done[2:]) == [0, 1]


def test_tasks_that_are_not_over_are_waited_for():
    gate, done = threading.Event(), []

    def work(number, counter):
        if number == 1:
            gate.set()
            time.sleep(0.05)
            counter[1] += 1
            done.append(number)
        else:
            gate.wait(60)
            counter[1] += 1

    threads.share(work, 2, 2)
    assert done == [1]


@pytest.mark.parametrize("who", [0, 1])
def test_an_error_ends_shared_work_and_is_raised_here(who):
    gate = threading.Barrier(2, timeout=60)

    def work(number, counter):
        gate.wait()
        if number == who:
            raise KeyError(number)

    with pytest.raises(KeyError, match=str(who)):
        threads.share(work, 2, 2)
    threads.share(lambda number, counter: None, 2, 2)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or threads.available() == 1, reason="one processor")
def test_other_threads_keep_off_the_processor_of_their_caller():
    gate, seen = threading.Barrier(2, timeout=60), {}

    def work(number, counter):
        gate.wait()
        seen[number] = os.sched_getaffinity(0)

    mine = os.sched_getaffinity(0)
    processor = threads._processor
    try:
        for here in sorted(mine)[:2] * 2:
            threads._processor = lambda here=here: here
            threads.share(work, 2, 2)
            assert seen == {0: mine, 1: mine - {here}}
    finally:
        threads._processor = processor
    assert threads._which()() in os.sched_getaffinity(0)


def test_where_nobody_tells_the_processor_threads_stay_where_they_are(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert threads._which()() == -1


def test_an_interrupted_caller_leaves_threads_behind_that_are_made_anew():
    script = """
        import signal, threading, time
        from firconv import threads
        start, until = threading.Barrier(2), threading.Event()
        def task(number):
            start.wait(20)
            if threading.current_thread() is not threading.main_thread():
                until.wait(20)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
        me = threading.get_ident()
        threading.Timer(0.3, signal.pthread_kill, [me, signal.SIGINT]).start()
        try:
            threads.run(task, range(2), 2)
        except KeyboardInterrupt:
            print("interrupted")
        meet = threading.Barrier(2)
        threads.run(lambda _: meet.wait(20), range(2), 2)
        until.set()
        print("done")
    """
    assert printed(textwrap.dedent(script)) == ["interrupted", "done"]


def test_without_further_threads_the_caller_does_everything(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_idle", [])
    monkeypatch.setattr(threads, "_made", 0)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = []
    threads.run(done.append, range(5), 4)
    assert done == [0, 1, 2, 3, 4]


# ---- forks ---------------------------------------------------------------------------------------------------------


def child_answers(queue):
    queue.put([answer(job, workers=2) for job in range(len(JOBS))])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_computes_the_same_bits():
    expected = [answer(job, workers=2) for job in range(len(JOBS))]  # the pool of the parent exists by now
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=child_answers, args=(queue,))
    child.start()
    results = queue.get(timeout=120)
    child.join(timeout=60)
    assert child.exitcode == 0
    for result, wanted in zip(results, expected, strict=True):
        assert_array_equal(result, wanted)


# ---- nowhere to write ----------------------------------------------------------------------------------------------

TINY = "import numpy as np, firconv; print(firconv.convolve(np.arange(5.0), [1.0, 2.0]).tolist())"
RESULT = "[0.0,1.0,4.0,7.0,10.0,8.0]"
# Root may write anywhere; without capabilities it is a user like any other.
NO_PRIVILEGES = """
import ctypes
if ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()):
    raise SystemExit("cannot drop the privileges of root")
"""


@pytest.fixture
def read_only_install():
    """A copy of the package without write permission, outside of any home."""
    folder = Path(tempfile.mkdtemp(prefix="firconv-read-only-"))
    shutil.copytree(PACKAGE, folder / "firconv", ignore=shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc"))
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


def run_unprivileged(folder, environment):
    """The tiny call in a process that may not write into the package or its home."""
    code = (NO_PRIVILEGES if os.geteuid() == 0 else "") + TINY
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": str(folder / "no-home"), **environment}
    return subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], env=settings, cwd="/",
                          capture_output=True, text=True, timeout=240)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="root gives up its privileges as Linux has it")
@pytest.mark.parametrize("environment", [{}, {"FIRCONV_CACHE_DIR": "/dev/null/nowhere"}], ids=str)
def test_read_only_install_with_no_home(read_only_install, environment):
    before = {p: p.stat().st_mtime_ns for p in read_only_install.rglob("*")}
    done = run_unprivileged(read_only_install, environment)
    assert done.stdout.replace(" ", "").split() == [RESULT], done.stderr
    assert done.stderr == ""
    assert {p: p.stat().st_mtime_ns for p in read_only_install.rglob("*")} == before


def test_cache_folder_is_used_and_survives_damage(tmp_path):
    assert printed(TINY.replace(".tolist()", ".sum()"), FIRCONV_CACHE_DIR=str(tmp_path)) == ["30.0"]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"damaged")
    assert printed(TINY.replace(".tolist()", ".sum()"), FIRCONV_CACHE_DIR=str(tmp_path)) == ["30.0"]


def test_transforms_inside_our_tasks_take_one_thread_whatever_scipy_was_told(monkeypatch):
    from scipy import fft

    seen = []

    def watched(name):
        plain = getattr(fft, name)
        monkeypatch.setattr(fft, name, lambda *args, **more: seen.append(fft.get_workers()) or plain(*args, **more))

    for name in ("fft", "ifft", "rfft", "irfft", "rfftn", "irfftn"):
        watched(name)
    volume = X.reshape(10, -1, 20)
    with fft.set_workers(2):
        firconv.convolve(X + 1j, np.hanning(800), method="fft", workers=1)  # real lines have transforms of our own
        lines = len(seen)
        firconv.convolve(volume, volume[:3, :4, :5], "same", "overlap_save", workers=1)  # so have images
        assert fft.get_workers() == 2
    assert lines > 2 and len(seen) > lines + 1 and set(seen) == {1}
