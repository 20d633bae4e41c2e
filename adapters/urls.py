"""Servers' URLs as text: without their passwords, and one for each server of a set. Pure, and names no driver."""

import re

MASK = "***"

_PARTS = re.compile(
    r"^(?P<scheme>[a-z+]+://)(?:(?P<user>[^/?#]*)@)?(?P<hosts>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<options>.*))?$"
)
_SECRET = re.compile(r"password|token|authmechanismproperties", re.IGNORECASE)
_OF_A_SET = {"replicaset", "directconnection", "loadbalanced"}  #: options that make a driver look for a set
_OF_A_USER = {"authsource", "authmechanism", "authmechanismproperties"}


def masked(url: str) -> str:
    """The URL as anybody may see it. One without a password stays as it is, so that programs can connect with it."""
    parts = _PARTS.match(url)
    if parts is None or "@" in parts["hosts"] + parts["path"]:
        return url if "@" not in url else MASK  # Not a URL: it can't be told what of it is secret.
    user, colon, password = (parts["user"] or "").partition(":")
    before = f"{user}{colon}{MASK if password else ''}@" if parts["user"] is not None else ""
    options = "&".join(_masked_option(option) for option in (parts["options"] or "").split("&"))
    return f"{parts['scheme']}{before}{parts['hosts']}{parts['path']}{'?' if options else ''}{options}"


def direct_urls(url: str, *, anonymous: bool = False) -> list[str]:
    """A URL for each server that a `mongodb://` URL names: to ask it directly, whatever set it is in.

    `anonymous`: without the user.
    """
    parts = _PARTS.match(url)
    if parts is None or parts["scheme"] != "mongodb://":
        return []  # The servers of `mongodb+srv://` stand in DNS.
    before = f"{parts['user']}@" if parts["user"] is not None and not anonymous else ""
    left_out = _OF_A_SET | (_OF_A_USER if anonymous else set())
    kept = [option for option in (parts["options"] or "").split("&") if option and _name(option) not in left_out]
    options = "&".join([*kept, "directConnection=true"])
    return [f"mongodb://{before}{host}{parts['path'] or '/'}?{options}" for host in parts["hosts"].split(",")]


def hosts_of(url: str) -> list[str]:
    """The servers that a `mongodb://` URL names, as `host:port`."""
    parts = _PARTS.match(url)
    return [] if parts is None else parts["hosts"].split(",")


def _masked_option(option: str) -> str:
    return f"{option.partition('=')[0]}={MASK}" if _SECRET.search(_name(option)) else option


def _name(option: str) -> str:
    return option.partition("=")[0].lower()
