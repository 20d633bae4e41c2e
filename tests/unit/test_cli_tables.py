"""Tables on the command line, where there is more to say than room."""

from support.saga_command import saga
from support.scripted import saga_json, scripted_service


def test_however_long_a_failure_is_ids_and_statuses_are_whole() -> None:
    long = {"step": "charge-payment", "code": "declined", "detail": "because of\nthe law " * 200}
    saga_id = "01a21e86-13bb-7131-b46f-0242ac120002"
    with scripted_service() as service:
        service.on("GET /v1/sagas", {"items": [saga_json("compensated", id=saga_id, failure=long)], "next": None})
        (line,) = saga("ls", service=service).stdout.splitlines()[1:]

    assert line.startswith(f"{saga_id}  order@1  ↶ compensated  ✔✔✔")
    assert "charge-payment: declined (because of the law because of" in line
