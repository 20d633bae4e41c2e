"""`saga start` with a mistyped saga or field: says what was probably meant."""

from collections.abc import Iterator

import pytest

from support.saga_command import saga
from support.scripted import ScriptedService, scripted_service

UNKNOWN = {"type": "/problems/unknown-saga", "detail": "No saga.", "errors": [{"pointer": "/saga", "detail": "no"}]}
MISFIT = {
    "type": "/problems/invalid-request",
    "detail": "There are 2 faults in the body; see `errors`.",
    "errors": [
        {"pointer": "/data/traveller", "detail": "Field required"},
        {"pointer": "/data/traveler", "detail": "Extra inputs are not permitted"},
    ],
}
SUMMARY = {"name": "trip", "version": 1, "fingerprint": "f", "pivot": "b", "steps": ["a", "b"]}
TRIP = {
    **SUMMARY,
    "versions": [1],
    "timeout_s": None,
    "data": {},
    "steps": [],
    "input": {"properties": {"traveller": {}, "city": {}}, "required": ["traveller", "city"]},
    "mermaid": "",
}


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as running:
        yield running


def test_a_mistyped_saga_is_told_the_known_ones(service: ScriptedService) -> None:
    service.on("POST /v1/sagas", UNKNOWN, status=422)
    service.on("GET /v1/definitions", {"items": [SUMMARY, {**SUMMARY, "version": 2}, {**SUMMARY, "name": "order"}]})

    result = saga("start", "tripp", "--data", "{}", service=service)

    assert result.exit_code == 2
    assert result.stderr == "No saga 'tripp' is known here. Did you mean 'trip'? Known: trip, order.\n"


def test_a_mistyped_field_is_told_the_fields(service: ScriptedService) -> None:
    service.on("POST /v1/sagas", MISFIT, status=422)
    service.on("GET /v1/definitions/trip", TRIP)

    result = saga("start", "trip", "--data", '{"traveler": "ada"}', service=service)

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "The data does not fit, and nothing was started:",
        "  traveller: Field required.",
        "  traveler: Extra inputs are not permitted. Did you mean 'traveller'?",
        "trip takes traveller, city: saga definitions show trip",
    ]


def test_where_the_definitions_can_not_be_read_the_services_words_do(service: ScriptedService) -> None:
    service.on("POST /v1/sagas", MISFIT, status=422)
    service.on("GET /v1/definitions/trip", {"type": "/problems/scope-missing", "detail": "No."}, status=403)

    result = saga("start", "trip", "--data", "{}", service=service)

    assert result.exit_code == 2
    assert "/data/traveller: Field required" in result.stderr
