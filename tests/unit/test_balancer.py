"""deploy/balancer: the balancer repeats no request that may not be done twice. test_containers.py runs it."""

import re

from support.api import Api, running
from support.source import ROOT

CONFIGURATION = (ROOT / "deploy/balancer/haproxy.cfg").read_text()


async def test_only_reading_and_starts_with_a_key_are_sent_again() -> None:
    async with running(Api()) as api:
        heeding = {
            path
            for path, operations in api.app.openapi()["paths"].items()
            for operation in operations.values()
            if "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", ())}
        }
    (starting,) = re.findall(r"^    acl starting path (.+)$", CONFIGURATION, re.MULTILINE)
    assert set(starting.split()) == heeding
    rules = re.findall(r"^    http-request disable-l7-retry (.+)$", CONFIGURATION, re.MULTILINE)
    assert rules == ["unless METH_GET or METH_POST starting { req.hdr(Idempotency-Key) -m found }"]
