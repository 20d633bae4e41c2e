"""Sends the checks to a running participant, one after the other, and hears what it says.

Behaves as the orchestrator does: what is answered `failed` is sent again as the next attempt. What an action of ours
has done is undone in the end, where a compensation is given. Judges nothing itself (judge.py).
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from adapters.clock import Clock
from adapters.streams.ids import parse_id
from adapters.streams.probe import Group, Probe
from chaos.conformance.checks import ANSWERED
from chaos.conformance.compose import Composer, Subject
from chaos.conformance.judge import Answer, Exchange, faults
from chaos.conformance.language import AfterLosingTheGroup, AtOnce, Check, Step, WhileRefused
from chaos.conformance.ledger import Ledger
from chaos.conformance.sheet import Result, Status
from sagas.messages import Kind, Outcome

TRIES = 4  #: of a command that is answered `failed`, as attempts of its own
PAUSE_S = 0.25  #: before the next of them
HOLD_S = 1.0  #: how long Redis refuses a reply; the participant must not have acknowledged meanwhile
POLL_S = 0.02
GROUP_TIMES = 3  #: a lost group is noticed later than a command: so many times as long is waited


class NoAnswer(Exception):
    """The very first command was not answered: nothing can be said of this participant. `hint` says where to look."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


class WrongExample(Exception):
    """The example is not done: nothing can be checked with it. The text says how it was answered."""


