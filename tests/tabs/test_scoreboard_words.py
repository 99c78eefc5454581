"""The scoreboard says in words how pictures were made, and what the unit of its distances is."""

from pathlib import Path

from playground.runtime.paths import Paths
from playground.tabs.compare import figures, scoreboard


def test_the_scoreboard_says_in_words_how_pictures_were_made() -> None:
    by_row = {row.row: row for row in figures.read(Paths(Path("weights"), Path("data")))}
    words = {name: scoreboard.table_row(row).cells[1].text for name, row in by_row.items()}
    assert words["ddim-20-eta1-w1.5"] == "DDIM, 20 steps, η = 1, w = 1.5"
    assert words["dpm-10"] == "DPM-Solver++, 10 steps"
    assert not words.keys() & {*words.values()}, "no row is shown by its name in the file"
    assert "two sets of real digits" in scoreboard.describe_row(by_row[figures.FLOOR])
    assert "two sets of real digits" not in scoreboard.describe_row(by_row["samples"])
