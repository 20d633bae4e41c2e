"""The page of metrics: true to Prometheus' rules and its own documentation, and there while a server is away."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.bus import Delivery
from adapters.errors import Unavailable
from adapters.metrics import Type
from adapters.streams.counts import Counts
from adapters.streams.figures import GroupFigures, StreamFigures
from adapters.streams.names import Streams
from adapters.streams.readers import Readers
from cli.metrics_page import as_markdown
from orchestrator.api.guard import Limits
from orchestrator.core.state import Status
from orchestrator.memory_dead_letters import MemoryDeadLetters
from orchestrator.metrics.catalogue import every_metric
from orchestrator.metrics.census import MemoryCensus
from orchestrator.metrics.exposition import Exposition
from orchestrator.metrics.recorder import Recorder
from orchestrator.metrics.sampler import Sampler, Sources, watched
from sagas import Definitions
from sagas.order import order
from support.api import Api, running
from support.engines import World
from support.metrics import Read
from support.orders import started
from support.source import ROOT

STREAMS = (
    StreamFigures("saga.replies", 5, 1, [GroupFigures("orchestrator", 3, 2, 1.5, 1)]),
    StreamFigures("saga.commands.inventory", 0, 0, [GroupFigures("inventory", None)]),
)
READERS = (Readers("saga.replies", "orchestrator", there=True, living=2),)
Ask = Callable[[], Coroutine[Any, Any, Sequence[StreamFigures]]]


class Redis:
    """Answers with figures, or as it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.silent = asyncio.Event()
        self.silent.set()

    async def figures(self) -> Sequence[StreamFigures]:
        self.asked += 1
        await self._answer()
        return STREAMS

    async def readers(self) -> Sequence[Readers]:
        await self._answer()
        return READERS

    async def _answer(self) -> None:
        await self.silent.wait()
        if self.error is not None:
            raise self.error


class Scraped:
    """Metrics over in-memory twins."""

    def __init__(self, redis: Redis | None = None, world: World | None = None) -> None:
        self.world, self.redis = world or World(), redis or Redis()
        self.letters = MemoryDeadLetters(self.world.clock)
        sources = Sources(
            sagas=["order"],
            counts=Counts(settled=7),
            starts_waiting=lambda: 4,
            streams=self.redis.figures,
            readers=self.redis.readers,
            mongodb=self.world.store.ping,
            census=MemoryCensus(self.world.store).take,
            dead_letters=self.letters.waiting,
        )
        self.sampler = Sampler(sources, within_s=0.05)
        self.recorder = Recorder(["order"])
        self.exposition = Exposition(self.recorder, self.sampler)

    async def read(self) -> Read:
        return Read((await self.exposition.text()).decode())


async def test_every_metric_of_the_catalogue_and_no_other_is_on_the_page() -> None:
    scraped = Scraped()
    await scraped.world.start("a")
    scraped.recorder.answered("/v1/sagas", "POST", 202, 0.01)
    page = await scraped.read()
    own = {name: family for name, family in page.families.items() if not name.startswith("process_")}
    assert {name: family.type for name, family in own.items()} == {
        metric.name.removesuffix("_total"): metric.type.value for metric in every_metric()
    }
    for metric in every_metric():
        for sample in own[metric.name.removesuffix("_total")].samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), metric.name


def test_names_keep_to_prometheus_rules() -> None:
    for metric in every_metric():
        assert re.fullmatch(r"saga_[a-z][a-z_]*[a-z]", metric.name)
        assert metric.name.endswith("_total") == (metric.type is Type.COUNTER), metric.name
        assert not re.search(r"_(ms|millis|milliseconds|minutes|s|bytes_total|count|sum|bucket)$", metric.name)
        assert metric.help.endswith("."), metric.name
        assert bool(metric.buckets) == (metric.type is Type.HISTOGRAM)
        assert list(metric.buckets) == sorted(metric.buckets)
    names = [metric.name for metric in every_metric()]
    assert len(names) == len(set(names))


