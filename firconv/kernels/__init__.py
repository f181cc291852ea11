"""The loops that do the arithmetic: "valid correlation" of blocks, nothing else; one module per algorithm.

- ``reference``: the defining sum in plain loops, the oracle of every other kernel
- ``direct``: the same, fast: by tables of offsets, for images, for tiny calls, for single outputs
- ``shifted``: the same in NumPy slices, for types that are not compiled
- ``separable``: taps as products of one-dimensional factors
- ``fourier``: overlap-save on batches of blocks
- ``tree``: the same for lines of real numbers, by remainders of polynomials
- ``fourstep``: one transform for a signal and taps that are both long
- ``trunk``: the same for real ones, by remainders of polynomials; ``splits``: what it shares with ``tree``
- ``dense``: many output channels over the same samples, as products without the matrix
- ``winograd``: minimal filtering, F(2, 3) and F(4, 3)
- ``bits``: whether weights are those that were prepared
- ``guard``: what an FFT may vouch for
- ``compiled``: the decorator that compiles a kernel and keeps the machine code on disk
- ``lanes``: short vectors of samples in registers, the words of ``direct`` and ``tree``
"""
