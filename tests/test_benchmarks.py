"""The benchmark's rows at small sizes: every peer computes what firconv computes, and the tables can be drawn."""

from __future__ import annotations

import io
import json
import math
import time

import numpy as np
import pytest

from benchmarks import fresh, grid, readme, report, timing
from benchmarks.bench import Bench, Case, Peer, has
from benchmarks.cases import all_cases
from benchmarks.machine import Machine
from benchmarks.table import Row, geometric_mean, group_means, run_case

MACHINE = Machine("a processor", 32, 2, "3", {"numpy": "2"}, {"float32": 100.0, "float64": 50.0}, 10.0)


@pytest.mark.parametrize("case", all_cases(tiny=True), ids=lambda case: case.name)
def test_every_peer_computes_the_same(case: Case) -> None:
    bench = case.build()
    ours = bench.ours()
    if "gradient" in case.name and not has("torch"):
        pytest.skip("gradients have one peer, torch, which is in no extra")
    assert bench.peers
    for peer in [*bench.peers, *bench.references]:
        assert bench.disagreement(peer.run(), ours) == "", peer.name
    if has("torch") and has("cv2"):
        assert set(case.usual) <= {peer.name for peer in bench.peers}


def test_names_of_rows_are_unique_and_kept_when_tiny() -> None:
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    assert {case.name for case in all_cases(tiny=True)} <= set(names)


def test_a_row_names_peers_that_compute_something_else() -> None:
    x = np.arange(8.0)
    peers = [Peer("good", lambda: x + 0), Peer("wrong", lambda: x + 1), Peer("short", lambda: x[1:])]
    bench = Bench(lambda: x, lambda: "direct", 1.0, "float64", peers, 8, 64)
    row = run_case(Case("a", "A", "g", lambda: bench, 0.001), 0.01)
    assert row.peer == "good" and row.passed
    assert row.disagreements == {"wrong": "off by 1.0e+00 of max|x|·Σ|h|", "short": "shape (7,), not (8,)"}
    assert row.usual is None and row.usual_ratio is None


def test_a_row_has_the_ratio_against_the_faster_of_the_usual_peers() -> None:
    def slow() -> np.ndarray:
        time.sleep(0.05)  # more than six times the fastest: raced because it is usual
        return x + 0

    def slower() -> np.ndarray:
        time.sleep(0.08)
        return x + 0

    x = np.arange(8.0)
    peers = [Peer("fast", lambda: x + 0), Peer("slow", slow), Peer("slower", slower)]
    bench = Bench(lambda: x, lambda: "direct", 1.0, "float64", peers, 8, 64)
    row = run_case(Case("a", "A", "g", lambda: bench, None, usual=("slower", "slow", "absent")), 0.01)
    assert row.peer == "fast" and row.usual == "slow"
    assert row.usual_ratio == row.usual_time / row.ours > row.ratio
    results = report.Results(MACHINE, "", [row])
    assert f"| slow | {report.times(row.usual_ratio)} |" in report.page(results)


def test_a_row_without_any_agreeing_peer_raises() -> None:
    bench = Bench(lambda: np.zeros(2), lambda: "direct", 1.0, "float64", [Peer("wrong", lambda: np.ones(2))], 2, 2)
    with pytest.raises(RuntimeError, match="no peer agrees"):
        run_case(Case("a", "A", "g", lambda: bench, 1.0), 0.01)


def test_race_keeps_the_minimum_and_drops_the_hopeless() -> None:
    def slow() -> float:
        return sum(math.sqrt(i) for i in range(100_000))

    result = timing.race({"fast": lambda: None, "slow": slow}, 0.05)
    assert result.fastest(["fast", "slow"]) == "fast"
    assert result.runs["slow"] == 2 < result.runs["fast"]


def _row(group: str, ours: float, peer: float, wanted: float | None) -> Row:
    return Row(
        "a/1", "work", group, ours, 1.0, "direct", "np.convolve", peer, wanted, 1.0, "IPP", 1.0, "float32", 50.0, 5.0
    )


def test_ratios_and_group_means() -> None:
    rows = [_row("dense", 1.0, 2.0, 1.2), _row("dense", 1.0, 0.5, 1.2), _row("line", 1.0, 9.0, None)]
    assert [row.passed for row in rows] == [True, False, None]
    [(group, mean, wanted)] = group_means(rows)
    assert (group, wanted) == ("dense", 1.5) and mean == pytest.approx(1.0)
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)


