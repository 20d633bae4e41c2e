"""Whatever is on somebody else's stream: each entry gets its verdict, and the good ones beside it start their sagas."""

import asyncio
import json
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from adapters.bus import Ack, Dead, Delivery
from adapters.clock import SystemClock
from adapters.memory_bus import MemoryBus
from adapters.streams.names import Streams
from orchestrator.admission import Admission
from orchestrator.announcer import Announcer
from orchestrator.engine import Engine
from orchestrator.memory_store import MemorySagaStore
from orchestrator.start_events import StartEvents, saga_id
from orchestrator.starting import Starter
from sagas import Definitions
from support.start_events import STREAM, order_created, thanks

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
ORDERS = st.fixed_dictionaries({}, optional=dict.fromkeys(("orderId", "order_id", "customerId", "note", "$x"), JSON))
DATA = st.text(max_size=50) | st.builds(json.dumps, JSON | ORDERS)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["ORDER_CREATED"] * 4 + ["OTHER", ""]) | st.text(max_size=20),
        "data": DATA,
        "timestamp": st.text(max_size=20),
        "traceparent": st.text(max_size=60),
    },
)


@given(st.lists(FIELDS, max_size=8))
def test_every_entry_gets_a_verdict_and_disturbs_no_other(entries: list[Mapping[str, str]]) -> None:
    asyncio.run(_all_of(entries))


async def _all_of(entries: list[Mapping[str, str]]) -> None:
    clock, store = SystemClock(), MemorySagaStore()
    engine = Engine(Definitions([thanks]), store, Announcer(MemoryBus(clock), Streams(), clock), clock)
    starter = Starter(engine)
    handler = StartEvents(STREAM, [thanks], starter, Admission(store, clock, limit=100))
    good = [order_created(f"good-{number}").fields for number in range(2)]
    read = [Delivery(STREAM, f"{number}-0", fields) for number, fields in enumerate([good[0], *entries, good[1]])]

    verdicts = await handler(read)
    again = await handler(read)
    await starter.stop()

    assert len(verdicts) == len(read)
    assert verdicts[0] == verdicts[-1] == Ack()
    assert all(verdict == Ack() or (isinstance(verdict, Dead) and verdict.reason) for verdict in verdicts)
    assert {saga_id("thanks", f"o-good-{number}") for number in range(2)} <= store.sagas.keys()
    assert again == verdicts, "the same ones when they come again"