@dataclass
class Examination:
    """One run of the checks."""

    probe: Probe
    subject: Subject
    clock: Clock
    name: str  #: of the run, unique
    timeout_s: float
    ledger: Ledger | None = None
    hold_s: float = HOLD_S
    _heard: defaultdict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    _numbers: int = 0

    async def run(self, checks: Sequence[Check], about_to: Callable[[Check], None]) -> AsyncIterator[Result]:
        """A result for each check, as they come; `about_to` is told before each.

        Raises `NoAnswer`, `WrongExample` and `Unavailable`.
        """
        first = await self._first()
        silent = False
        for check in checks:
            about_to(check)
            lacking = sorted(check.needs & self.subject.lacks)
            if lacking:
                yield Result(check, Status.SKIPPED, reason=", ".join(lacking))
            elif silent:
                yield Result(check, Status.UNREACHED, reason="the participant answers nothing any more")
            else:
                result = first if check is ANSWERED else await self.examine(check)
                silent = result.status is not Status.PASSED and not await self._is_alive(result)
                yield result

    async def examine(self, check: Check) -> Result:
        """One check."""
        begun = self.clock.now()
        composer = self._composer(check.name)
        exchanges = [exchange for step in check.steps for exchange in await self._step(composer, step, check)]
        rows = None
        if self.ledger is not None:
            rows = await self.ledger.rows([*dict.fromkeys(each.command.saga_id for each in exchanges)])
        found = faults(check, exchanges, rows)
        await self._undo(composer, exchanges)
        status = Status.PASSED if not found else Status.FAILED if check.required else Status.ADVICE
        seconds = (self.clock.now() - begun).total_seconds()
        return Result(check, status, found, exchanges, seconds=seconds)

    async def _first(self) -> Result:
        result = await self.examine(ANSWERED)
        (exchange,) = result.exchanges
        if not exchange.answers:
            raise NoAnswer(hint(await self.probe.look(), exchange, self.probe))
        last = exchange.answers[-1]
        if not last.fault and last.outcome is not Outcome.SUCCEEDED:
            raise WrongExample(f"{self.subject.action} with the given data is {last.outcome}: {dict(last.data)}")
        return result

    async def _is_alive(self, result: Result) -> bool:
        """Whether it still answers; somebody may be starting it again just now."""
        if all(each.answers for each in result.exchanges if each.command.sending.expect.answered):
            return True
        for _ in range(GROUP_TIMES):
            (exchange,) = (await self.examine(ANSWERED)).exchanges
            if exchange.answers:
                return True
        return False

    def _composer(self, check: str) -> Composer:
        self._numbers += 1
        return Composer(self.subject, f"{self.name}-{self._numbers}-{check}"[:MAX_NAME], self.probe.replies)

    async def _step(self, composer: Composer, step: Step, check: Check) -> list[Exchange]:
        match step:
            case AtOnce(sendings):
                commands = [one for sending in sendings for one in composer.commands(sending, self.clock.now())]
                exchanges = [Exchange(command) for command in commands]
                await self._send(exchanges)
                await self._await_answers(exchanges)
            case WhileRefused(sending):
                refused = Composer(self.subject, composer.name, self.probe.refusing)
                exchanges = [Exchange(command) for command in refused.commands(sending, self.clock.now())]
                await self._refuse(exchanges)
            case AfterLosingTheGroup(sending):
                exchanges = [Exchange(command) for command in composer.commands(sending, self.clock.now())]
                (exchange,) = exchanges
                exchange.entries = await self.probe.lose_group([exchange.command.fields])
                await self._await_answers(exchanges, times=GROUP_TIMES)
        if check.acknowledged:
            await self._await_settled(exchanges)
        return exchanges

    async def _send(self, exchanges: Sequence[Exchange]) -> None:
        for exchange in exchanges:
            self._heard.pop(exchange.command.id, None)
        fields = [each.command.fields for each in exchanges for _ in range(each.command.sending.copies)]
        ids = iter(await self.probe.send(fields))
        for each in exchanges:
            each.entries = [next(ids) for _ in range(each.command.sending.copies)]

    async def _await_answers(self, exchanges: Sequence[Exchange], times: int = 1) -> None:
        """Hear the answers; what is answered `failed` and nothing else is sent again, as its next attempt."""
        await self._hear(exchanges, times)
        for number in range(1, TRIES):
            again = [each for each in exchanges if _is_failed(each)]
            if not again:
                return
            await self.clock.sleep(PAUSE_S)
            for each in again:
                attempt = {"attempt": str(each.command.sending.attempt + number)}
                fields = {**each.command.fields, **attempt} if "attempt" in each.command.fields else each.command.fields
                each.entries += await self.probe.send([fields])
            await self._hear(again, times)

    async def _hear(self, exchanges: Sequence[Exchange], times: int = 1) -> None:
        wanted: defaultdict[str, int] = defaultdict(int)
        for each in exchanges:
            wanted[each.command.id] += len(each.entries) if each.command.sending.expect.answered else 0
        until = self.clock.now().timestamp() + self.timeout_s * times
        while any(len(self._heard[command_id]) < count for command_id, count in wanted.items()):
            left_s = until - self.clock.now().timestamp()
            if left_s <= 0:
                break
            await self._listen(min(left_s, 0.25))
        await self._listen(0)
        for each in exchanges:
            each.answers = list(self._heard[each.command.id])

    async def _listen(self, wait_s: float) -> None:
        for fields in await self.probe.hear(int(wait_s * 1_000)):
            self._heard[fields.get("causationid", "")].append(Answer.of(fields))

    async def _await_settled(self, exchanges: Sequence[Exchange]) -> None:
        until = self.clock.now().timestamp() + self.timeout_s
        left = [entry_id for each in exchanges for entry_id in each.entries]
        while (left := await self.probe.unsettled(left)) and self.clock.now().timestamp() < until:
            await self.clock.sleep(POLL_S)
        await self._listen(0)
        for each in exchanges:
            each.unsettled = not set(each.entries).isdisjoint(left)
            each.answers = list(self._heard[each.command.id])

    async def _refuse(self, exchanges: Sequence[Exchange]) -> None:
        """Have Redis refuse the replies for a moment, and see whether they are acknowledged all the same."""
        await self.probe.refuse()
        try:
            await self._send(exchanges)
            (exchange,) = exchanges
            await self._until_delivered(exchange)
            until = self.clock.now().timestamp() + self.hold_s
            while not exchange.lost and self.clock.now().timestamp() < until:
                exchange.lost = not await self.probe.unsettled(exchange.entries)
                await self.clock.sleep(POLL_S)
        finally:
            await self.probe.accept()

    async def _until_delivered(self, exchange: Exchange) -> None:
        until = self.clock.now().timestamp() + self.timeout_s
        while self.clock.now().timestamp() < until:
            if parse_id((await self.probe.look()).delivered) >= parse_id(exchange.entries[-1]):
                return
            await self.clock.sleep(POLL_S)

    async def _undo(self, composer: Composer, exchanges: Sequence[Exchange]) -> None:
        """Undo the actions that were done and that the check itself has not undone."""
        if self.subject.compensation is None:
            return
        undone = {each.command.action_id for each in exchanges if each.command.sending.kind is Kind.COMPENSATION}
        done = {
            each.command.id: each.command
            for each in exchanges
            if each.command.sending.kind is Kind.ACTION
            and each.command.id not in undone
            and any(answer.claims_success for answer in each.answers)
        }
        undoing = [Exchange(composer.undoing(command, self.clock.now())) for command in done.values()]
        if undoing:
            await self._send(undoing)
            await self._await_answers(undoing)


MAX_NAME = 44  #: characters of run, number and check, so that a saga id has at most 64


def _is_failed(exchange: Exchange) -> bool:
    expect = exchange.command.sending.expect
    return expect.final and bool(exchange.answers) and not exchange.final


def hint(group: Group, exchange: Exchange, probe: Probe) -> str:
    """What to look at where nothing came back."""
    if not group.there:
        return (
            f"The group {probe.group!r} of {probe.stream} does not exist, so nobody reads the stream. Is the "
            "participant running, on this Redis? Is its group called otherwise (--group)? It must make it itself, at 0."
        )
    if parse_id(group.delivered) < parse_id(exchange.entries[0]):
        return (
            f"The group {probe.group!r} is there, with {group.consumers} consumers ({group.reading} seen lately), but "
            "nobody has read the command. Does the participant run, or is it busy with what was waiting already? "
            "--timeout waits longer."
        )
    if exchange.unsettled:
        return (
            "The command was read and not acknowledged. Look into the participant's log. May it write to "
            f"{probe.replies} (XADD), where `replyto` asks for the reply?"
        )
    return (
        "The command was read and acknowledged, and no reply came. Does the participant reply on the stream that "
        f"`replyto` names ({probe.replies}), or always on another? May it write there?"
    )
