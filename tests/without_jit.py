"""Which tests run once more with the JIT off, and (``--engine``) which files are the engine."""

from __future__ import annotations

import sys

TESTS = (
    "test_kernels_direct",
    "test_kernels_images",
    "test_kernels_rates",
    "test_kernels_fourier",
    "test_kernels_fourstep",
    "test_kernels_tree",
    "test_kernels_trunk",
    "test_guard",
    "test_dense",
    "test_winograd",
    "test_boundary",
    "test_convolve",
    "test_dtypes",
    "test_errors",
    "test_laws",
    "test_plan",
    "test_signal",
    "test_streaming",
    "test_threads",
    "test_unsure",
    "test_planner",
)
ENGINE = (
    "boundary",
    "convolution",
    "cost",
    "deliver",
    "describe",
    "execution",
    "lags",
    "nn/costs",
    "nn/cuts",
    "nn/dense",
    "nn/geometry",
    "nn/outer",
    "nn/winograd",
    "omit",
    "planner",
    "plans",
    "problem",
    "report",
    "run_direct",
    "run_images",
    "run_rates",
    "run_fourier",
    "signal",
    "spectra",
    "streaming",
    "threads",
    "tiles",
    "unsure",
    "kernels/bits",
    "kernels/dense",
    "kernels/outer",
    "kernels/strips",
    "kernels/direct",
    "kernels/images",
    "kernels/rates",
    "kernels/fourier",
    "kernels/fourstep",
    "kernels/guard",
    "kernels/reference",
    "kernels/separable",
    "kernels/shifted",
    "kernels/minimal",
    "kernels/minimal_taps",
    "kernels/winograd",
    "kernels/splits",
    "kernels/tree",
    "kernels/trunk",
)

if __name__ == "__main__":
    if "--engine" in sys.argv:
        print(",".join(f"*/firconv/{name}.py" for name in ENGINE))
    else:
        print(*(f"tests/{name}.py" for name in TESTS))
