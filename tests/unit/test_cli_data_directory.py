"""What running services tell about themselves, and who may use a data directory."""

from pathlib import Path

import pytest

from cli.data_directory import DataDirectory
from cli.databases import Databases, running_databases
from cli.failure import Failure


def test_the_service_is_announced_while_it_runs_and_no_longer(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)

    with data.announced("http://127.0.0.1:8700"):
        told = data.service()
        assert told is not None
        assert told["url"] == "http://127.0.0.1:8700"

    assert data.service() is None


def test_only_the_databases_that_are_our_own_are_told_because_others_may_have_passwords(tmp_path: Path) -> None:
    where = Databases("mongodb://joe:s3cret@a", "redis://127.0.0.1:1", own_mongo=False, own_redis=True)
    data = DataDirectory(tmp_path)

    with data.announced("http://127.0.0.1:8700", where.own):
        assert running_databases(data) == {"redis_url": "redis://127.0.0.1:1"}
        assert "s3cret" not in (tmp_path / "service.json").read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"url": 5, "pid": 1}', '{"pid": 1}'])
def test_a_file_that_makes_no_sense_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "service.json").write_text(content)

    assert DataDirectory(tmp_path).service() is None


def test_two_can_not_have_the_same_part_of_a_directory(tmp_path: Path) -> None:
    with DataDirectory(tmp_path).locked("databases"):
        with pytest.raises(Failure, match="uses the databases"), DataDirectory(tmp_path).locked("databases"):
            pass
        with DataDirectory(tmp_path).locked("service"):
            pass
    with DataDirectory(tmp_path).locked("databases"):
        pass


def test_a_directory_that_can_not_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Failure, match="--dir"), DataDirectory(tmp_path / "file" / "data").locked("service"):
        pass
