"""Whatever happened to a saga, each of its earlier states can be told from its history."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.history import Snapshot, at_revision, first_revision
from orchestrator.core.state import Message, SagaState, Transition
from support.histories import History, Said, Setting, says, settings_of_sagas


class Recorded(History):
    """A life with all that a store keeps of it, and every state it went through."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.entries: list[Transition] = [self.state.last]
        self.states = {1: self.state}

    def tell(self, message: Message) -> None:
        before = self.state
        super().tell(message)
        if self.state.revision == before.revision:
            return
        if self.state.last.count > 1:
            self.entries.pop()
        self.entries.append(self.state.last)
        self.states[self.state.revision] = self.state


def seen(state: SagaState, at: Snapshot) -> Snapshot:
    """What a snapshot of this state says; its time is that of the folded entry."""
    steps = tuple((step.name, step.status) for step in state.steps)
    return Snapshot(state.revision, at.at, state.status, steps, dict(state.data))


def lived(setting: Setting, said: Sequence[Said]) -> Recorded:
    life = Recorded(setting)
    for one in said:
        life.hears(one)
    return life


@settings(max_examples=120, deadline=None)
@given(settings_of_sagas, says)
def test_every_state_that_a_saga_went_through_can_be_rebuilt(setting: Setting, said: Sequence[Said]) -> None:
    life = lived(setting, said)
    assert first_revision(life.entries) == 1
    for revision, state in life.states.items():
        found = at_revision(life.state, life.entries, revision)
        assert found is not None
        assert found == seen(state, found)


@settings(max_examples=120, deadline=None)
@given(settings_of_sagas, says, st.integers(1, 8))
def test_a_capped_history_tells_the_same_as_far_back_as_it_goes(
    setting: Setting, said: Sequence[Said], kept: int
) -> None:
    life = lived(setting, said)
    entries = life.entries[-kept:]
    for revision, state in life.states.items():
        found = at_revision(life.state, entries, revision)
        if revision < first_revision(entries):
            assert found is None
            continue
        assert found is not None
        whole = seen(state, found)
        assert (found.status, found.steps) == (whole.status, whole.steps)
        assert found.data.items() <= whole.data.items()  # A field that changed later may have lost its earlier value.
        forgotten = whole.data.keys() - found.data.keys()
        assert forgotten <= {field for entry in entries for field in entry.data or {}}
    assert at_revision(life.state, entries, life.state.revision + 1) is None
