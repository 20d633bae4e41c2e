"""Breadth-first through every state of a scene: is each of them safe, and can each still come to an end?"""

from collections import deque
from dataclasses import dataclass

from orchestrator.core.state import SagaState, Status, StepStatus
from sagas import Saga
from support.world import Scene, Scenery, World

NOTHING_DONE = (StepStatus.PENDING, StepStatus.REJECTED)


@dataclass(frozen=True)
class Found:
    """What an exploration found. `problem` is None where everything holds."""

    states: int
    moves: int
    depth: int  #: of the problem, else of the last state
    problem: str | None = None
    trace: tuple[str, ...] = ()  #: the shortest history that leads to the problem

    def __str__(self) -> str:
        told = f"{self.states} states, {self.moves} moves, depth {self.depth}"
        return told if self.problem is None else "\n  ".join([f"{told}: {self.problem}", *self.trace])


def explore(scene: Scene, most: int = 2_000_000) -> Found:
    """Every state that can be reached, and, unless replies may be garbled, whether each can still come to an end."""
    scenery = Scenery(scene)
    first = scenery.first()
    came_from: dict[World, tuple[World, str] | None] = {first: None}
    before: dict[World, list[World]] = {first: []}
    depth = {first: 0}
    queue, moves = deque([first]), 0
    while queue:
        world = queue.popleft()
        problem = unsafe(scenery, world)
        if problem:
            return Found(len(depth), moves, depth[world], problem, _trace(came_from, world))
        for label, after in scenery.moves(world):
            moves += 1
            if problem := _stirred(scenery, world, after):
                return Found(len(depth), moves, depth[world] + 1, problem, (*_trace(came_from, world), label))
            if after not in depth:
                assert len(depth) < most, "too many states: make the scene smaller"
                depth[after], came_from[after], before[after] = depth[world] + 1, (world, label), []
                queue.append(after)
            before[after].append(world)
    hopeless = set() if scene.garbles else _without_an_end(scenery, before)
    if hopeless:
        nearest = min(hopeless, key=depth.__getitem__)
        problem = f"no end can be reached any more: {_shown(scenery.sagas[nearest.saga])}"
        return Found(len(depth), moves, depth[nearest], problem, _trace(came_from, nearest))
    return Found(len(depth), moves, max(depth.values()))


def unsafe(scenery: Scenery, world: World) -> str | None:
    """What is wrong with this state."""
    state, saga = scenery.sagas[world.saga], scenery.saga
    for index, (acted, undone) in enumerate(world.effects):
        problem = _untrue(saga, state, index, acted, undone)
        if problem:
            return f"{saga.steps[index].name} {problem} (done {acted} times, undone {undone} times; {_shown(state)})"
    return _out_of_order(saga, state, world) or _ended_wrongly(saga, state)


def _untrue(saga: Saga, state: SagaState, index: int, acted: int, undone: int) -> str | None:
    """What a step's status says must be so, whatever is still under way in the network."""
    status, has_undo = state.steps[index].status, saga.steps[index].undo is not None
    if acted > 1 or undone > 1:
        return "took effect twice"
    if undone > acted:
        return "was undone but never done"
    if status is StepStatus.SUCCEEDED and (acted, undone) != (1, 0):
        return "should be done"
    if status in NOTHING_DONE and acted:
        return "should not be done"
    if status is StepStatus.COMPENSATED and acted != (undone if has_undo else 0):
        return "should be undone"
    return None


def _out_of_order(saga: Saga, state: SagaState, world: World) -> str | None:
    for index, (_, undone) in enumerate(world.effects):
        for later in range(index + 1, len(world.effects)):
            by_hand = state.steps[later].status is StepStatus.SKIPPED
            net = world.effects[later][0] - world.effects[later][1]
            matters = saga.steps[later].undo is not None or later == saga.pivot
            if undone and net and matters and not by_hand:
                return f"{saga.steps[index].name} was undone although {saga.steps[later].name} stands; {_shown(state)}"
    return None


def _stirred(scenery: Scenery, world: World, after: World) -> str | None:
    """A step that an operator has done by hand must stay as it was once its participant has answered the revoke."""
    if world.effects == after.effects:
        return None
    state, rows = scenery.sagas[world.saga], {scenery.rows[number].id for number in world.rows}
    sent = {scenery.commands[number].id for number in world.commands}
    for index, step in enumerate(state.steps):
        undone = f"s/{step.name}/compensation" in sent
        revoked = {f"s/{step.name}/revoke"} | ({f"s/{step.name}/revoke/2"} if undone else set())
        by_hand = step.status is StepStatus.SKIPPED and revoked <= rows
        if by_hand and world.effects[index] != after.effects[index]:
            return f"{step.name} changed after it was skipped; {_shown(state)}"
    return None


def _ended_wrongly(saga: Saga, state: SagaState) -> str | None:
    statuses = [step.status for step in state.steps]
    if state.status.ended and state.pending:
        return f"ended with {state.pending[0].command_id} pending"
    if state.status is Status.COMPLETED and not {*statuses} <= {StepStatus.SUCCEEDED, StepStatus.SKIPPED}:
        return f"completed without all its steps: {_shown(state)}"
    if state.status is Status.COMPENSATED:
        left = {
            status
            for step, status in zip(saga.steps, statuses, strict=True)
            if step.undo is not None or step is saga.steps[saga.pivot]
        }
        if left & {StepStatus.SUCCEEDED, StepStatus.UNKNOWN, StepStatus.RUNNING, StepStatus.COMPENSATING}:
            return f"compensated with a step left over: {_shown(state)}"
    return None


def _without_an_end(scenery: Scenery, before: dict[World, list[World]]) -> set[World]:
    """The states from which no end can be reached; waiting for a person with nothing pending is one here."""
    ends = [world for world in before if _rests(scenery.sagas[world.saga])]
    hopeful, queue = set(ends), deque(ends)
    while queue:
        for world in before[queue.popleft()]:
            if world not in hopeful:
                hopeful.add(world)
                queue.append(world)
    return before.keys() - hopeful


def _rests(state: SagaState) -> bool:
    for_a_person = state.status is Status.STUCK and not any(not pending.rejected for pending in state.pending)
    return state.status.ended or for_a_person


def _shown(state: SagaState) -> str:
    return f"saga {state.status}, " + ", ".join(f"{step.name} {step.status}" for step in state.steps)


def _trace(came_from: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    labels: list[str] = []
    while (step := came_from[world]) is not None:
        world, label = step
        labels.append(label)
    return tuple(reversed(labels))
