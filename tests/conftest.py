"""Real servers for the tests.

`SAGA_TEST_MONGO_URL` / `SAGA_TEST_REDIS_URL` name running ones; else `--servers` says where they come from: `wheels`
(local programs), `containers` (by Docker), or `auto` (default: containers where Docker answers and has the images, else
local programs). What a test stops, kills or flushes is its own, and a local program in any case: `own_mongo`,
`own_redis`. Where none can be had, tests that need one are skipped on a developer's machine and fail in CI (`CI=true`).
The last lines of a run say what the servers were.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import hypothesis
import pytest
import structlog

from adapters.servers import ClusterRedis, LocalServer, MongoServer, RedisServer, SentinelRedis, ServerMissing
from support.containers import mongo_container, redis_container, why_none
from support.scheduling import Scheduling, in_order
from support.simulated import summary

S = TypeVar("S", LocalServer, MongoServer, RedisServer, SentinelRedis, ClusterRedis)

_USED = pytest.StashKey[set[str]]()  #: what the shared servers were, in words


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--servers",
        choices=("auto", "wheels", "containers"),
        default="auto",
        help="where shared MongoDB and Redis servers come from: local programs, Docker, or what there is",
    )


def pytest_configure(config: pytest.Config) -> None:
    """End like Ctrl-C on SIGTERM too, so that `timeout 60 pytest` leaves no servers behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.stash[_USED] = set()
    # How long an example takes is the machine's business, and says nothing about what is tested.
    hypothesis.settings.register_profile(
        "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("tests")
    # By default structlog draws each traceback with all local variables: seconds in which a test's event loop stands.
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, plain])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        used: set[str] = session.config.stash[_USED]
        session.config.workeroutput["servers"] = list(used)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_USED].update(getattr(node, "workeroutput", {}).get("servers", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    used: set[str] = config.stash[_USED]
    for line in sorted(used):
        terminalreporter.write_line(line)
    if simulated := summary(reports):
        terminalreporter.write_line(simulated)


@pytest.fixture(autouse=True)
def _logs_stay_as_they_were() -> Iterator[None]:
    """A command that is run in this process sets up its logs for good, and loggers keep what they were set up with."""
    before = structlog.get_config()
    yield
    if structlog.get_config() != before:
        structlog.configure(**before)
        for module in list(sys.modules.values()):
            logger = getattr(module, "log", None) or getattr(module, "_log", None)
            if isinstance(logger, structlog._config.BoundLoggerLazyProxy):  # noqa: SLF001 - its cache has no other way out
                vars(logger).pop("bind", None)


@pytest.fixture(scope="session")
def mongo_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A real MongoDB replica set, shared: use a database prefix of your own."""
    with _shared(pytestconfig, "SAGA_TEST_MONGO_URL", MongoServer, mongo_container) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A real Redis or Valkey, shared: use a stream prefix of your own and never flush it."""
    with _shared(pytestconfig, "SAGA_TEST_REDIS_URL", RedisServer, redis_container) as url:
        yield url


@pytest.fixture(scope="session")
def sentinel_redis() -> Iterator[SentinelRedis]:
    """A Redis with Sentinels, shared; whatever is killed of it has to be started again."""
    with _private(SentinelRedis) as servers:
        yield servers


@pytest.fixture(scope="session")
def cluster_redis() -> Iterator[ClusterRedis]:
    """A Redis Cluster, shared; whatever is killed of it has to be started again."""
    with _private(ClusterRedis) as servers:
        yield servers


@pytest.fixture
def own_mongo() -> Iterator[MongoServer]:
    """A MongoDB for this test alone, started: it may be stopped, killed and restarted."""
    with _private(MongoServer) as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis for this test alone, started: it may be flushed, stopped, killed and restarted."""
    with _private(RedisServer) as server:
        yield server


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """An empty directory for servers, removed afterwards (MongoDB's journal alone takes 300 MB)."""
    with _directory() as directory:
        yield directory


@contextmanager
def _shared(
    config: pytest.Config,
    variable: str,
    server: Callable[[Path], LocalServer],
    container: Callable[[], AbstractContextManager[str]],
) -> Iterator[str]:
    wanted, used = config.getoption("servers"), config.stash[_USED]
    if given := os.environ.get(variable):
        used.add(f"servers: {variable}")
        yield given
    elif wanted == "wheels" or (why_none() and wanted == "auto"):
        with _private(server) as started:
            used.add("servers: local programs" + (f" (no containers: {why_none()})" if wanted == "auto" else ""))
            yield started.url
    elif why_none():
        pytest.fail(f"--servers containers: {why_none()}", pytrace=False)
    else:
        with container() as url:
            used.add("servers: containers; those that tests stop, kill or flush: local programs")
            yield url


@contextmanager
def _private(server: Callable[[Path], S]) -> Iterator[S]:
    with _directory() as directory:
        own = server(directory)
        try:
            own.start()
        except ServerMissing as missing:
            _without_server(str(missing))
        try:
            yield own
        finally:
            own.kill()  # Nothing of its data is wanted any more.


@contextmanager
def _directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="saga-test-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _without_server(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
