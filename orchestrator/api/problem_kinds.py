"""Every type of problem: a stable name, a status, a title, and what whoever gets it can do."""

from enum import Enum


class Kind(Enum):
    """Every problem there is: name in `type`, status, title, and what to do about it."""

    MALFORMED_JSON = (
        "malformed-json",
        400,
        "The body is not valid JSON",
        "Send one JSON value in UTF-8, without a key twice in one object and without NaN. `detail` says where.",
    )
    BAD_REQUEST = ("bad-request", 400, "The request is not valid HTTP", "Send it with an ordinary HTTP client.")
    UNAUTHENTICATED = (
        "unauthenticated",
        401,
        "An API key is needed",
        "Send `Authorization: Bearer KEY`. A key that worked before may have expired or been taken away.",
    )
    SCOPE_MISSING = (
        "scope-missing",
        403,
        "The API key may not be used for this",
        "`needed` names the scope. Use a key that has it, or have one made.",
    )
    CROSS_SITE = (
        "cross-site",
        403,
        "Pages of other sites may not ask for this",
        "Call the service from your own server, or from a page that is served under the same origin.",
    )
    NOT_FOUND = ("not-found", 404, "There is nothing here", "Compare the path with the ones that `/docs` lists.")
    SAGA_NOT_FOUND = (
        "saga-not-found",
        404,
        "There is no saga with this id",
        "Compare the id with the one that it was started with. If nobody knows whether it was, start it with the same "
        "id again: it is started once.",
    )
    DEAD_LETTER_NOT_FOUND = (
        "dead-letter-not-found",
        404,
        "There is no dead letter with this id",
        "Somebody may have deleted it, or it is older than the service keeps them. List them again.",
    )
    DEFINITION_NOT_FOUND = (
        "definition-not-found",
        404,
        "There is no such definition",
        "`GET /v1/definitions` lists them. A missing one is in no module that SAGA_DEFINITIONS names.",
    )
    REVISION_NOT_FOUND = (
        "revision-not-found",
        404,
        "This revision is not known",
        "The saga has not come that far, or its history does not go back that far. `detail` says what it tells of.",
    )
    METHOD_NOT_ALLOWED = (
        "method-not-allowed",
        405,
        "This method is not allowed here",
        "The header `Allow` names those that are.",
    )
    BODY_TIMEOUT = (
        "body-timeout",
        408,
        "The body took too long to arrive",
        "Nothing was done. Send it again, over a better connection or in smaller parts.",
    )
    ID_TAKEN = (
        "id-taken",
        409,
        "Another saga has this id",
        "It was started with other fields, and goes its way. Choose another id for another saga.",
    )
    REFUSED = (
        "refused",
        409,
        "This can't be done as things are",
        "Nothing was changed. `code` says why for programs, `detail` for people. Look at it again.",
    )
    REVISION_CHANGED = (
        "revision-changed",
        412,
        "The saga is not at this revision",
        "It has moved since you looked. Look again, and send its new `ETag` if you still want the same.",
    )
    BODY_TOO_LARGE = (
        "body-too-large",
        413,
        "The body is too large",
        "Send less: keep large things elsewhere and put their address into the saga, or split a batch.",
    )
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported-media-type",
        415,
        "The body must be application/json",
        "Send the header `Content-Type: application/json`, and a body that is not compressed.",
    )
    INVALID_REQUEST = (
        "invalid-request",
        422,
        "The request is not valid",
        "`errors` says what is wrong, and where, as JSON pointers. Correct that; sent again as it is, it fails again.",
    )
    UNKNOWN_SAGA = (
        "unknown-saga",
        422,
        "There is no saga of this name",
        "`known` lists the names. A missing one is in no module that SAGA_DEFINITIONS names.",
    )
    KEY_REUSED = (
        "idempotency-key-reused",
        422,
        "This idempotency key was used for another request",
        "One key is for one request and its repeats. Make a new key for a new request.",
    )
    RATE_LIMITED = (
        "rate-limited",
        429,
        "Too many requests in too short a time",
        "Nothing was done. Wait as long as `Retry-After` says, then send it again; `RateLimit` says what is left.",
    )
    HEAD_TOO_LARGE = (
        "head-too-large",
        431,
        "The request's head is too large",
        "Send fewer or shorter headers, and a shorter query; cookies of another service may be among them.",
    )
    INTERNAL_ERROR = (
        "internal-error",
        500,
        "Something went wrong here",
        "This is a fault of the service; its log says more under the `request_id`. A start is safe to send again with "
        "the same id or key.",
    )
    UNAVAILABLE = (
        "unavailable",
        503,
        "The service can't do this right now",
        "A server behind it does not answer. Wait as long as `Retry-After` says, then send it again, a start with the "
        "same id or key.",
    )
    OVERLOADED = (
        "overloaded",
        503,
        "The service is too busy",
        "Nothing was done. Wait as long as `Retry-After` says, then send it again.",
    )
    NOT_READY = (
        "not-ready",
        503,
        "The service is not ready",
        "`checks` says what it waits for. It recovers by itself once that is back; the log says more.",
    )

    def __init__(self, slug: str, status: int, title: str, advice: str) -> None:
        self.slug = slug
        self.type = f"/problems/{slug}"
        self.status = status
        self.title = title
        self.advice = advice
