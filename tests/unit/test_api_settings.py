"""Settings are checked before the first message, and an error says what to do without showing a password."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.settings import InvalidSettings, Settings

KEY = "web:" + "0123456789abcdef" * 4 + ":read+start"
URLS = {"mongo_url": "mongodb://user:hunter2@m/", "redis_url": "redis://:hunter2@r/0"}


def test_the_defaults_are_valid() -> None:
    settings = Settings.load(**URLS)
    assert settings.database == "saga_orchestrator"
    assert "hunter2" not in repr(settings)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGA_MONGO_URL", URLS["mongo_url"])
    monkeypatch.setenv("SAGA_REDIS_URL", URLS["redis_url"])
    monkeypatch.setenv("SAGA_HTTP_PORT", "9000")
    assert Settings.load().http_port == 9000
    assert Settings.load(http_port=9001).http_port == 9001


def test_a_missing_url_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGA_MONGO_URL", raising=False)
    with pytest.raises(InvalidSettings, match=r"SAGA_MONGO_URL is not set; give it the URL of a MongoDB replica set"):
        Settings.load(redis_url=URLS["redis_url"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"http_host": "0.0.0.0"}, "SAGA_HTTP_HOST: must be a loopback address"),
        ({"http_host": "example.com"}, "SAGA_HTTP_HOST: must be a loopback address"),
        ({"mongo_url": "hunter2"}, "SAGA_MONGO_URL: must begin with mongodb://"),
        ({"redis_url": "http://hunter2"}, "SAGA_REDIS_URL: must begin with redis://"),
        ({"http_port": 70_000}, "SAGA_HTTP_PORT: Input should be less than or equal to 65535"),
        ({"max_batch": 0}, "SAGA_MAX_BATCH"),
        ({"database_prefix": "a.b$"}, "SAGA_DATABASE_PREFIX"),
        ({"log_format": "xml"}, "SAGA_LOG_FORMAT"),
    ],
)
def test_a_setting_that_cannot_work_is_named_and_not_shown(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        Settings.load(**{**URLS, **given})
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_sagas_are_kept_for_ever_unless_told_otherwise_and_outlast_every_inbox() -> None:
    assert Settings.load(**URLS).retention_days is None
    assert Settings.load(**URLS, retention_days=91).retention_days == 91
    assert Settings.load(**URLS, retention_days=8, inbox_expiry_days=7).retention_days == 8
    with pytest.raises(InvalidSettings, match="SAGA_RETENTION_DAYS: must be more than SAGA_INBOX_EXPIRY_DAYS, 90"):
        Settings.load(**URLS, retention_days=90)


def test_with_keys_http_may_listen_on_a_network(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    for keys in ({"api_keys": KEY}, {"api_keys_file": file}):
        settings = Settings.load(**URLS, http_host="0.0.0.0", **keys)
        assert settings.http_host == "0.0.0.0"
        assert settings.key_ring.required
        assert KEY[4:20] not in repr(settings)
    assert not Settings.load(**URLS, api_keys=" ").key_ring.required


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"api_keys": "web:hunter2:read"}, "SAGA_API_KEYS: key 1: behind the name"),
        ({"api_keys": ","}, "SAGA_API_KEYS: holds no key"),
        ({"api_keys": " ", "http_host": "0.0.0.0"}, "SAGA_HTTP_HOST: must be a loopback address"),
        ({"api_keys_file": "/does/not/exist"}, "SAGA_API_KEYS_FILE: can't be read"),
        ({"api_keys": KEY, "api_keys_file": "/does/not/exist"}, "SAGA_API_KEYS_FILE: SAGA_API_KEYS is set too"),
        ({"api_keys": KEY, "http_host": "example.com"}, "SAGA_HTTP_HOST: must be"),
    ],
)
def test_keys_that_cannot_work_are_said_so_and_not_shown(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        Settings.load(**URLS, **given)
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_has_many_names(host: str) -> None:
    assert Settings.load(**URLS, http_host=host).http_host in (host, "127.0.0.1")


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
