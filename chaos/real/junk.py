"""Entries that nobody of ours has sent: unreadable ones, and forged ones that are about no saga of the run."""

from collections.abc import Mapping, Sequence

_DEEP = "[" * 10_000
_SOMETHING = {"specversion": "1.0", "time": "2026-01-01T00:00:00Z", "data": "{}"}


def unreadable(newest: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Entries like the newest one, each broken in another way; and some that are nothing at all."""
    like = dict(newest[-1]) if newest else dict(_SOMETHING)
    return [
        like | {"data": "{"},
        like | {"data": _DEEP},
        like | {"data": '{"amount": NaN}'},
        like | {"data": '{"amount": 99999999999999999999999}'},
        like | {"data": '"a string"'},
        like | {"id": "", "causationid": ""},
        {"hello": "world"},
    ]


def forged_commands(participant: str) -> list[dict[str, str]]:
    """Commands that can be read, and that nobody can do."""
    about = {"subject": "forged", "replyto": "saga.replies", "source": "/somebody", "attempt": "1"}
    return [
        _SOMETHING | about | {"id": "forged/step/action", "type": f"{participant}.no-such-command"},
        _SOMETHING | about | {"id": "forged", "type": f"{participant}.no-such-command"},
        _SOMETHING | about | {"id": "forged/step/action", "type": "somebody-else.do-it"},
    ]


def forged_replies(participant: str) -> list[dict[str, str]]:
    """Replies that can be read, to commands that nobody has sent."""
    outcomes = {"succeeded": "{}", "rejected": '{"code": "forged", "detail": ""}', "failed": '{"code": "forged"}'}
    return [
        _SOMETHING
        | {
            "id": f"forged/step/action/reply/{number}",
            "type": f"{participant}.forged.{outcome}",
            "source": f"/participants/{participant}",
            "subject": "forged",
            "causationid": "forged/step/action",
            "outcome": outcome,
            "attempt": "1",
            "data": data,
        }
        for number, (outcome, data) in enumerate(outcomes.items())
    ]
