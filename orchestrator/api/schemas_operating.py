"""What the OpenAPI document says of what a person may do with a saga."""

from orchestrator.api.describing import EVERY_POST, SAFE, Route, body, header, problem, problems, shows
from orchestrator.api.problems import Kind
from orchestrator.api.schemas import ETAG, Saga

_IF_MATCH = header("If-Match", "An `ETag`: 412 unless the saga is at this very revision.")


def _action(operation_id: str, summary: str, asked: str) -> Route:
    return {
        "operation_id": operation_id,
        "summary": summary,
        "status_code": 202,
        "responses": {
            202: shows(Saga, "It is stored; this is what the saga is by it.", ETAG),
            **problems(
                *EVERY_POST,
                Kind.SAGA_NOT_FOUND,
                Kind.REFUSED,
                Kind.REVISION_CHANGED,
                Kind.INVALID_REQUEST,
                Kind.OVERLOADED,
                *SAFE,
            ),
            409: {
                **problem([Kind.REFUSED]),
                "description": "The saga's state forbids it; `code` says why (`/problems/refused`).",
            },
        },
        "openapi_extra": {"parameters": [_IF_MATCH], "requestBody": body(asked)},
    }


CANCEL = _action("cancelSaga", "Have a running saga undone", "WithReason")
RETRY = _action("retrySaga", "Give a stuck saga fresh attempts", "WithReason")
SKIP = _action("skipStep", "Count the step at which a saga is stuck as done by hand", "SkipRequest")
ABORT = _action("abortSaga", "Have a stuck saga undone", "WithReason")
