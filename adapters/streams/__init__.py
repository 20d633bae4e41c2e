"""The bus on Redis Streams. FastStream and redis-py live here and nowhere else.

- An entry that goes out: `envelope` (made by whoever sends it), `redis_bus`, `publisher`, `pipeline`.
- An entry that comes in: `guardian` (its group and its reader, by `faststream_private`), `consumer`, `turns`,
  `verdicts`; what it causes goes out by `publisher`, then it is acknowledged. What was left behind: `takeover`.
- An entry of somebody else's stream: `published`, and where its group begins: `foreign`, `origin`.

What the application sees
    redis_bus           the bus
    settings            every limit
    counts              what it has seen happen
    application         a bus as a FastStream application

Messages
    envelope            messages to stream fields and back: the wire format
    published           events as other services publish them
    names               names of streams, groups and keys
    ids                 ids of entries, compared as numbers

Out
    publisher           appends entries, and makes sure that the group is there first
    pipeline            many commands in one round trip
    cluster_pipeline    the same with each server of a cluster

In
    guardian            watches over a subscription
    consumer            hands entries to the handler, publishes, acknowledges
    faststream_private  what relies on FastStream's private names
    shared              what the parts of one bus have in common
    turns               who may handle entries now
    verdicts            who is judged alone, and what a dead letter has in it
    burial              what a dead letter causes on Redis
    alone_counts        how often an entry was tried alone
    claims              who has which entries
    takeover            brings back what was delivered and never settled
    progress            how far groups have been delivered
    foreign             a stream that others own
    origin              where its group begins
    leases              keys that name their holder
    housekeeping        trims, and removes the names of dead consumers

Servers
    address             where a Redis is, from its URL
    connection          the client, and its errors as ours
    outages             what is said of a server that is away
    masters             who is master, as Sentinels say

For operators and examiners
    figures             how long streams are, for metrics
    readers             who reads the streams that we read
    health              what Redis and its streams say of themselves
    rights              what each service's Redis user may do
    setup               users and groups, for `saga init`
    probe               a stream as an examiner sees it
    cleaning            removes all that a bus has made under a prefix
"""
