"""The notebooks: rules that keep them readable, and their execution.

    python -m tests.notebooks            execute all: no errors, the same outputs as committed, the rules
    python -m tests.notebooks 05 09      only those whose names begin so
    python -m tests.notebooks --rules    the rules alone, without executing
    python -m tests.notebooks --write    execute all and store what comes out, after a change that is meant

Outputs are compared as text. Pictures and animations must be there; their pixels are not compared. A cell whose text
depends on the machine (timings) has the tag "varies".
"""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import statistics
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "notebooks"
LONGEST, MEDIAN, FIGURES, WIDTH, BYTES, SECONDS = 6, 3, 3, 110, 1 << 20, 60
COLOURS = 256  # of a stored picture
TRACE = re.compile(r"(?<![\w.:/])/(?:home|root|work|tmp|opt|Users)/\w")


def books(prefixes=()):
    """The notebooks in order, or those whose names begin with one of the prefixes."""
    return [p for p in sorted(FOLDER.glob("*.ipynb")) if not prefixes or p.name.startswith(tuple(prefixes))]


def cells(book, kind="code"):
    return [cell for cell in book["cells"] if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


def lines(cell):
    return [line for line in source(cell).splitlines() if line.strip()]


def tree(cell):
    """The syntax tree of a cell, without IPython's magics."""
    return ast.parse("\n".join(line for line in source(cell).splitlines() if not line.startswith("%")))


def pictures(cell):
    """How many figures and animations a cell shows."""
    shown = [output.get("data", {}) for output in cell["outputs"]]
    return sum("image/png" in data or "<img" in "".join(data.get("text/html", "")) for data in shown)


def text(cell):
    """What a cell prints and returns, apart from figures."""
    parts, streaming = [], False
    for output in cell["outputs"]:
        data = output.get("data", {})
        printed = output["output_type"] == "stream" and output["name"] == "stdout"
        if printed and streaming:  # where a print is cut into messages is chance
            parts[-1] += "".join(output["text"])
        elif printed:
            parts.append("".join(output["text"]))
        elif "text/plain" in data and not {"image/png", "text/html"} & set(data):
            parts.append("".join(data["text/plain"]))
        streaming = printed
    return "\n".join(part.strip("\n") for part in parts)


# ---- rules -------------------------------------------------------------------------------------------------------


def broken(path):
    """What is wrong with a committed notebook, a sentence each."""
    content = path.read_text(encoding="utf-8")
    book = json.loads(content)
    code = cells(book)
    yield from _shape(path, book, code)
    for number, cell in enumerate(code, 1):
        yield from (f"code cell {number}: {what}" for what in _cell(number, cell))
    yield from _figures(book)
    if len(content.encode()) > BYTES:
        yield f"{len(content.encode()) / BYTES:.1f} MiB: at most 1"
    if trace := TRACE.search(content):
        yield f"the path {trace.group()!r} of a machine"


def _shape(path, book, code):
    number = re.match(r"(\d\d)-[a-z0-9-]+\.ipynb$", path.name)
    if not number:
        yield "the name is not two digits and words"
    elif not re.match(rf"# {int(number.group(1))} \S", source(book["cells"][0])):
        yield f"the first cell is not a title '# {int(number.group(1))} …'"
    median = statistics.median(len(lines(cell)) for cell in code)
    if median > MEDIAN:
        yield f"the median cell has {median:g} lines: at most {MEDIAN}"


def _cell(number, cell):
    if len(lines(cell)) > LONGEST:
        yield f"{len(lines(cell))} lines: at most {LONGEST}"
    if any(len(line) > WIDTH for line in lines(cell)):
        yield f"a line of more than {WIDTH} characters"
    if ";" in re.sub(r"'[^']*'|\"[^\"]*\"", "", source(cell)):
        yield "statements behind a semicolon"
    helpers = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    if any(isinstance(node, helpers) for node in ast.walk(tree(cell))):
        yield "a helper function: what a reader would reuse belongs into the library"
    if cell["execution_count"] != number:
        yield f"was executed as number {cell['execution_count']}: run the notebook from top to bottom"
    if any(output["output_type"] == "error" or output.get("name") == "stderr" for output in cell["outputs"]):
        yield "committed with an error or a warning"


def _figures(book):
    """A figure stands between what to notice and the assertion of it."""
    every, found = book["cells"], 0
    for at, cell in enumerate(every):
        if cell["cell_type"] != "code" or not pictures(cell):
            continue
        found += pictures(cell)
        if every[at - 1]["cell_type"] != "markdown" or "**Notice:**" not in source(every[at - 1]):
            yield f"the figure of cell {at} has no '**Notice:**' in the text before it"
        after = next((c for c in every[at + 1:] if c["cell_type"] == "code"), None)
        if after is None or not any(isinstance(node, ast.Assert) for node in ast.walk(tree(after))):
            yield f"the figure of cell {at} is followed by no assertion"
    if found < FIGURES:
        yield f"{found} figures: at least {FIGURES}"


# ---- execution ---------------------------------------------------------------------------------------------------


def executed(path):
    """The notebook as it comes out now."""
    import nbclient
    import nbformat

    book = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3", extra_arguments=["--log-level=ERROR"],
                            resources={"metadata": {"path": str(FOLDER)}}).execute()
    return book


def write(path):
    """Execute a notebook and store it with its outputs, pictures in few colours, nothing that differs by run."""
    import nbformat

    book = executed(path)
    book.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                     "language_info": {"name": "python"}}
    for cell in cells(book):
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    nbformat.write(book, path)


def smaller(picture):
    """The same picture (base64) with a palette: figures take a third of the bytes, and photographs in grey a half."""
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        few = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def changed(before, after):
    """Cells whose output is not what was committed, a sentence each."""
    for number, (old, new) in enumerate(zip(cells(before), cells(after), strict=True), 1):
        if pictures(old) != pictures(new):
            yield f"code cell {number}: {pictures(new)} figures, {pictures(old)} committed"
        if "varies" not in old["metadata"].get("tags", []) and text(old) != text(new):
            yield f"code cell {number}: prints\n{text(new)}\n  instead of\n{text(old)}"


def check(path):
    """Everything wrong with a notebook, executed."""
    start = time.perf_counter()
    found = list(broken(path))
    try:
        found += changed(json.loads(path.read_text(encoding="utf-8")), executed(path))
    except Exception as error:  # noqa: BLE001 - whatever a notebook raises, it is reported
        found.append(f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    if seconds > SECONDS:
        found.append(f"took {seconds:.0f} s: at most {SECONDS}")
    return found, seconds


def main(words):
    """0 if all is well."""
    bad = 0
    rules_only = "--rules" in words
    chosen = books([word for word in words if word not in ("--rules", "--write")])
    for path in chosen:
        if "--write" in words:
            write(path)
            continue
        found, seconds = (list(broken(path)), 0.0) if rules_only else check(path)
        print(f"{path.name}: {'as committed' if not found else 'FAILS'}" + f", {seconds:.0f} s" * (not rules_only))
        for what in found:
            print(f"  {what}")
        bad += bool(found)
    print(f"{len(chosen)} notebooks, {bad} fail")
    return 1 if bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
