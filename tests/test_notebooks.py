"""The committed notebooks keep their rules, and the checker that executes them in CI notices what it should."""

import importlib.util
import json
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("notebooks", Path(__file__).parent / "notebooks.py")
checker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)


@pytest.mark.parametrize("path", checker.books(), ids=lambda p: p.stem)
def test_rules(path):
    assert list(checker.broken(path)) == []


def test_they_are_numbered_without_a_gap():
    assert [int(path.name[:2]) for path in checker.books()] == list(range(1, len(checker.books()) + 1))


def test_flip_and_slide_is_animated():
    one, two = checker.books(["01", "02"])
    for path in (one, two):
        html = "".join("".join(output.get("data", {}).get("text/html", "")) for cell in
                       checker.cells(json.loads(path.read_text())) for output in cell["outputs"])
        assert html.count("data:image/png;base64") > 5


def note(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(text, number, *outputs):
    return {"cell_type": "code", "execution_count": number, "metadata": {}, "outputs": list(outputs), "source": text}


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


PICTURE = {"output_type": "execute_result", "data": {"image/png": "", "text/plain": "<Figure>"}, "metadata": {}}


def good():
    """A notebook that keeps every rule."""
    book = [note("# 3 Title")]
    for number in (1, 3, 5):
        book += [note("**Notice:** a line"), code("draw()", number, PICTURE), code("assert True", number + 1)]
    return book


def broken(tmp_path, book, name="03-title.ipynb"):
    path = tmp_path / name
    path.write_text(json.dumps({"cells": book}))
    return list(checker.broken(path))


def test_a_good_notebook_passes(tmp_path):
    assert broken(tmp_path, good()) == []


@pytest.mark.parametrize("at, cell, what", [
    (0, note("Title"), "the first cell is not a title '# 3 …'"),
    (1, note("a line"), "the figure of cell 2 has no '**Notice:**' in the text before it"),
    (2, code("draw()", 1), "2 figures: at least 3"),
    (3, code("print()", 2), "the figure of cell 2 is followed by no assertion"),
    (3, code("assert True\n" * 7, 2), "code cell 2: 7 lines: at most 6"),
    (3, code("def f(): pass\nassert True", 2), "code cell 2: a helper function: what a reader would reuse belongs into "
                                               "the library"),
    (3, code("assert (lambda: 1)()", 2), "code cell 2: a helper function: what a reader would reuse belongs into the "
                                         "library"),
    (3, code("a = 1; assert a", 2), "code cell 2: statements behind a semicolon"),
    (3, code("assert True", 7), "code cell 2: was executed as number 7: run the notebook from top to bottom"),
    (3, code("assert True  # " + "a" * 100, 2), "code cell 2: a line of more than 110 characters"),
    (3, code("assert True", 2, {"output_type": "error"}), "code cell 2: committed with an error or a warning"),
    (3, code("assert True", 2, printed("/home/me")), "the path '/home/m' of a machine"),
    (3, code("assert True", 2, printed("a" * (1 << 21))), "2.0 MiB: at most 1"),
])
def test_a_broken_rule_is_noticed(tmp_path, at, cell, what):
    book = good()
    book[at] = cell
    assert broken(tmp_path, book) == [what]


def test_long_cells_and_names_are_noticed(tmp_path):
    book = good()
    for cell in book[2::3]:
        cell["source"] = "a = 1\n" * 4 + "draw()"
    for cell in book[3::3]:
        cell["source"] = "assert a\n" * 4
    assert broken(tmp_path, book) == ["the median cell has 4.5 lines: at most 3"]
    assert broken(tmp_path, good(), "title.ipynb") == ["the name is not two digits and words"]


def test_a_changed_output_is_noticed():
    before, after = ({"cells": [code("f()", 1, printed(text), PICTURE)]} for text in ("1\n", "2\n"))
    assert [what.split("\n") for what in checker.changed(before, after)] == [
        ["code cell 1: prints", "2", "  instead of", "1"]]
    before["cells"][0]["metadata"]["tags"] = ["varies"]
    assert list(checker.changed(before, after)) == []
    after["cells"][0]["outputs"].pop()
    assert list(checker.changed(before, after)) == ["code cell 1: 0 figures, 1 committed"]


def test_where_a_print_is_cut_into_messages_does_not_matter():
    pieces = ["a\nb\n"], ["a\nb", "\n"], ["a", "\nb\n"]
    whole, cut, inside = ({"outputs": [printed(text) for text in texts]} for texts in pieces)
    assert checker.text(whole) == checker.text(cut) == checker.text(inside) == "a\nb"
