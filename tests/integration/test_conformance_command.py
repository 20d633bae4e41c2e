"""`saga conformance` as it is typed, against the shipped inventory and the example courier in their processes."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
from redis.asyncio import Redis

from adapters.mongo import Mongo
from adapters.urls import masked
from chaos.conformance.checks_entries import CHECKS
from cli.failure import Exit
from support.commandline import CommandLine, Running
from support.saga_command import saga
from support.source import ROOT
from support.waiting import eventually

BOOTS = '{"items": [{"product_id": "boots", "quantity": 1}]}'
SOLD_OUT = '{"items": [{"product_id": "sold-out", "quantity": 1}]}'


@pytest.fixture
def line(tmp_path: Path, mongo_url: str, redis_url: str) -> CommandLine:
    name = f"t{uuid4().hex[:8]}"
    return CommandLine(
        tmp_path,
        {
            "SAGA_MONGO_URL": mongo_url,
            "SAGA_REDIS_URL": redis_url,
            "SAGA_DATABASE_PREFIX": f"{name}_",
            "SAGA_STREAM_PREFIX": f"{name}.",
            "PYTHONPATH": str(ROOT),
        },
    )


@contextmanager
def inventory(line: CommandLine) -> Iterator[Running]:
    assert line.run("seed").returncode == 0
    with line.running("participant", "inventory") as running:
        yield running


def ledger(line: CommandLine) -> str:
    host = line.environment["SAGA_MONGO_URL"].split("/")[2]
    return f"mongodb://{host}/{line.environment['SAGA_DATABASE_PREFIX']}inventory.ledger?directConnection=true"


async def read_by_a_group(line: CommandLine, participant: str) -> None:
    redis = Redis.from_url(line.environment["SAGA_REDIS_URL"])
    stream = f"{line.environment['SAGA_STREAM_PREFIX']}commands.{participant}"

    async def there() -> bool:
        return bool(await redis.exists(stream)) and bool(await redis.xinfo_groups(stream))

    try:
        await eventually(there, within_s=30)
    finally:
        await redis.aclose()


async def test_the_shipped_inventory_keeps_its_duties(line: CommandLine) -> None:
    step = ["--saga", "sagas.order:order", "--step", "reserve-stock", "--data", BOOTS, "--rejected-data", SOLD_OUT]
    with inventory(line):
        await read_by_a_group(line, "inventory")
        done = line.run("conformance", *step, "--ledger", ledger(line), "--destructive", "--json", "--junit", "j.xml")
        refused = line.run("conformance", *step, "--data", SOLD_OUT)
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    sheet = json.loads(done.stdout)
    assert (sheet["ok"], sheet["seen_by"]) == (True, "replies and the ledger")
    assert {check["name"]: check["status"] for check in sheet["checks"] if check["status"] != "passed"} == {}
    suite = ET.parse(line.directory / "j.xml").getroot()  # noqa: S314 - written by us
    assert (suite.get("tests"), suite.get("failures")) == (str(len(sheet["checks"])), "0")

    assert refused.returncode == Exit.USAGE
    assert "out-of-stock" in refused.stderr
    mongo = Mongo.connect(line.environment["SAGA_MONGO_URL"])
    database = mongo.database(f"{line.environment['SAGA_DATABASE_PREFIX']}inventory")
    try:
        boots = await database["products"].find_one({"_id": "boots"})
        assert boots["available"] == 1_000_000, "what was taken is back"
    finally:
        await database.client.drop_database(database.name)
        await mongo.close()


async def test_the_example_in_python_keeps_its_duties(line: CommandLine) -> None:
    prefix = line.environment.pop("SAGA_STREAM_PREFIX")
    source = (ROOT / "examples" / "courier.py").read_text().replace('"saga.commands', f'"{prefix}commands')
    (line.directory / "courier.py").write_text(source)
    line.environment["SAGA_STREAM_PREFIX"] = prefix
    program = [sys.executable, "courier.py", line.environment["SAGA_REDIS_URL"], "courier.db"]
    step = ["--saga", "examples.parcel:parcel", "--step", "book-courier", "--inbox-expiry", "never"]
    with line.running_program("courier", program):
        await read_by_a_group(line, "courier")
        done = line.run("conformance", *step, "--rejected-data", '{"address": "x", "weight_g": 99999}', "--destructive")
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    assert "51 passed, 4 skipped" in done.stdout


def test_without_an_answer_it_says_where_to_look(redis_url: str) -> None:
    stream = f"t{uuid4().hex[:8]}.commands.nobody"
    done = saga("conformance", "--redis", redis_url, "--stream", stream, "--action", "x.y", "--timeout", "100ms")
    assert done.exit_code == Exit.TIMEOUT
    assert "does not exist, so nobody reads the stream" in done.stderr


def test_a_redis_that_is_away_is_named_without_its_password() -> None:
    url = "redis://:secret@127.0.0.1:1/0"
    done = saga("conformance", "--redis", url, "--action", "x.y", "--stream", "saga.commands.x")
    assert done.exit_code == Exit.OTHER
    assert masked(url) in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--action"),
        (["--action", "nodot"], "--action"),
        (["--action", "a.b", "--data", "[1]"], "--data must be a JSON object"),
        (["--action", "a.b", "--rejected-data", "{"], "--rejected-data is not JSON"),
        (["--action", "a.b", "--inbox-expiry", "1d"], "--inbox-expiry"),
        (["--action", "a.b", "--only", "repeet"], "repeat"),
        (["--action", "a.b", "--ledger", "nothing"], "--ledger: write it like"),
        (["--action", "a.b", "--redis", "http://127.0.0.1"], "--redis: "),
        (["--saga", "sagas.order:order", "--step", "reserve"], "reserve-stock, charge-payment, confirm"),
        (["--saga", "sagas.order:nothing", "--step", "reserve"], "is not a Saga"),
    ],
)
def test_what_is_typed_wrong_is_explained(arguments: list[str], says: str) -> None:
    redis = [] if "--redis" in arguments else ["--redis", "redis://127.0.0.1:1/0"]
    done = saga("conformance", *redis, *arguments)
    assert done.exit_code == Exit.USAGE, done.stderr
    assert says in done.stderr


def test_the_list_says_what_is_required_and_why() -> None:
    people, programs = saga("conformance", "--list", "--only", "race"), saga("conformance", "--list", "--json")
    assert people.exit_code == programs.exit_code == Exit.OK
    assert "must: An action and its compensation that run at once must meet at one key" in people.stdout
    assert "needs --compensation" in people.stdout
    listed = json.loads(programs.stdout)
    assert [check["name"] for check in listed] == [check.name for check in CHECKS]
    assert all(check["must"] and check["why"] for check in listed)
