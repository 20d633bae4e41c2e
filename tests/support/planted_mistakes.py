"""The mistakes that are planted: at least one for each rule that keeps a saga whole."""

from support.planted import Edit, Faults, Planted

_STORE, _BUS = "orchestrator/memory_store.py", "adapters/memory_bus.py"
_BARRIER, _RUNNER, _MOVES = "participants/barrier.py", "participants/runner.py", "orchestrator/core/moves.py"
_CONTEXT = "participants/context.py"

_TWICE: Faults = [{"fault": "repeat command", "probability": 0.5, "for_s": 2}]
_OVERTAKEN: Faults = [
    {"fault": "delay command", "kind": "action", "probability": 0.4, "for_s": 200},
    {"fault": "lose command", "kind": "action", "probability": 0.3},
]
_SILENT: Faults = [{"fault": "lose reply", "step": "charge-payment", "kind": "action"}]
_LOST_OUTSIDE: Faults = [{"fault": "fail after participant handle", "kind": "action", "step": "reserve-stock"}]
_RESERVING = {"step": "reserve-stock", "kind": "action"}
_CONFLICTS: Faults = [
    {"fault": "lose reply", "probability": 0.2},
    {"fault": "repeat reply", "probability": 0.5, "for_s": 1},
    {"fault": "pause before orchestrator save", "probability": 0.1, "for_s": 5},
    {"fault": "pause before orchestrator send", "probability": 0.1, "for_s": 5},
]

