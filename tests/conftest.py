"""Real servers for the tests.

`SAGA_TEST_MONGO_URL` / `SAGA_TEST_REDIS_URL` name running ones; else `SAGA_TEST_SERVERS` says where they come from:
`auto` (default: a local program where one is found, else Docker), `wheels` (local programs only) or `containers`.
Where none can be had, tests that need one are skipped on a developer's machine and fail in CI (`CI=true`).
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

from adapters.servers import LocalServer, MongoServer, RedisServer, ServerMissing
from support.containers import docker_answers, mongo_container, redis_container
from support.scheduling import Scheduling, in_order
from support.simulated import summary

S = TypeVar("S", bound=LocalServer)


def pytest_configure() -> None:
    """End like Ctrl-C on SIGTERM too, so that `timeout 60 pytest` leaves no servers behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    if line := summary(reports):
        terminalreporter.write_line(line)


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
def mongo_url() -> Iterator[str]:
    """A real MongoDB replica set, shared: use a database prefix of your own."""
    with _shared("SAGA_TEST_MONGO_URL", MongoServer, mongo_container) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis or Valkey, shared: use a stream prefix of your own and never flush it."""
    with _shared("SAGA_TEST_REDIS_URL", RedisServer, redis_container) as url:
        yield url


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
    variable: str, server: Callable[[Path], LocalServer], container: Callable[[], AbstractContextManager[str]]
) -> Iterator[str]:
    wanted = os.environ.get("SAGA_TEST_SERVERS", "auto")
    if given := os.environ.get(variable):
        yield given
    elif wanted == "containers" or (wanted == "auto" and not _has_program(server) and docker_answers()):
        with container() as url:
            yield url
    else:
        with _private(server) as started:
            yield started.url


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


def _has_program(server: Callable[[Path], LocalServer]) -> bool:
    try:
        server(Path()).find()
    except ServerMissing:
        return False
    return True


def _without_server(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
