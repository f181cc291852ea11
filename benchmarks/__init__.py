"""Benchmarks of firconv: every row against every other library that can do it, side by side in one run.

``python -m benchmarks`` runs everything; ``python -m benchmarks --help`` lists the parts.
"""