def test_no_label_grows_without_a_bound() -> None:
    bounded = {"saga", "step", "kind", "outcome", "status", "effect", "route", "method", "stream", "group"}
    bounded |= {"dependency", "version", "python"}
    assert {label for metric in every_metric() for label in metric.labels} <= bounded


def test_the_documentation_is_what_the_code_says() -> None:
    # Made anew by: python -m cli.metrics_page > docs/metrics.md
    assert (ROOT / "docs" / "metrics.md").read_text() == as_markdown()


def linted(page: bytes) -> tuple[int, bytes, bytes]:
    """What promtool says."""
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    return checked.returncode, checked.stdout, checked.stderr


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
async def test_prometheus_own_linter_has_nothing_to_say_of_the_page() -> None:
    scraped = Scraped()
    await scraped.world.start("a")
    scraped.recorder.answered("/v1/sagas", "POST", 202, 0.01)
    page = await scraped.exposition.text()
    assert linted(page) == (0, b"", b"")


async def test_no_series_tells_when_it_was_made() -> None:
    assert b"_created" not in await Scraped().exposition.text()


async def test_an_unknown_lag_is_absent_and_said_to_be_unknown() -> None:
    page = await Scraped().read()
    assert page.value("saga_stream_group_lag", stream="saga.replies", group="orchestrator") == 3
    assert page.value("saga_stream_group_lag_known", stream="saga.replies", group="orchestrator") == 1
    lost = {"stream": "saga.commands.inventory", "group": "inventory"}
    assert page.value("saga_stream_group_lag", **lost) is None
    assert page.value("saga_stream_group_lag_known", **lost) == 0
    assert page.value("saga_dead_letter_stream_length", stream="saga.replies") == 1
    assert page.value("saga_bus_entries_settled_total") == 7
    assert page.value("saga_starts_waiting") == 4
    assert page.value("saga_stream_group_consumers", stream="saga.replies", group="orchestrator") == 2


async def test_dead_letters_are_those_that_wait_for_somebody_and_not_what_their_streams_keep() -> None:
    scraped = Scraped()
    await scraped.letters(Delivery("saga.commands.inventory", "1-1", {}), "not JSON")
    page = await scraped.read()
    assert page.value("saga_dead_letters", stream="saga.commands.inventory") == 1
    assert page.value("saga_dead_letters", stream="saga.replies") == 0
    scraped.redis.error = Unavailable("away")
    scraped.letters.away = True
    assert (await scraped.read()).all("saga_dead_letters") == {("saga.commands.inventory",): 1}


async def test_the_sagas_in_flight_and_the_oldest_of_them() -> None:
    scraped = Scraped()
    begun = scraped.world.clock.now().timestamp()
    await scraped.world.start("a")
    scraped.world.clock.advance(60)
    await scraped.world.start("b")
    page = await scraped.read()
    assert page.value("saga_active", saga="order", status="running") == 2
    assert page.value("saga_active", saga="order", status="stuck") == 0
    assert page.value("saga_oldest_active_timestamp_seconds", saga="order") == begun


async def test_one_that_waits_for_a_person_is_not_the_oldest_and_hides_none_that_should_move() -> None:
    scraped = Scraped()
    begun = scraped.world.clock.now()
    store = scraped.world.store
    await store.insert([replace(started("a", begun).state, status=Status.STUCK)])
    page = await scraped.read()
    assert page.value("saga_active", saga="order", status="stuck") == 1
    assert page.value("saga_oldest_active_timestamp_seconds", saga="order") is None
    for seconds, (saga_id, status) in enumerate({"b": Status.COMPENSATING, "c": Status.RUNNING}.items(), start=1):
        await store.insert([replace(started(saga_id, begun + timedelta(seconds=seconds)).state, status=status)])
    scraped = Scraped(world=scraped.world)
    page = await scraped.read()
    assert page.value("saga_oldest_active_timestamp_seconds", saga="order") == begun.timestamp() + 1