def test_page_and_terminal_show_losses_within_100_columns() -> None:
    from rich.console import Console

    results = report.Results(MACHINE, "python -m benchmarks", [_row("dense", 0.01, 0.002, 1.2)])
    results.facts = [fresh.Fact("memory", 70.0, "MiB", 64.0), fresh.Fact("peer", 900.0, "MiB", None)]
    console = Console(width=100, record=True, file=io.StringIO())
    report.show(console, results)
    assert max(map(len, console.export_text().splitlines())) <= 100
    text = report.page(results)
    assert "| ✗ | work | direct | 10 | 2 | np.convolve | 0.20 | 1.20 |  |  | 50% | 50% |" in text
    assert "| ✗ | memory | 70 MiB | ≤ 64 |" in text


def test_tables_stay_readable_in_a_pipe_and_in_80_columns(monkeypatch) -> None:
    from rich.console import Console

    monkeypatch.delenv("COLUMNS", raising=False)
    assert report.width(None) == report.WIDE  # pytest's stdout is no terminal
    assert report.width(90) == 90
    results = report.Results(MACHINE, "python -m benchmarks", [_row("dense", 0.01, 0.002, 1.2)])
    for columns in (80, report.WIDE):
        console = Console(width=columns, record=True, file=io.StringIO())
        report.show(console, results)
        text = console.export_text()
        assert "direct" in text and "np.convo" in text and "copy" in text


def test_runs_are_joined_and_each_side_keeps_its_best_time():
    first = report.Results(MACHINE, "", [_row("dense", 0.01, 0.05, 1.2), _row("line", 1.0, 2.0, None)])
    second = report.Results(MACHINE, "", [_row("dense", 0.02, 0.03, 1.2)])
    second.facts = [fresh.Fact("memory", 70.0, "MiB", 64.0)]
    for result in (first, second):
        result.rows[0].name = "dense/3/float32"
    both = report.join([json.loads(json.dumps(result.as_dict())) for result in (first, second)])
    assert [row.name for row in both.rows] == ["dense/3/float32", "a/1"]
    assert both.rows[0].ours == 0.01 and both.rows[0].peer_time == 0.03 and both.rows[0].gflops == 100.0
    assert both.rows[0].usual is None
    older = first.as_dict()
    del older["rows"][0]["usual"], older["rows"][0]["usual_time"]  # as written before there was such a column
    second.rows[0].usual, second.rows[0].usual_time = "cv2.filter2D", 0.04
    for parts in ((older, second.as_dict()), (second.as_dict(), older)):
        row = report.join(parts).rows[0]
        assert (row.usual, row.usual_time, row.usual_ratio) == ("cv2.filter2D", 0.04, 4.0)
    assert both.facts == second.facts and both.machine == MACHINE


def test_the_readme_s_table_goes_between_its_marks(tmp_path):
    rows = [_row("dense", 0.01, 0.02, 1.2), _row("dense", 0.01, 0.05, 1.2)]
    rows[0].name, rows[1].name = "dense/3/float32", "dense/3/float64"
    file = tmp_path / "README.md"
    file.write_text(f"a\n{readme.BEGIN}\nold\n{readme.END}\nb\n", encoding="utf-8")
    readme.write(file, rows)
    text = file.read_text(encoding="utf-8")
    assert "| 2048² image, dense 3² to 63² | np.convolve | 2.0 … 5.0 |" in text and "old" not in text
    assert text.startswith("a\n<") and text.endswith(">\nb\n")
    file.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="no place for the table"):
        readme.write(file, rows)


def test_planner_grid_is_large_and_makes_its_arrays() -> None:
    questions = grid.questions()
    assert len(questions) >= 240 and len(set(map(str, questions))) == len(questions)
    for question in questions[::40]:
        x, h = question.arrays()
        assert x.shape == question.shape and h.shape == question.taps and x.dtype == h.dtype == question.dtype


@pytest.mark.slow
def test_import_is_measured_in_a_process_of_its_own() -> None:
    fact = fresh.import_time(1)
    assert 0 < fact.value < 5
