"""Machine code for the kernels: compiled once per element type, kept on disk in a folder of our own.

`compiled` turns a plain Python function into a `Kernel`. Its first call with an element type compiles that version (or
loads it); no other property of the arguments leads to a further one. Compilation is serial and never assumes finite
numbers.

The disk is a convenience and never a condition: a folder that is missing, read-only, full of other things or damaged
costs the compilation and nothing else. Every file carries the SHA-256 of its contents; nothing is unpickled or run
unless the sum agrees. Files are written under a temporary name and renamed, so processes may share the folder. The
key of a file is the source of the kernel, the versions of Python, numba and llvmlite, the processor's name and its
features. Numba's own cache and configuration stay as they are.
"""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import types

from firconv.kernels import pipelines

_njit: Any = numba.njit
_config: Any = numba.config
_MAGIC = b"firconv kernel 1\n"
_STRICT = frozenset({"contract"})
_lock = threading.RLock()
_registry: list[Kernel] = []
_compilations = 0


def const(dtype: types.Type, ndim: int = 1) -> types.Array:
    """Type of a C-contiguous array that a kernel only reads; writable arrays fit as well."""
    return types.Array(dtype, ndim, "C", readonly=True)


def mutable(dtype: types.Type, ndim: int = 1) -> types.Array:
    """Type of a C-contiguous array that a kernel writes."""
    return types.Array(dtype, ndim, "C")


class Kernel:
    """A compiled function with one version for each element type of its first argument.

    Parameters
    ----------
    function
        The Python source. `kernel.function` stays callable and debuggable.
    signature
        From the element type to the numba types of all arguments.
    dtypes
        Element types for which the kernel exists.
    options
        Further options of ``numba.njit``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        signature: Callable[[types.Type], tuple[types.Type, ...]],
        dtypes: Iterable[str],
        options: dict[str, Any],
    ):
        self.function, self.signature, self._options = function, signature, options
        self.dtypes = tuple(np.dtype(d) for d in dtypes)
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self._versions = _Versions(self)

    def __call__(self, *args: Any) -> Any:
        return self._versions[args[0].dtype.char](*args)

    def version(self, dtype: Any) -> Callable[..., Any]:
        """Return the compiled function for one element type, for callers that count microseconds."""
        return self._versions[np.dtype(dtype).char]


class _Versions(dict[str, Callable[..., Any]]):
    """Compiled versions by dtype character, made when first asked for."""

    def __init__(self, kernel: Kernel):
        super().__init__()
        self._kernel = kernel

    def __missing__(self, char: str) -> Callable[..., Any]:
        with _lock:
            if char not in self:
                self[char] = _make(self._kernel, np.dtype(char))
            return self[char]


def _make(kernel: Kernel, dtype: np.dtype) -> Callable[..., Any]:
    if dtype not in kernel.dtypes:
        names = ", ".join(d.name for d in kernel.dtypes)
        raise TypeError(f"{kernel.__name__}: no version for {dtype.name!r}; cast the arrays to one of {names}")
    if _config.DISABLE_JIT:
        return kernel.function
    global _compilations
    dispatcher = _njit(**kernel._options, **pipelines.options(part=False))(kernel.function)
    cache = _attach_cache(dispatcher, kernel.function)
    with _no_collections():
        dispatcher.compile(kernel.signature(numba.from_dtype(dtype)))
    dispatcher.disable_compile()  # from here on writable arrays are converted, not specialised
    if cache is None or not cache.hit:
        _compilations += 1
        for result in dispatcher.overloads.values():
            pipelines.bind(result)
    return dispatcher


@contextmanager
def _no_collections() -> Iterator[None]:
    """Hold Python's garbage collector, which walks through the compiler's objects over and over and finds nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def compiled(
    signature: Callable[[types.Type], tuple[types.Type, ...]] | None = None,
    dtypes: Iterable[str] = ("float32", "float64", "int64"),
    *,
    reassociate: bool = False,
    references: bool = True,
    inline: bool = True,
) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile a function for each element type it is called with, and register it for `warmup`.

    Without `signature` the function is a part of kernels, inlined into them and of no use to Python. `reassociate`
    allows sums in another order; products are never assumed finite. A part without `references` makes no arrays, and
    counts no references to those that it is given, which costs an atomic operation each. Without `inline` it stays a
    function of its own: what is called from several places is compiled once.

    Examples
    --------
    >>> @compiled(lambda t: (const(t), mutable(t)), ["float64"])
    ... def double(x, out):
    ...     for i in range(len(x)):
    ...         out[i] = 2 * x[i]
    >>> y = np.empty(2); double(np.array([1.0, 2.0]), y); y
    array([2., 4.])
    """
    fastmath = set(_STRICT | {"reassoc", "nsz"}) if reassociate else set(_STRICT)
    options = {"nogil": True, "fastmath": fastmath, "error_model": "numpy", "no_cfunc_wrapper": True}

    def decorate(function: Callable[..., Any]) -> Any:
        if signature is None:
            part = options | pipelines.options(part=True)
            return _njit(**part, forceinline=inline, no_cpython_wrapper=True, _nrt=references)(function)
        kernel = Kernel(function, signature, dtypes, options)
        _registry.append(kernel)
        return kernel

    return decorate


def loops() -> bool:
    """True where kernels run as plain Python loops, because numba's JIT is off."""
    return bool(_config.DISABLE_JIT)


