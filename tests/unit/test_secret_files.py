"""URLs and keys that stand in files: read like the variables that they replace."""

from pathlib import Path

import pytest

from adapters.secret_files import secret
from cli.databases import participant_settings
from cli.failure import Failure
from cli.service import given_key
from orchestrator.settings import InvalidSettings, Settings
from participants.settings import ParticipantSettings

MONGO, REDIS = "mongodb://saga:hidden@db/?replicaSet=rs0", "redis://saga:hidden@cache/0"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {"mongo_url": f"{MONGO}\n", "redis_url": f"{REDIS}\n", "api_key": "saga_key\n"}.items():
        (tmp_path / name).write_text(text)
        monkeypatch.setenv(f"SAGA_{name.upper()}_FILE", str(tmp_path / name))
        monkeypatch.delenv(f"SAGA_{name.upper()}", raising=False)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_urls_and_keys_are_read_from_files() -> None:
    for settings in (Settings.load(), participant_settings()):
        assert (settings.mongo_url, settings.redis_url) == (MONGO, REDIS)
        assert {"mongo_url", "redis_url"} <= settings.model_fields_set
        assert "hidden" not in f"{settings!r} {settings.model_dump_json()}"
    assert given_key() == "saga_key"
    assert secret("SAGA_MONGO_URL") == MONGO


@pytest.mark.usefixtures("files")
def test_what_is_given_itself_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGA_REDIS_URL", "redis://other/0")
    assert Settings.load(mongo_url="mongodb://other").mongo_url == "mongodb://other"
    assert Settings.load().redis_url == secret("SAGA_REDIS_URL") == "redis://other/0"


@pytest.mark.parametrize(("change", "said"), [("missing", "can't be read: No such file"), ("empty", "is empty")])
def test_a_file_that_cannot_be_read_is_named_with_its_variable(files: Path, change: str, said: str) -> None:
    for name in ("mongo_url", "api_key"):
        if change == "missing":
            (files / name).unlink()
        else:
            (files / name).write_text("\n")
    with pytest.raises(InvalidSettings, match=rf"^SAGA_MONGO_URL_FILE: .*mongo_url {said}"):
        Settings.load()
    with pytest.raises(Failure, match=rf"^SAGA_MONGO_URL_FILE: .*{said}"):
        participant_settings()
    with pytest.raises(Failure, match=rf"^SAGA_API_KEY_FILE: .*{said}"):
        given_key()


def test_no_file_is_looked_for_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGA_MONGO_URL", raising=False)
    monkeypatch.delenv("SAGA_MONGO_URL_FILE", raising=False)
    assert secret("SAGA_MONGO_URL") is None
    assert ParticipantSettings().mongo_url.startswith("mongodb://127.0.0.1")
