"""The words in which checks are written: what is sent, in which order, and what must come back. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from chaos.conformance.duties import Duty
from sagas.messages import Kind


class Expect(StrEnum):
    """What must come back for one command."""

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    EITHER = "succeeded or rejected"
    THE_REPLY = "rejected, with the action's reply as data"
    EXPIRED = "failed, code expired"
    NO_SUCCESS = "failed or rejected"
    ANSWER = "any answer"
    SETTLED = "acknowledged; no answer but failed"  #: also where it could not be read, so that nobody can be answered
    ACKNOWLEDGED = "acknowledged"  #: and whatever is answered

    @property
    def answered(self) -> bool:
        """Whether an answer must come."""
        return self not in (Expect.SETTLED, Expect.ACKNOWLEDGED)

    @property
    def final(self) -> bool:
        """Whether `failed` is not yet the answer: then the next attempt is sent, as the orchestrator does."""
        return self in (Expect.SUCCEEDED, Expect.REJECTED, Expect.EITHER, Expect.THE_REPLY)


class Effect(StrEnum):
    """What must be in the ledger of each of the check's sagas, where one can be looked at."""

    UNSEEN = "anything"
    NONE = "nothing"
    ONCE = "the action once"
    UNDONE = "the action once, and once its undoing"
    NOTHING_LEFT = "nothing, or the action and its undoing"


class Data(StrEnum):
    """What a command carries."""

    GOOD = "the example"
    REJECTED = "the example that is rejected"
    MORE = "the example, with a field that nobody knows"
    LESS = "the example, each time without one of its fields"
    WRONG = "the example, each time with one field of a wrong type"


class Age(StrEnum):
    """When a command says that it was sent for the first time."""

    NEW = "now"
    KNOWN = "a day and a half before inbox rows of that time expire"
    EXPIRED = "half a day before they expire: within the margin of a day"


class Need(StrEnum):
    """What a check can't do without, and how it is given."""

    COMPENSATION = "needs --compensation"
    REJECTED_DATA = "needs --rejected-data"
    EXPIRY = "not with --inbox-expiry never"
    DESTRUCTIVE = "needs --destructive"
    FIELDS = "the example has no fields"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One command, sent `copies` times at once."""

    kind: Kind
    expect: Expect
    data: Data = Data.GOOD
    saga: str = "a"  #: which of the check's sagas; each run has fresh ones
    attempt: int = 1
    copies: int = 1
    age: Age = Age.NEW
    action_age: Age = Age.NEW  #: of the action that is undone or revoked
    without: frozenset[str] = frozenset()  #: fields that are left out
    fields: Mapping[str, str | bytes] = field(default_factory=dict, hash=False)  #: beside or instead of the usual ones

    def again(self, attempt: int, **change: object) -> "Sending":
        """The same command once more."""
        return replace(self, attempt=attempt, **change)  # type: ignore[arg-type]  # the callers' names are checked by tests


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Commands put on the stream in one transaction; then their answers are awaited."""

    sendings: Sequence[Sending]


@dataclass(frozen=True, slots=True)
class WhileRefused:
    """One command whose reply Redis refuses, for a moment."""

    sending: Sending


@dataclass(frozen=True, slots=True)
class AfterLosingTheGroup:
    """The group is destroyed, and a command is on the stream before it can be made again."""

    sending: Sending


Step = AtOnce | WhileRefused | AfterLosingTheGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One requirement. `required`: a participant that fails it is not safe; else it is only worth a look."""

    name: str
    says: str
    duty: Duty
    steps: Sequence[Step]
    effect: Effect = Effect.UNSEEN
    required: bool = True
    acknowledged: bool = False  #: whether every entry of it must have been acknowledged in the end
    copied: Mapping[str, str] = field(default_factory=dict, hash=False)  #: fields that each reply must have

    @property
    def sendings(self) -> Sequence[Sending]:
        """Everything that is sent, in its order."""
        return [one for step in self.steps for one in (step.sendings if isinstance(step, AtOnce) else (step.sending,))]

    @property
    def needs(self) -> frozenset[Need]:
        """What it can't do without."""
        sendings = self.sendings
        found = {
            Need.COMPENSATION: any(one.kind is Kind.COMPENSATION for one in sendings),
            Need.REJECTED_DATA: any(one.data is Data.REJECTED for one in sendings),
            Need.EXPIRY: any(one.expect is Expect.EXPIRED for one in sendings),
            Need.DESTRUCTIVE: any(isinstance(step, AfterLosingTheGroup) for step in self.steps),
            Need.FIELDS: any(one.data in (Data.LESS, Data.WRONG) for one in sendings),
        }
        return frozenset(need for need, needed in found.items() if needed)
