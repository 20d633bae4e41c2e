"""URLs of servers: what is shown of them, and one for each server of a set."""

import pytest

from adapters.urls import direct_urls, masked


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        "mongodb://a:1,b:2/shop?replicaSet=rs0&w=majority",
        "redis://127.0.0.1:6379/0",
        "redis://joe@127.0.0.1:6379/0",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_a_url_without_a_password_stays_as_it_is(url: str) -> None:
    assert masked(url) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mongodb://joe:s3cret@a:1,b:2/?replicaSet=rs0", "mongodb://joe:***@a:1,b:2/?replicaSet=rs0"),
        ("mongodb+srv://joe:s3cret@example.org/", "mongodb+srv://joe:***@example.org/"),
        ("redis://:s3cret@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("rediss://joe:a@s3cret@127.0.0.1/0", "rediss://joe:***@127.0.0.1/0"),
        ("unix://joe:s3cret@/run/redis.sock", "unix://joe:***@/run/redis.sock"),
        ("unix:///run/redis.sock?password=s3cret&db=1", "unix:///run/redis.sock?password=***&db=1"),
        ("mongodb://a/?tlsCertificateKeyFilePassword=s3cret", "mongodb://a/?tlsCertificateKeyFilePassword=***"),
        ("mongodb://a/?authMechanismProperties=AWS_SESSION_TOKEN:s3cret", "mongodb://a/?authMechanismProperties=***"),
        ("mongodb://joe:s3/cret@a/", "***"),
        ("joe:s3cret@a", "***"),
    ],
)
def test_no_password_is_ever_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_each_server_of_a_set_is_asked_by_itself_with_the_same_user() -> None:
    assert direct_urls("mongodb://joe:pw@a:1,b:2/shop?replicaSet=rs0&tls=true") == [
        "mongodb://joe:pw@a:1/shop?tls=true&directConnection=true",
        "mongodb://joe:pw@b:2/shop?tls=true&directConnection=true",
    ]
    assert direct_urls("mongodb://a") == ["mongodb://a/?directConnection=true"]


def test_servers_that_stand_in_dns_are_not_guessed() -> None:
    assert direct_urls("mongodb+srv://example.org/") == []
    assert direct_urls("not a url") == []
