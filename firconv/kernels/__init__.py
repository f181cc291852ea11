"""The loops that do the arithmetic: "valid correlation" of blocks, nothing else; one module per algorithm.

- ``direct``: the defining sum by offset tables (``rows``), for images (``grid``), tiny calls (``line``), single outputs (``points``)
- ``compiled``: the decorator that compiles a kernel and keeps the machine code on disk
- ``lanes``: short vectors of samples in the processor's registers, the alphabet of the compiled kernels
"""
