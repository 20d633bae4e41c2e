"""What a participant owes, and what goes wrong in a saga where it does not: docs/wire-protocol.md, in short."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty."""

    must: str
    why: str


ANSWER = Duty(
    "Answer each command on the stream that `replyto` names, with `causationid`, `outcome` and `data`; where it is "
    "`failed`, with `attempt` too.",
    "The orchestrator waits for that reply, and for nothing else. A `failed` without the attempt is not counted.",
)
REPEAT = Duty(
    "A command id seen before gets the stored reply again, and has no second effect.",
    "Whatever is lost is sent again, so every command may come twice. Without the inbox a customer pays twice.",
)
ATTEMPT = Duty(
    "`attempt` is no part of the key: the second attempt is the same command.",
    "The orchestrator sends a new attempt just because an answer was late. As a key it makes two effects of one.",
)
REJECTED = Duty(
    "`rejected` is final and stored like any other answer.",
    "The saga has turned round by then. A no that becomes a yes leaves an effect that nobody undoes.",
)
NULL_COMPENSATION = Duty(
    "A compensation whose action never took effect changes nothing and answers `succeeded`.",
    "A step that never answered is undone too, because it may have happened. Undoing more gives away money.",
)
NO_DANGLING_ACTION = Duty(
    "That compensation also inserts the action's own inbox row, so that the action, if it comes later, is `rejected`.",
    "The action may still be on its way. If it runs behind its compensation, its effect stays for ever.",
)
RACE = Duty(
    "An action and its compensation that run at once must meet at one key, and the loser starts over.",
    "With a tombstone under a key of its own both commit: the action's effect stays, and the saga says it is undone.",
)
COMPENSATE = Duty(
    "A compensation undoes its action once, answers `succeeded`, and is never `rejected`.",
    "Before it has succeeded the saga can't end; undone twice, something is given back that was taken once.",
)
REVOKE = Duty(
    "`{participant}.revoke` asks whether the action took effect. It did: `rejected`, with the action's stored reply as "
    "`data`. It did not: `succeeded`, and it never will.",
    "The orchestrator goes forward or back by this answer. A wrong one forgets an effect, or invents one.",
)
EXPIRED = Duty(
    "A command without an inbox row, first sent longer ago than rows are kept less a day, changes nothing and is "
    "answered `failed`, code `expired`.",
    "Its row may be gone: nobody can tell any more whether it was done, and guessing does it twice.",
)
FIELDS = Duty(
    "Only `id`, `type` and `data` must be there. Everything else has a default, and unknown fields are ignored.",
    "Fields are added over time, and other senders leave out what they don't need.",
)
NOBODY_WAITS = Duty(
    "Without `replyto` nobody waits: do the command, acknowledge it, and answer nowhere.",
    "A participant that stumbles over it keeps the entry pending, or dies of it.",
)
POISON = Duty(
    "An entry that can't be read is put aside and acknowledged; those behind it are handled as ever.",
    "One bad entry must not stop every saga. A process that dies of it dies again at each delivery.",
)
UNKNOWN = Duty(
    "A command of a type that you don't know is answered `failed`, or `rejected`; never `succeeded`.",
    "A success for what was not done lets the saga complete without it.",
)
ACKNOWLEDGE = Duty(
    "Acknowledge each entry once its reply is on its stream.",
    "What stays pending is delivered again and again, and the stream can't be trimmed.",
)
REPLY_FIRST = Duty(
    "The reply first; only when Redis has taken it, the acknowledgement.",
    "A full Redis refuses the reply and takes the acknowledgement. Then the answer is lost, and the saga waits for its "
    "timer.",
)
GROUP = Duty(
    "Make your consumer group at id 0 when you start, and again whenever it is lost.",
    "A Redis that comes back empty has no groups. Made at `$` it skips what is waiting already.",
)