def compilations() -> int:
    """Kernels that this process compiled rather than loaded."""
    return _compilations


def warmup(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile or load every registered kernel for every element type; ``progress(name, done, total)`` after each."""
    versions = [(kernel, dtype) for kernel in _registry for dtype in kernel.dtypes]
    for done, (kernel, dtype) in enumerate(versions, 1):
        kernel.version(dtype)
        if progress is not None:
            progress(f"{kernel.__name__} {dtype.name}", done, len(versions))


# --- the folder -----------------------------------------------------------------------------------------------------


def _user_cache() -> Path:
    """Return the platform's folder for caches; it begins with "~" where the user has no home."""
    try:
        home = Path.home()
    except RuntimeError:
        home = Path("~")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return Path(xdg) if os.path.isabs(xdg) else home / ".cache"


def cache_folder() -> Path:
    """Folder of the compiled kernels of these versions; it need not exist, and a relative one is not used."""
    versions = f"python{platform.python_version()}-numba{numba.__version__}-llvmlite{llvmlite.__version__}"
    own = os.environ.get("FIRCONV_CACHE_DIR", "")
    base = Path(own).absolute() if own else _user_cache() / "firconv"
    return base / versions


def cache_state() -> str:
    """One of "writable", "read-only" (kernels are loaded, not stored) and "off" (nothing is kept)."""
    folder = cache_folder()
    if not folder.is_absolute():
        return "off"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return "writable"
    except OSError:
        return "read-only" if os.access(folder, os.R_OK | os.X_OK) else "off"


# --- numba's side: private names, all of them; where they are missing there is no cache ------------------------------


class DiskCache:
    """What a numba dispatcher wants of a cache: one checked file for each version of one kernel."""

    cache_path = None

    def __init__(self, function: Callable[..., Any], stamp: str):
        self._name, self._stamp, self.hit = function.__name__, stamp, False

    def enable(self) -> None:
        """Numba calls this; the cache is always on."""

    disable = flush = enable

    def _path(self, signature: Any, codegen: Any) -> Path:
        key = repr((self._stamp, str(signature), codegen.magic_tuple()))
        folder = cache_folder()
        if not folder.is_absolute():
            raise FileNotFoundError(f"no folder for the cache: {folder}")
        return folder / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Return the stored version, or None for any reason at all."""
        try:
            context.refresh()
            payload = _read(self._path(signature, context.codegen()))
            result = None if payload is None else _rebuild(context, payload)
        except Exception:
            return None
        self.hit = result is not None
        return result

    def save_overload(self, signature: Any, result: Any) -> None:
        """Store a version if that is possible."""
        try:
            if not result.library.has_dynamic_globals:
                _write(self._path(signature, result.codegen), _dump(result))
        except Exception:
            return


def _rebuild(context: Any, payload: bytes) -> Any:
    from numba.core.compiler import CompileResult

    return CompileResult._rebuild(context, *pickle.loads(payload))


def _dump(result: Any) -> bytes:
    from numba.core.serialize import dumps

    data: bytes = dumps(result._reduce())
    return data


def _read(path: Path) -> bytes | None:
    """Return the contents of a stored file, or None unless its checksum agrees."""
    data = path.read_bytes()
    head = len(_MAGIC) + 32
    payload = data[head:]
    intact = data[:head] == _MAGIC + hashlib.sha256(payload).digest()
    return payload if intact else None


def _write(path: Path, payload: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _attach_cache(dispatcher: Any, function: Callable[..., Any]) -> DiskCache | None:
    """Give a dispatcher our cache; None where the source cannot be read or numba has no such place."""
    try:
        stamp = _source_stamp(function)
    except OSError:
        return None
    if not hasattr(dispatcher, "_cache"):
        return None
    dispatcher._cache = cache = DiskCache(function, stamp)
    return cache


def _source_stamp(function: Callable[..., Any]) -> str:
    """Digest of the sources that decide a kernel's code: its own module and, as kernels share parts, this folder."""
    sources = {Path(function.__code__.co_filename), *Path(__file__).parent.glob("*.py")}
    text = b"".join(hashlib.sha256(p.read_bytes()).digest() for p in sorted(sources))
    return hashlib.sha256(text + function.__qualname__.encode()).hexdigest()
