"""What `saga up` says once everything runs: where it is, what to try, and which commands nobody here answers."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from chaos.samples import NoExample, example
from cli.databases import Databases
from participants.participant import Participant
from sagas import Saga
from sagas.checks import endpoints


def banner(url: str, where: Databases, own: Sequence[Saga], remarks: Iterable[str]) -> str:
    """What runs where, and what to try: a saga of the user's own where there is one."""
    said = "".join(f"\n! {remark}" for remark in remarks)
    return f"""
  saga      {url}      API: {url}/docs
  MongoDB   {where.mongo_shown}
  Redis     {where.redis_shown}

Try
{_own_saga(own[0]) if own else _order(url)}
and see it with `saga ls`, `saga show ID`. Ctrl-C ends everything; the data stays.
{said}"""


def _order(url: str) -> str:
    return f"""  curl -s {url}/v1/sagas -H 'Content-Type: application/json' -H 'Prefer: wait=10' \\
    -d '{{"saga": "order", "data": {{"customer_id": "alice", "items": [{{"product_id": "boots", "quantity": 1}}]}}}}'"""


def _own_saga(saga: Saga) -> str:
    try:
        data = json.dumps(example(saga.input, Random(0)), ensure_ascii=False)
    except NoExample:
        data = "@input.json"
    return f"  saga start {saga.name} --data {shlex.quote(data)} --wait 10s"


def unanswered(sagas: Iterable[Saga], participants: Iterable[Participant]) -> Iterator[str]:
    """What the sagas ask that none of these participants answers. One that runs elsewhere may: so it is a remark."""
    here = {participant.name: participant.handlers for participant in participants}
    asked = [(saga.name, endpoint) for saga in sagas for endpoint in endpoints(saga.nodes)]
    for saga, endpoint in asked:
        if endpoint.participant in here and endpoint.type not in here[endpoint.participant]:
            yield f"{saga}: the participant {endpoint.participant} has no handler for {endpoint.type}."
    for name in dict.fromkeys(endpoint.participant for _, endpoint in asked if endpoint.participant not in here):
        sagas_of = dict.fromkeys(saga for saga, endpoint in asked if endpoint.participant == name)
        yield (
            f"{', '.join(sagas_of)}: no participant {name} runs here. "
            "Add it with --participant module:attribute, unless it runs elsewhere."
        )
