"""HTTP: what a client may ask. Nothing here decides anything about a saga, and no answer shows internals.

A request goes through `entrance` (`guard`, `access`, `throttle`, `tracing`, `metrics`) to a route; what goes wrong
becomes a problem in `application` and `problems`. A start goes `sagas`, `body`, `starts`, and from there to
`orchestrator.starting`. A listener is answered by `events`, `following`, `event_stream`.

On the way to a route
    entrance       what every request and answer passes through
    guard          what a request may cost, and how many there are at once
    access         the door: who may call which route; a route that is not in its table is not served
    rates          how often a caller may ask
    throttle       turns away who asks too often
    caller         who asks, in which trace: noted there, read by the routes
    headers        the request headers that mean something
    body           strict JSON, and the models of what may be sent
    tracing        a span for each request

Routes
    application    FastAPI with all of them, and what errors become
    services       what the routes work with
    sagas          start, look at, list
    starts         from a request to a saga to start
    operating      cancel, retry, skip, abort
    auditing       the record of each request that somebody must answer for
    history        how a saga came to this
    events         what becomes of sagas, told as it happens
    following      what a listener is told, and from where on
    event_stream   an answer that goes on
    sse            server-sent events on the wire
    dead_letters   messages that could not be handled
    definitions    the sagas that are known here
    health         `/livez`, `/readyz`
    metrics        `/metrics`, and the counting of requests
    documents      pages and documents about the service itself

Answers
    answers        JSON, and a saga
    view           a saga as clients see it
    waiting_for    what a saga waits for, in a sentence
    listing        filters and cursors of lists
    problems       errors, as RFC 9457 has them
    problem_kinds  every type of problem
    pages          the HTML of the service's own pages

What describes them
    openapi        the OpenAPI document
    openapi_sagas  its part about the sagas that are known here
    describing     what descriptions of routes are put together from
    schemas        of starting and looking at sagas
    schemas_dead_letters, schemas_definitions, schemas_documents, schemas_events, schemas_history, schemas_operating
                   of the routes that they are called after
    examples       one example of everything
    references     JSON schemas as parts of a larger document
    asyncapi       the AsyncAPI document: streams, commands, replies, events
    asyncapi_fields  the headers of its messages
"""
