"""Which environment variables somebody here reads, and which one that nobody does is told of."""

import re

from cli.variables import remarks, unread
from support.source import python


def test_every_variable_that_the_product_reads_is_known() -> None:
    read = {
        name
        for source in python()
        if source.below("cli/", "adapters/", "orchestrator/", "participants/", "sagas/")
        for name in re.findall(r"[\"'](SAGA_[A-Z_]*[A-Z])[\"']", source.text)
    }

    assert len(read) > 3
    assert unread(dict.fromkeys(read, "")) == []


def test_a_misspelled_one_is_told_of() -> None:
    environ = {"SAGA_HTTP_PROT": "8701", "SAGA_HTTP_PORT": "8702", "SAGA_SOAK": "1", "HOME": "/"}
    assert unread(environ) == ["SAGA_HTTP_PROT"]
    assert "Nobody here reads SAGA_HTTP_PROT. Is it misspelled?" in remarks(environ)[0]
