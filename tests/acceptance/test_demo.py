"""`saga demo`, which `make demo` runs."""

from pathlib import Path

from support.commandline import CommandLine


def test_the_demo_shows_an_order_of_each_kind_and_totals_that_add_up(tmp_path: Path) -> None:
    result = CommandLine(tmp_path).run("demo", within_s=100)

    assert result.returncode == 0, result.stderr
    happy, sold_out, declined, totals = result.stdout.strip().split("\n\n")[:4]
    assert "completed" in happy
    assert happy.count("✔") == 4
    assert "out-of-stock" in sold_out
    assert "insufficient-funds" in declined
    assert "↶ reserve-stock" in declined
    lines = {words[1]: words[2:] for words in map(str.split, totals.splitlines()[2:])}
    assert lines["boots"] == ["1,000,000", "-2", "1", "999,999", "999,999", "1", "✔"]
    assert lines["alice"] == ["10,000,000.00", "-19.99", "0.00", "9,999,980.01", "9,999,980.01", "19.99", "✔"]
    assert lines["broke"] == ["0.00"] * 6 + ["✔"]
    assert "The totals add up" in result.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
