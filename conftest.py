"""The library's modules are imported in the ordinary way before pytest collects their examples.

pytest's importlib mode executes a module itself, and then once more where the module's package imports it: run alone,
the examples of a module would meet a second copy of its classes, and `firconv.identities.law` the module in place of
the function.
"""

import importlib
from pathlib import Path

ROOT = Path(__file__).parent


def pytest_collect_file(file_path):
    parts = file_path.relative_to(ROOT).with_suffix("").parts if file_path.is_relative_to(ROOT) else ()
    if file_path.suffix == ".py" and parts[0] == "firconv" and parts[-1] != "__main__":
        importlib.import_module(".".join(part for part in parts if part != "__init__"))
