"""`saga secrets`: each service gets what it needs and nothing of the others', once."""

import hashlib
import re
import stat
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from cli.deployment.files import Installation, contents_of, write
from cli.deployment.passwords import Passwords
from cli.failure import Failure
from orchestrator.keys import Access, KeyRing
from support.saga_command import saga

WHERE = Installation(
    mongo="mongo:27017",
    redis="redis:6379",
    database_prefix="saga_",
    stream_prefix="saga.",
    participants=["inventory", "payment"],
)
PASSWORD = re.compile(r"[0-9a-f]{64}")


def read(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_each_service_gets_urls_of_its_own_and_no_two_know_a_secret_in_common(tmp_path: Path) -> None:
    write(tmp_path, WHERE)
    files = read(tmp_path)
    assert re.fullmatch(
        r"mongodb://inventory:[0-9a-f]{64}@mongo:27017/saga_inventory\?replicaSet=rs0\n", files["inventory/mongo_url"]
    )
    assert re.fullmatch(r"redis://payment:[0-9a-f]{64}@redis:6379/0\n", files["payment/redis_url"])
    known = {
        service: {found for name, text in files.items() if name.startswith(f"{service}/") for found in secrets_in(text)}
        for service in ("init", "orchestrator", "inventory", "payment", "operator", "prometheus")
    }
    assert all(known.values())
    for one, other in combinations(known, 2):
        assert not known[one] & known[other], (one, other)


def secrets_in(text: str) -> set[str]:
    keys = re.findall(r"saga_[\w-]{43}", text)
    return {*PASSWORD.findall(text), *keys}


def test_redis_is_told_digests_only_and_nobody_comes_in_without_a_password(tmp_path: Path) -> None:
    write(tmp_path, WHERE)
    files = read(tmp_path)
    lines = files["redis/users.acl"].splitlines()
    (password,) = PASSWORD.findall(files["inventory/redis_url"])
    assert lines[0] == "user default off"
    assert password not in files["redis/users.acl"]
    assert any(
        line.startswith(f"user inventory on #{hashlib.sha256(password.encode()).hexdigest()} ") for line in lines
    )
    assert [line for line in lines if "nopass" in line] == ["user probe on nopass resetchannels -@all +ping"]


def test_written_again_nothing_changes_and_one_more_service_changes_no_other(tmp_path: Path) -> None:
    assert len(write(tmp_path, WHERE)) == len(read(tmp_path))
    before = read(tmp_path)
    assert write(tmp_path, WHERE) == []
    more = replace(WHERE, participants=[*WHERE.participants, "hotel"])
    assert write(tmp_path, more) == ["redis/users.acl", "hotel/mongo_url", "hotel/redis_url"]
    assert {name: read(tmp_path)[name] for name in before if name != "redis/users.acl"} == {
        name: text for name, text in before.items() if name != "redis/users.acl"
    }


def test_without_its_master_everything_gets_new_passwords_and_added_keys_stay(tmp_path: Path) -> None:
    write(tmp_path, WHERE)
    result = saga("key", "new", "web-shop", "--scopes", "start", "--file", str(tmp_path / "orchestrator/api_keys"))
    assert result.exit_code == 0, result.output
    assert write(tmp_path, WHERE) == []
    before = read(tmp_path)
    (tmp_path / "init/master").unlink()
    write(tmp_path, WHERE)
    after = read(tmp_path)
    assert not [name for name in before if before[name] == after[name]]
    ring = KeyRing(file=tmp_path / "orchestrator/api_keys")
    assert {key.name: key.scopes for key in ring.keys} == {
        "operator": frozenset(Access),
        "prometheus": frozenset([Access.READ]),
        "web-shop": frozenset([Access.START]),
    }
    assert ring.find(after["operator/api_key"].strip())
    assert ring.find(before["operator/api_key"].strip()) is None


def test_every_secret_of_before_is_kept_because_mongodb_may_have_any_of_them(tmp_path: Path) -> None:
    write(tmp_path, WHERE)
    masters = []
    for _ in range(3):
        masters.append((tmp_path / "init/master").read_text())
        assert "init/previous" in write(tmp_path, WHERE, new=True)
    assert (tmp_path / "init/previous").read_text() == "".join(masters)
    assert (tmp_path / "init/master").read_text() not in masters
    assert write(tmp_path, WHERE) == []


def test_secrets_of_before_are_not_kept_without_end(tmp_path: Path) -> None:
    write(tmp_path, WHERE)
    (tmp_path / "init/previous").write_text("".join(f"{number:064x}\n" for number in range(100)))
    last = (tmp_path / "init/master").read_text()
    write(tmp_path, WHERE, new=True)
    kept = (tmp_path / "init/previous").read_text().splitlines(keepends=True)
    assert (len(kept), kept[-1]) == (50, last)


def test_files_are_for_their_readers_only(tmp_path: Path) -> None:
    write(tmp_path, WHERE)
    write(tmp_path, WHERE, new=True)
    found = {str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    modes = {name: mode for name, mode in found.items() if "/" in name}
    # These servers run as users of their own, in the group of whoever wrote the files.
    servers = dict.fromkeys(("mongo/keyfile", "redis/users.acl", "prometheus/api_key"), 0o440)
    expected = dict.fromkeys(modes, 0o400) | servers | {"orchestrator/api_keys": 0o600}
    assert modes == expected
    assert not [name for name, mode in found.items() if mode & 0o027 and name not in modes]


def test_a_master_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    (tmp_path / "init/master").write_text("changeme\n")
    with pytest.raises(Failure, match="init/master holds no secret"):
        write(tmp_path, WHERE)
    result = saga("secrets", str(tmp_path))
    assert (result.exit_code, "changeme" in result.output) == (1, False)


def test_a_secret_is_not_shown_by_accident() -> None:
    passwords = Passwords.new()
    assert passwords.secret.hex() not in repr(passwords)
    assert repr(passwords.secret) not in repr(passwords)
    assert contents_of(WHERE, passwords) == contents_of(WHERE, Passwords(passwords.secret))
    assert len(passwords.key_file) <= 1024
