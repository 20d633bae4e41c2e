"""The orchestrator: a pure core that decides, and a thin shell that loads, saves and announces.

The ways through it, module by module:
- A start over HTTP: `api.entrance`, `api.sagas`, `api.starts` (which saga, which id: `requested`), `admission`,
  `starting` (many starts, one write), `engine`, `core.decide`, `store`; it is answered, and `announcer` sends.
- A start by an event: `start_events`, `requested`, `starting`, and on like that.
- A reply: `replies`, `engine` (load, `core.decide`, save in `store`), `announcer`; what waited hears of it (`waiters`).
- A timer: `sweeper` (which are due: `due`, which are ours: `shares`), `engine`, and on like a reply.
- A person's request: `api.operating`, `engine`, and on like a reply.
- An event to a listener: MongoDB, `mongo_changes`, `change_reader`, `listeners`, `api.following`, `api.event_stream`.

What decides
    core           what a saga does, as functions from values to values; begin with `core.decide`
    requested      a saga that is asked for: its first data, and what makes two requests the same
    shares         which orchestrator looks after which sagas' timers

What drives it
    engine         load, decide, save, announce, in batches
    work           what the engine is given to do, and what becomes of it
    announcer      sends commands and events; `pace` bounds what is sent again in a second
    pace           how many messages may be sent again in a second
    replies        the handler of the reply streams
    sweeper        the timers
    due            which timers are due, by their index alone
    sending_again  all that is awaited, when Redis has lost the group of a reply stream
    replica        this orchestrator among others: its reply stream, its share
    observer       what the engine tells whoever counts

How sagas begin
    admission      whether more may start
    starting       concurrent starts become one write
    start_events   sagas that other services' events start
    places         how far the streams of others have been settled
    in_flight      whether the definitions here fit the sagas in flight

What is stored
    store          saga documents: every write is a compare-and-set
    documents      a state as its document, and a change as the smallest update
    cache          states as this process last wrote them
    listed         a page of sagas, and the indexes for it
    retention      ended sagas go when their time is over
    dead_letters   the copy of dead letters in MongoDB
    dead_commands  copies those of commands there too
    redriving      gives a dead letter another try
    audit          who did what
    memory_store, memory_changes, memory_dead_letters
                   in-memory twins, held to the same contract suites

Who is told
    waiters        who waits in this process for a saga's end
    changes        what has become of sagas: the port
    mongo_changes  the same from MongoDB's change stream
    change_reader  reads changes for as long as somebody wants them
    listeners      who listens in this process
    saga_log       one log line for each fact
    identity       how a saga is named there
    tracing        one trace for each saga
    metrics        Prometheus metrics, alerts and the dashboard
    health         what the collections say, for `saga doctor`

How it runs
    app            the composition root; begin here to see what is connected with what
    api            HTTP; it has a map of its own
    serving        the HTTP server inside our event loop
    settings       every setting and limit
    keys           API keys
    rights         what its MongoDB user may do
"""