PLANTED = (
    Planted(
        "no inbox: a repeat runs again",
        [Edit(_RUNNER, "    await tx.insert(fold.new_rows())\n", "")],
        "effects happen once",
        _TWICE,
    ),
    Planted(
        "the inbox is not atomic with the effect",
        [
            Edit(
                _RUNNER,
                "            return await _store(fold, tx)\n\n        return await self._inbox.atomically(body)",
                "            return fold\n\n"
                "        fold = await self._inbox.atomically(body)\n"
                "        return await self._inbox.atomically(lambda tx: _store(fold, tx))",
            )
        ],
        "effects happen once",
        [{"fault": "kill after participant commit", "probability": 0.3, "times": 10}],
    ),
    Planted(
        "no tombstone",
        [Edit(_BARRIER, "(own, _tombstone(command, now, expiry)) if tombstone else (own,)", "(own,)")],
        "compensated means undone",
        _OVERTAKEN,
        options={"cancel_rate": 0.5, "troubled_s": 300},
    ),
    Planted(
        "the tombstone has an id of its own",
        [
            Edit(_BARRIER, "id=command.undoes, kind", 'id=f"{command.undoes}#tombstone", kind'),
            Edit(
                _BARRIER,
                "    return (command.id,) if command.undoes is None else (command.id, command.undoes)",
                '    own = (command.id, f"{command.id}#tombstone")\n'
                '    return own if command.undoes is None else (*own, command.undoes, f"{command.undoes}#tombstone")',
            ),
            Edit(
                "participants/fold.py",
                "        own = self._rows.get(message.id)\n",
                '        own = self._rows.get(message.id) or self._rows.get(f"{message.id}#tombstone")\n',
            ),
        ],
        "compensated means undone",
        [
            {
                "fault": "pause before participant commit",
                "step": "reserve-stock",
                "kind": "action",
                "times": 1,
                "for_s": 200,
            },
            {"fault": "lose command", "step": "reserve-stock", "kind": "action", "skip": 1},
        ],
        options={"sagas": 1, "cancel_rate": 1.0, "troubled_s": 400},
    ),
    Planted(
        "a null compensation runs the handler",
        [
            Edit(
                _BARRIER,
                "        return Expired() if too_old else NullCompensation(tombstone=True)",
                "        return Expired() if too_old else Undo(_tombstone(command, now, expiry))",
            ),
            Edit(
                _BARRIER,
                "    return Settled(answer, (own, replace(verdict.action, undone_by=command.id)))",
                "    return Settled(answer, (own,))",
            ),
        ],
        "only effects are undone, newest first",
        _OVERTAKEN,
        options={"cancel_rate": 0.5, "troubled_s": 300},
    ),
    Planted(
        "a step that stayed silent is not compensated",
        [Edit(_MOVES, "    return compensate(turn, turn.index)\n", "    return compensate(turn, turn.index - 1)\n")],
        "compensated means undone",
        _SILENT,
        seeds=2,
        options={"troubled_s": 300},
    ),
    Planted(
        "a late success is refused while the saga is stuck",
        [
            Edit(
                "orchestrator/core/decide.py",
                "        case Outcome.SUCCEEDED:\n            return conclude(_succeeded(turn, pending, reply))",
                "        case Outcome.SUCCEEDED:\n            if turn.status is Status.STUCK:\n"
                "                return unchanged(turn.before)\n"
                "            return conclude(_succeeded(turn, pending, reply))",
            )
        ],
        "every saga ends",
        [{"fault": "fail participant handle", "step": "reserve-stock", "kind": "compensation"}],
        seeds=1,
        options={"rejecting": ["charge-payment"], "troubled_s": 1500, "most_stuck": 10, "sagas": 3},
    ),
    Planted(
        "a late success turns a compensating saga forward",
        [
            Edit(
                "orchestrator/core/decide.py",
                "    if pending is None:\n        return unchanged(turn.before)  # Late or repeated: settled before.\n",
                "    if pending is None and turn.status is Status.COMPENSATING and reply.outcome is Outcome.SUCCEEDED:\n"  # noqa: E501
                "        for index, step in enumerate(turn.steps):\n"
                "            if step.action_id == reply.command_id and step.status is StepStatus.COMPENSATING:\n"
                "                forward = replace(turn.before.pending[0], kind=Kind.ACTION)\n"
                "                turn.pending = ()\n"
                "                turn = turn.concerning(forward, by_reply=True).becoming(Status.RUNNING)\n"
                "                return conclude(advance(turn.step(index, StepStatus.SUCCEEDED), index + 1))\n"
                "    if pending is None:\n        return unchanged(turn.before)  # Late or repeated: settled before.\n",
            )
        ],
        "histories are whole",
        [
            {"fault": "repeat reply", "kind": "action", "for_s": 1},
            {"fault": "delay command", "kind": "compensation", "for_s": 10},
        ],
        options={"cancel_rate": 0.5, "reject_rate": 0.3},
    ),
    Planted(
        "no compare-and-set",
        [Edit(_STORE, "if there is None or there.revision != change.before.revision:", "if there is None:")],
        "histories are whole",
        _CONFLICTS,
        options={"cancel_rate": 0.5},
    ),
    Planted(
        "a reply is acknowledged before it is applied",
        [
            Edit(
                _BUS,
                "        group.pending.update((pending.delivery.entry_id, pending) for pending in batch)\n",
                "",
            )
        ],
        "sagas cost little",
        [{"fault": "kill before orchestrator save", "probability": 0.3, "times": 3, "for_s": 0.5}],
        options={"most_messages": 6},
    ),
    Planted(
        "commands are published before the save",
        [
            Edit(
                "orchestrator/engine.py",
                "        lost = await self._save(batch)\n",
                "        await self._announce(batch, dict(batch.decided))\n        lost = await self._save(batch)\n",
            ),
            Edit("orchestrator/engine.py", "            await self._announce(batch, done)\n", "            pass\n"),
        ],
        "completed means done",
        _CONFLICTS,
        options={"cancel_rate": 0.5, "begun_within_s": 1},
    ),
    Planted(
        "the group is made at the end of its stream",
        [
            Edit(
                _BUS,
                "(entry.stream, group), Group())",
                "(entry.stream, group), Group(len(self.server.streams[entry.stream])))",
            )
        ],
        "sagas cost little",
        seeds=1,
        options={"most_messages": 6, "participants_late_s": 5},
    ),
    Planted(
        "a take-over loses the entry",
        [
            Edit(
                _BUS,
                "                moved |= await self._consumer.alone(subscription, pending)\n",
                "                del group.pending[pending.delivery.entry_id]\n",
            )
        ],
        "sagas cost little",
        [{"fault": "kill before participant handle", "probability": 0.3, "times": 3, "for_s": 0.5}],
        options={"most_messages": 6},
    ),
    Planted(
        "each attempt has an id of its own",
        [Edit(_MOVES, "    if not pending.rejected:\n        return again\n", "")],
        "effects happen once",
        [{"fault": "lose reply", "kind": "action", "probability": 0.9}],
        options={"troubled_s": 300},
    ),
    Planted(
        "a wake-up is moved from a stale state",
        [
            Edit(
                _STORE,
                "            if (there.revision, there.wake_at) == (before.revision, before.wake_at):\n",
                "            if there.revision >= before.revision:\n",
            )
        ],
        "histories are whole",
        [*_CONFLICTS, {"fault": "pause before orchestrator reschedule", "probability": 0.5, "for_s": 5}],
    ),
    Planted(
        "compensations go oldest first",
        [Edit(_MOVES, "    for index in range(newest, -1, -1):\n", "    for index in range(newest + 1):\n")],
        "compensated means undone",
        [{"fault": "lose reply", "step": "charge-payment", "kind": "action"}],
        seeds=2,
        options={"troubled_s": 300},
    ),
    Planted(
        "each attempt calls the outside with a key of its own",
        [Edit(_CONTEXT, "        return self.command_id\n", '        return f"{self.command_id}#{self.attempt}"\n')],
        "effects happen once",
        [{"fault": "fail after participant handle", "probability": 0.3}],
        options={"external": ["charge-payment"]},
    ),
    Planted(
        "a call to the outside is not announced",
        [
            Edit(
                _RUNNER,
                "                await tx.insert([announce(command, self._clock.now(), self._inbox.expiry)])\n",
                "                pass\n",
            )
        ],
        "compensated means undone",
        _LOST_OUTSIDE,
        seeds=2,
        options={"external": ["reserve-stock"], "troubled_s": 600},
    ),
    Planted(
        "a call without an answer is taken for none",
        [
            Edit(
                _BARRIER,
                "return InDoubt(action) if action.kind is Kind.ACTION else GiveUp(action)",
                "return NullCompensation(tombstone=False) if action.kind is Kind.ACTION else GiveUp(action)",
            )
        ],
        "compensated means undone",
        _LOST_OUTSIDE,
        seeds=2,
        options={"external": ["reserve-stock"], "troubled_s": 600},
    ),
)