async def test_without_sagas_in_flight_there_is_no_oldest() -> None:
    page = await Scraped().read()
    assert page.value("saga_oldest_active_timestamp_seconds", saga="order") is None
    assert page.value("saga_active", saga="order", status="running") == 0


async def test_many_scrapes_ask_the_servers_once() -> None:
    scraped = Scraped()
    await asyncio.gather(*(scraped.read() for _ in range(20)))
    await scraped.read()
    assert scraped.redis.asked == 1


@pytest.mark.parametrize("error", [Unavailable("away"), KeyError("a defect of ours")])
async def test_a_server_that_is_away_is_down_and_its_figures_absent(error: Exception) -> None:
    redis = Redis()
    redis.error = error
    scraped = Scraped(redis)
    scraped.world.store.away = True
    page = await scraped.read()
    assert page.value("saga_dependency_up", dependency="redis") == 0
    assert page.value("saga_dependency_up", dependency="mongodb") == 0
    assert page.all("saga_stream_length") == {}
    assert page.all("saga_active") == {}
    assert page.value("saga_started_total", saga="order") == 0


async def test_a_server_that_says_nothing_delays_a_scrape_by_the_bound_alone() -> None:
    redis = Redis()
    redis.silent.clear()
    scraped = Scraped(redis)
    begun = asyncio.get_running_loop().time()
    page = await scraped.read()
    await scraped.read()
    assert asyncio.get_running_loop().time() - begun < 1
    assert redis.asked == 1
    assert page.value("saga_dependency_up", dependency="redis") == 0
    assert page.value("saga_dependency_up", dependency="mongodb") == 1
    redis.silent.set()
    late = await scraped.read()
    assert late.value("saga_dependency_up", dependency="redis") == 1
    assert late.value("saga_stream_length", stream="saga.replies") == 5


async def test_what_is_under_way_ends_with_the_service() -> None:
    redis = Redis()
    redis.silent.clear()
    scraped = Scraped(redis)
    await scraped.read()
    await scraped.sampler.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_the_streams_of_every_participant_are_watched() -> None:
    names = watched(Definitions([order]), Streams("s."), ["s.replies"])
    commands = [f"s.commands.{name}" for name in ("inventory", "orders", "payment")]
    assert names == [*commands, "s.replies", "s.events"]


async def test_requests_are_counted_by_route_method_and_status() -> None:
    async with running(Api()) as api:
        saga = (await api.start()).json()
        for path in (f"/v1/sagas/{saga['id']}", "/v1/sagas/unknown", "/v1/nothing", "/v1/sagas?limit=x"):
            await api.client.get(path)
        await api.client.request("BREW", "/livez")
        await api.send(b"{")
        answer = await api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    requests = Read(answer.text).all("saga_http_requests_total")
    assert requests == {
        ("POST", "/v1/sagas", "202"): 1,
        ("GET", "/v1/sagas/{saga_id}", "200"): 1,
        ("GET", "/v1/sagas/{saga_id}", "404"): 1,
        ("GET", "other", "404"): 1,
        ("GET", "/v1/sagas", "422"): 1,
        ("other", "/livez", "405"): 1,
        ("POST", "/v1/sagas", "400"): 1,
    }
    assert Read(answer.text).all("saga_http_request_duration_seconds_count") == requests


async def test_a_scrape_is_answered_while_requests_are_refused_and_these_are_counted() -> None:
    async with running(Api(limits=Limits(requests=0))) as api:
        assert (await api.start()).status_code == 503
        page = Read((await api.client.get("/metrics")).text)
    assert page.all("saga_http_requests_total") == {("POST", "other", "503"): 1}


@pytest.mark.parametrize("path", ["/v1/sagas/{}", "/{}"])
async def test_what_a_client_writes_becomes_no_label(path: str) -> None:
    async with running(Api()) as api:
        for number in range(50):
            await api.client.get(path.format(f"made-up-{number}"))
        text = (await api.client.get("/metrics")).text
    assert "made-up" not in text
    assert text.count("saga_http_requests_total{") == 1
