"""Numba's compiler without what kernels do not need: a third of a first call's time from nothing.

Numba would optimise each part of a kernel, turn it into machine code of its own and load that, although nobody calls
a part: its kernel holds a copy, which is optimised and turned into machine code once more. Here a part ends as the
plain code that is linked into kernels. Optimisation then sees each part only where it is used. Of numba's passes over
the source, those for closures, for expressions of whole arrays and for Python objects are left out.

All names of numba in this module are private; without them kernels and parts are compiled as numba does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LEFT_OUT = {"InlineClosureLikes", "InlineOverloads", "NopythonRewrites", "WithLifting"}


def options(part: bool) -> dict[str, Any]:
    """Further options of ``numba.njit`` for a kernel or a part."""
    return {"pipeline_class": _compilers[part]} if _compilers else {}


def bind(result: Any) -> None:
    """Give the parts inside a kernel what numba keeps for each function, its environment, as a loaded kernel has it."""
    if _compilers:
        for environment in result._find_referenced_environments():
            result.library.codegen.set_env(environment.env_name, environment)


_compilers: tuple[Any, ...] = ()
try:
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler
except ImportError:
    pass
else:

    class _Kernel(Compiler):
        """Numba's compiler with fewer passes."""

        def define_pipelines(self) -> list[Any]:
            """Numba's, without `LEFT_OUT`."""
            found: list[Any] = super().define_pipelines()
            for manager in found:
                manager.passes = [p for p in manager.passes if p[0].__name__ not in LEFT_OUT]
            return found

    class _NoMachineCode:
        """The code generator of a part: there is no place for an environment before there is machine code."""

        def set_env(self, name: str, environment: Any) -> None:
            """Do nothing; see `bind`."""

    class _Library(JITCodeLibrary):
        """The code of one part, for linking only."""

        codegen = _NoMachineCode()

        def _optimize_final_module(self) -> None:
            """Do nothing: the kernel's optimisation does all."""

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

        def get_pointer_to_function(self, name: str) -> int:
            """No address, which to numba is a function that Python cannot call."""
            self._ensure_finalized()
            return 0

    class _Part(_Kernel):
        """The same, into this library."""

        def compile_extra(self, func: Callable[..., Any]) -> Any:
            """Compile one part."""
            if self.state.library is None:
                self.state.library = _Library(self.state.targetctx.codegen(), func.__qualname__)
                self.state.library.enable_object_caching()
            return super().compile_extra(func)

    _compilers = (_Kernel, _Part)
