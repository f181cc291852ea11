"""Every Python example of README.md and docs/ prints what the page says."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted(p for p in ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
INNER = re.compile(r"(?<=\n)\n(?!>>> |\n|\Z)")  # an empty line within an output, which a page shows as it is
TIME = re.compile(r"[\d.]+ ?(ns|µs|ms|s|× the time)(?=\s)")  # the cost model's times may be fitted anew
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class Checker(doctest.OutputChecker):
    """Compares all but times."""

    def check_output(self, want, got, optionflags):
        return super().check_output(TIME.sub("TIME", want), TIME.sub("TIME", got), optionflags)


def examples(text):
    """(source, line) of every fenced Python block that holds a prompt."""
    for block in FENCE.finditer(text):
        if ">>> " in block[1]:
            yield INNER.sub("<BLANKLINE>\n", block[1]), text.count("\n", 0, block.start(1))


def failures(text, where="page"):
    """What doctest prints for the examples of a page that are wrong; later blocks go on from earlier ones."""
    runner, printed = doctest.DocTestRunner(Checker(), optionflags=OPTIONS), []
    names = {"__name__": "__main__"}
    for source, line in examples(text):
        test = doctest.DocTestParser().get_doctest(source, names, where, where, line)
        test.globs = names
        runner.run(test, out=printed.append, clear_globs=False)
    return "".join(printed)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_of_a_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pages write files
    text = page.read_text(encoding="utf-8")
    for peer in re.findall(r"<!-- needs (\w+) -->", text):
        pytest.importorskip(peer)
    wrong = failures(text, str(page))
    if wrong:
        pytest.fail(wrong, pytrace=False)


def test_a_wrong_example_is_found():
    assert "Expected" in failures("# A page\n\n```python\n>>> 1 + 1\n3\n```\n")
    assert not failures('```python\n>>> a = "x\\n\\ny"\n```\n\nText.\n\n```python\n>>> print(a)\nx\n\ny\n```\n')


def test_only_times_may_differ():
    assert not failures('```python\n>>> print("direct 17 ms 3 MiB")\ndirect 12.5 ms 3 MiB\n```\n')
    assert failures('```python\n>>> print("direct 17 ms 3 MiB")\ndirect 17 ms 4 MiB\n```\n')


def test_the_map_of_the_code_is_true():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests/|kernels/)?\w+(?:\.py|/))`", text))
    house = ROOT / "firconv"
    for name in named:
        assert any((place / name).exists() for place in (house, ROOT, house / "nn", *house.glob("*/"))), name
    rooms = {p.name + "/" * p.is_dir() for p in house.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert not rooms - named - {"__init__.py", "__main__.py"}, "rooms that docs/architecture.md does not mention"
