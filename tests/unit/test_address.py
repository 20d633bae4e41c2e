"""URLs of a Redis: what each means, and that a wrong one is explained without a word of it."""

import pytest

from adapters.streams.address import Address, BadAddress, Kind
from orchestrator.settings import InvalidSettings, Settings
from participants.settings import ParticipantSettings


def test_one_server_is_left_to_the_client() -> None:
    for url in ("redis://127.0.0.1:6379/0", "rediss://joe:pw@a/1", "redis://u@[::1]:1?db=2", "unix:///run/redis.sock"):
        assert Address.parse(url) == Address(Kind.ONE, url)


def test_sentinels_and_their_master() -> None:
    address = Address.parse("redis+sentinel://joe:p%40ss@a:26380,b,[::1]:26381/shop?db=2&sentinel_password=s")
    assert address.kind is Kind.SENTINEL
    assert address.nodes == (("a", 26380), ("b", 26379), ("::1", 26381))
    assert (address.master, address.db, address.username, address.password) == ("shop", 2, "joe", "p@ss")
    assert (address.options, address.tls) == ({"sentinel_password": "s"}, {})


def test_nodes_of_a_cluster() -> None:
    address = Address.parse("rediss+cluster://:pw@a,b:7000?ssl_ca_certs=/etc/ca.pem")
    assert (address.kind, address.nodes) == (Kind.CLUSTER, (("a", 6379), ("b", 7000)))
    assert (address.username, address.password) == (None, "pw")
    assert address.tls == {"ssl": True, "ssl_ca_certs": "/etc/ca.pem"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hunter2", "must begin with redis:// or"),
        ("redis://u:hunter2/x@a:1", "can't be read as redis://host:6379/0"),
        ("redis://:1/hunter2@a:1", "can't be read as redis://host:6379/0"),
        ("redis://u:1#hunter2@a:1", "can't be read as redis://host:6379/0"),
        ("rediss://u:p@a:hunter2", "can't be read as redis://host:6379/0"),
        ("redis://u:hunter2@[a", "can't be read as redis://host:6379/0"),
        ("redis://u:hunter2\u2100@a", "can't be read as redis://host:6379/0"),
        ("redis+sentinel://u:hunter2@a:1,b:2", "must end with the name by which the Sentinels know their master"),
        ("redis+sentinel://u:hunter2@a:1,b:2/", "must end with the name"),
        ("redis+sentinel://u:hunter2@a:1/m/0", "must end with the name"),
        ("redis+sentinel://u:hunter2@a:1,,b:2/m", "needs hosts and their ports, with commas between them"),
        ("redis+sentinel://u:hunter2@a:99999/m", "needs hosts and their ports"),
        ("redis+sentinel://u:hunter2@/m", "needs hosts and their ports"),
        ("redis+sentinel://u:hunter2@a/m?db=hunter2", "has a db that is no number"),
        ("redis+cluster://u:hunter2@a:1/0", "a cluster has one database, and no name"),
        ("redis+cluster://u:hunter2@a:1?db=1", "has an option that is not known"),
        ("redis+cluster://u:hun#ter2@a:1", "can't be read as redis+cluster://host-1:6379"),
    ],
)
def test_a_wrong_one_is_explained_and_never_shown(url: str, said: str) -> None:
    with pytest.raises(BadAddress) as raised:
        Address.parse(url)
    assert said in str(raised.value)
    assert "hunter2" not in repr(raised.value)
    with pytest.raises(InvalidSettings, match="SAGA_REDIS_URL") as refused:
        Settings.load(mongo_url="mongodb://a", redis_url=url)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ValueError, match="redis_url") as invalid:
        ParticipantSettings(redis_url=url)
    assert "hunter2" not in str(invalid.value)


def test_it_shows_no_password() -> None:
    assert "hunter2" not in repr(Address.parse("redis+sentinel://u:hunter2@a/m?sentinel_password=hunter2"))
