"""Thousands of requests made from the OpenAPI document, every check on: what is answered is what is written there.

`TEST_FUZZ_EXAMPLES` says how many for each operation; the gate asks for 100, `SAGA_SOAK=1` for 5,000. `SAGA_FUZZ_SEED`
takes another seed.
"""

import hashlib
import os
import sys

import pytest

from adapters.bus import Delivery
from orchestrator.keys import KeyRing, parse_keys
from support.api import Api, running
from support.fuzzing import SOAK, Watched, fuzz, served

EXAMPLES = 5_000 if SOAK else int(os.environ.get("TEST_FUZZ_EXAMPLES", "15"))
SEED = int(os.environ.get("SAGA_FUZZ_SEED", "20261126"))
LETTERS = 500
KEY = "the-key-of-the-fuzzer"


def ring() -> KeyRing:
    return KeyRing(parse_keys(f"fuzzer:{hashlib.sha256(KEY.encode()).hexdigest()}:read+start+operate"))


@pytest.mark.slow
@pytest.mark.timeout(6 * 3_600 if SOAK else 900)
async def test_every_answer_is_one_that_the_document_describes() -> None:
    api = Api(keys=ring(), max_active=10_000_000)
    api.services.stopping.set()  # Nobody waits for an end, and no stream goes on for ever.
    api.answering(confirm="sold")  # After the pivot, so sagas get stuck: there is work for operators.
    for number in range(LETTERS):
        await api.letters(Delivery("saga.replies", f"{number}-0", {"id": "a/b/action", "data": "{"}), "no JSON")
    watched = Watched(api.app)
    async with running(api), served(watched) as url:
        await fuzz(
            url,
            *("--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"),
            seed=SEED,
            key=KEY,
            letters=sorted(api.letters.letters),
        )
    sys.stdout.write(f"answers: {dict(watched.statuses)}\n")
    assert watched.leaks == []
    assert not [status for status in watched.statuses if status >= 500]
