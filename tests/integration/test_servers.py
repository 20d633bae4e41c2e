"""Servers of our own: found, started, adopted, restarted on the same port and data, and never somebody else's."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern

from adapters.servers import (
    MongoServer,
    RedisServer,
    ServerFailed,
    ServerMissing,
    Servers,
    find_mongod,
    find_redis_server,
)


def remember(server: MongoServer, word: str) -> None:
    with MongoClient[dict[str, Any]](server.url) as client:
        durable = client.test.get_collection("words", write_concern=WriteConcern("majority", j=True))
        durable.insert_one({"_id": word})


def remembered(server: MongoServer) -> list[str]:
    with MongoClient[dict[str, Any]](server.url) as client:
        return [row["_id"] for row in client.test.words.find()]


def ask_redis(server: RedisServer, command: str) -> str:
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(4096).decode()


class TestBoth:
    def test_they_start_in_an_empty_directory_and_stop(self, server_directory: Path) -> None:
        servers = Servers(server_directory / "new" / "place")
        servers.start()
        try:
            with MongoClient[dict[str, Any]](servers.mongo_url) as client, client.start_session() as session:
                with session.start_transaction():
                    client.test.words.insert_one({"_id": "boots"}, session=session)
                assert client.test.words.count_documents({}) == 1
            assert ask_redis(servers.redis, "PING") == "+PONG\r\n"
        finally:
            servers.stop()
        assert not servers.mongo.is_running()
        assert not servers.redis.is_running()

    def test_a_server_whose_url_is_given_is_not_started(self, server_directory: Path) -> None:
        servers = Servers(server_directory, mongo_url="mongodb://elsewhere", redis_url="redis://elsewhere")
        servers.start()
        servers.stop()
        assert (servers.mongo_url, servers.redis_url) == ("mongodb://elsewhere", "redis://elsewhere")
        assert not list(server_directory.iterdir())

    def test_where_one_does_not_start_the_other_is_not_left_behind(
        self, server_directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SAGA_MONGOD", "/nowhere/mongod")
        servers = Servers(server_directory)
        with pytest.raises(ServerMissing):
            servers.start()
        assert not servers.redis.is_running()


class TestRedis:
    def test_it_never_evicts_and_keeps_an_append_only_file(self, own_redis: RedisServer) -> None:
        assert "noeviction" in ask_redis(own_redis, "CONFIG GET maxmemory-policy")
        assert "yes" in ask_redis(own_redis, "CONFIG GET appendonly")

    def test_it_writes_that_file_anew_for_a_large_one_only(self, own_redis: RedisServer) -> None:
        assert str(256 * 2**20) in ask_redis(own_redis, "CONFIG GET auto-aof-rewrite-min-size")

    def test_it_listens_on_loopback_only(self, own_redis: RedisServer) -> None:
        assert "127.0.0.1" in ask_redis(own_redis, "CONFIG GET bind")

    def test_after_a_stop_its_data_is_there_on_the_same_port(self, own_redis: RedisServer) -> None:
        port, pid = own_redis.port, own_redis.pid
        ask_redis(own_redis, "SET word boots")
        own_redis.restart()
        assert (own_redis.port, own_redis.pid == pid) == (port, False)
        assert "boots" in ask_redis(own_redis, "GET word")

    def test_a_server_still_running_is_adopted_and_left_to_its_owner(self, own_redis: RedisServer) -> None:
        adopter = RedisServer(own_redis.log_file.parent)
        assert adopter.start() == own_redis.url
        assert adopter.pid == own_redis.pid

    def test_a_server_whose_starter_died_is_adopted_and_then_stopped(self, server_directory: Path) -> None:
        orphan = "from pathlib import Path; from adapters.servers import RedisServer; import os, sys;"
        orphan += "RedisServer(Path(sys.argv[1])).start(); os._exit(0)"
        subprocess.run([sys.executable, "-c", orphan, server_directory], check=True, cwd=Path(__file__).parents[2])
        adopter = RedisServer(server_directory)
        adopter.start()
        assert adopter.owned
        adopter.stop()
        assert not adopter.is_running()

    def test_a_server_started_by_a_living_process_survives_the_stop_of_another(self, server_directory: Path) -> None:
        code = "from pathlib import Path; from adapters.servers import RedisServer; import sys;"
        code += "s = RedisServer(Path(sys.argv[1])); s.start(); print('up', flush=True); sys.stdin.read(); s.stop()"
        root = Path(__file__).parents[2]
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", code, server_directory], stdin=pipe, stdout=pipe, cwd=root) as one:
            assert one.stdout is not None
            assert one.stdout.readline() == b"up\n"
            guest = RedisServer(server_directory)
            guest.start()
            guest.stop()
            assert not guest.owned
            assert guest.is_running()
            one.communicate()
        assert not guest.is_running()

    def test_a_remembered_pid_that_is_somebody_else_is_neither_adopted_nor_signalled(
        self, server_directory: Path
    ) -> None:
        with subprocess.Popen(["sleep", "60"]) as stranger:
            (server_directory / "state.json").write_text(f'{{"port": 1, "pid": {stranger.pid}, "owner": 1}}')
            server = RedisServer(server_directory)
            server.start()
            server.stop()
            assert server.pid != stranger.pid
            assert stranger.poll() is None
            stranger.kill()

    def test_a_broken_state_file_is_started_over(self, server_directory: Path) -> None:
        (server_directory / "state.json").write_text('{"port": ')
        server = RedisServer(server_directory)
        server.start()
        server.stop()

    def test_a_port_that_somebody_took_is_replaced(self, own_redis: RedisServer) -> None:
        port = own_redis.port
        own_redis.stop()
        with socket.create_server(("127.0.0.1", port)):
            own_redis.start()
            assert own_redis.port != port

    def test_one_that_hangs_is_killed_after_the_bound(self, own_redis: RedisServer) -> None:
        os.kill(own_redis.pid, signal.SIGSTOP)
        own_redis.stop(within_s=0.2)
        assert not own_redis.is_running()

    def test_a_failed_start_shows_the_end_of_the_log(self, server_directory: Path) -> None:
        broken = server_directory / "data" / "appendonlydir"
        broken.mkdir(parents=True)
        (broken / "appendonly.aof.manifest").write_text("not a manifest\n")
        with pytest.raises(ServerFailed, match="manifest"):
            RedisServer(server_directory).start()


class NewerMongoServer(MongoServer):
    """Started as a later release could be, by the mongod of an earlier one."""

    def _arguments(self, port: int) -> Sequence[str]:
        return [*super()._arguments(port), "--setParameter", "unheardOf=1"]


class TestMongo:
    def test_one_that_does_not_know_an_option_says_so(self, server_directory: Path) -> None:
        with pytest.raises(ServerFailed, match="unheardOf"):
            NewerMongoServer(server_directory).start()

    def test_what_was_durably_written_survives_a_kill_on_the_same_port(self, own_mongo: MongoServer) -> None:
        port = own_mongo.port
        remember(own_mongo, "boots")
        own_mongo.kill()
        own_mongo.start()
        assert own_mongo.port == port
        assert remembered(own_mongo) == ["boots"]

    def test_on_another_port_it_is_still_a_replica_set_with_its_data(self, own_mongo: MongoServer) -> None:
        port = own_mongo.port
        remember(own_mongo, "boots")
        own_mongo.kill()
        own_redis = RedisServer(own_mongo.log_file.parent / "squatter")
        (own_mongo.log_file.parent / "squatter").mkdir()
        (own_mongo.log_file.parent / "squatter" / "state.json").write_text(f'{{"port": {port}, "pid": 0, "owner": 0}}')
        own_redis.start()
        try:
            own_mongo.start()
            assert own_redis.port == port
            assert own_mongo.port != port
            assert remembered(own_mongo) == ["boots"]
        finally:
            own_redis.kill()


class TestLookUp:
    @pytest.mark.parametrize(
        ("find", "variable", "url"),
        [
            (find_mongod, "SAGA_MONGOD", "SAGA_MONGO_URL"),
            (find_redis_server, "SAGA_REDIS_SERVER", "SAGA_REDIS_URL"),
        ],
    )
    def test_a_named_program_that_is_missing_says_what_to_do(self, find: Any, variable: str, url: str) -> None:
        with pytest.raises(ServerMissing) as caught:
            find({variable: "/nowhere/server", "PATH": os.environ["PATH"]})
        for hint in ("/nowhere/server", "pip install -e '.[embedded]'", variable, url):
            assert hint in str(caught.value)

    def test_a_named_program_wins(self) -> None:
        mongod = find_mongod({}).path
        assert find_mongod({"SAGA_MONGOD": str(mongod)}).path == mongod

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems have the libraries")
    def test_a_system_without_curl_and_openssl_borrows_those_of_a_wheel(self, tmp_path: Path) -> None:
        program = tmp_path / "mongod"
        program.write_text(
            "#!/bin/sh\n"
            'first="${LD_LIBRARY_PATH%%:*}"\n'
            'for name in libcurl.so.4 libssl.so.3 libcrypto.so.3; do [ -f "$first/$name" ] || missing=$name; done\n'
            '[ -z "$missing" ] || { echo "$missing: cannot open shared object file" >&2; exit 127; }\n'
        )
        program.chmod(0o755)
        found = find_mongod({"SAGA_MONGOD": str(program)})
        real = find_mongod({}).path
        run = subprocess.run([real, "--version"], env=dict(found.environment), check=False, capture_output=True)
        assert (sorted(found.environment), run.returncode) == (["LD_LIBRARY_PATH"], 0)
