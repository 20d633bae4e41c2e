"""API keys: how they are written, how they are recognised, and how a file of them is followed."""

import hashlib
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from orchestrator.keys import Access, InvalidKeys, KeyRing, api_key, guessable, parse_keys


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def line(name: str, token: str, scopes: str = "read") -> str:
    return f"{name}:{digest(token)}:{scopes}"


def test_a_key_says_whose_it_is_and_what_it_is_good_for() -> None:
    ring = KeyRing(parse_keys(f"{line('web', 'sesame', 'read+start')},{line('ops', 'two', 'operate')}"))
    found = ring.find("sesame")
    assert found is not None
    assert (found.name, found.scopes) == ("web", frozenset({Access.READ, Access.START}))
    assert ring.find("three") is None
    assert ring.find(digest("sesame")) is None
    assert "sesame" not in repr(found)


def test_a_key_that_anybody_would_try_first_is_known_by_its_digest() -> None:
    lines = [line("web", "changeme"), line("ops", "ops"), line("shop", "1f0c9e6a51b24cd2")]

    assert guessable(parse_keys(",".join(lines))) == ["web", "ops"]


def test_two_keys_of_one_name_work_side_by_side() -> None:
    ring = KeyRing(parse_keys(f"{line('web', 'old')},{line('web', 'new')}"))
    assert [key and key.name for key in (ring.find("old"), ring.find("new"))] == ["web", "web"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ("# nothing\n\n", "holds no key"),
        (",".join(line("web", str(number)) for number in range(3)), "web has 3 keys"),
        ("hunter2", "key 1: behind the name"),
        (f"{line('a', 'x')},:{digest('x')}:read", "key 2: the name"),
        (f"a b:{digest('hunter2')}:read", "key 1: the name"),
        ("web:hunter2:read", "key 1: behind the name"),
        (f"web:{digest('hunter2')}", "key 1: behind the digest"),
        (f"web:{digest('hunter2')}:admin", "key 1: behind the digest"),
        (f"web:{digest('hunter2')}:read+", "key 1: behind the digest"),
        (f"web:{digest('hunter2')}:read:soon", "key 1: behind the scopes"),
        (f"web:{digest('hunter2')}:read:2030-01-31T12:00", "key 1: behind the scopes"),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(text: str, said: str) -> None:
    with pytest.raises(InvalidKeys, match=said) as raised:
        parse_keys(text)
    assert "hunter2" not in str(raised.value)
    assert digest("hunter2") not in str(raised.value)


def test_without_keys_nobody_needs_one() -> None:
    assert not KeyRing().required
    assert KeyRing(parse_keys(line("web", "one"))).required


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2030-01-31", datetime(2030, 1, 31, tzinfo=UTC)),
        ("2030-01-31T12:00:00Z", datetime(2030, 1, 31, 12, tzinfo=UTC)),
        ("2030-01-31T12:00:00+02:00", datetime(2030, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_key_may_expire(written: str, meant: datetime) -> None:
    (key,) = parse_keys(f"{line('web', 'one')}:{written}")
    assert key.expires == meant
    assert [key.has_expired(meant + timedelta(seconds=seconds)) for seconds in (-1, 0, 1)] == [False, True, True]


def test_a_key_without_an_end_never_expires() -> None:
    (key,) = parse_keys(line("web", "one"))
    assert not key.has_expired(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize("expires", [None, datetime(2030, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))])
def test_a_key_is_read_back_as_it_is_written(expires: datetime | None) -> None:
    key = api_key("web", "secret", ["start", "read"], expires)
    assert parse_keys(key.entry) == (key,)
    assert key.entry.startswith(f"web:{digest('secret')}:read+start")
    with pytest.raises(InvalidKeys, match="the name"):
        api_key("a:b", "secret", ["read"])


def write(file: Path, text: str, time: int) -> None:
    file.write_text(text)
    os.utime(file, ns=(time, time))


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, f"# the web shop\n{line('web', 'old')}\n", 1)
    ring = KeyRing(file=file)
    write(file, f"{line('web', 'old')}\n{line('web', 'new')}\n", 2)
    ring.refresh()
    assert ring.find("old")
    assert ring.find("new")
    write(file, line("web", "new"), 3)
    ring.refresh()
    assert not ring.find("old")
    assert ring.find("new")


@pytest.mark.parametrize("broken", ["", "nonsense", None])
def test_a_file_that_cannot_be_read_leaves_the_keys_as_they_were(tmp_path: Path, broken: str | None) -> None:
    file = tmp_path / "keys"
    write(file, line("web", "one"), 1)
    ring = KeyRing(file=file)
    if broken is None:
        file.unlink()
    else:
        write(file, broken, 2)
    ring.refresh()
    assert ring.required
    assert ring.find("one")
