"""What somebody has to be woken for, as Prometheus rules: docs/alerts.yml and the table in docs/metrics.md.

python -m orchestrator.metrics.alerts > docs/alerts.yml
"""

import json
import sys
from dataclasses import dataclass

_OPENING = """\
# Alert rules for Prometheus. Made from the code: python -m orchestrator.metrics.alerts > docs/alerts.yml
# The numbers are where to begin; a service's own habits say what is unusual there.
groups:
  - name: saga-orchestrator
    rules:
"""


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule."""

    name: str
    when: str  #: the expression
    says: str
    do: str  #: what to do first
    lasting: str = "1m"  #: how long it must be so
    severity: str = "page"  #: `page`: wake somebody; `ticket`: look at it by day


ALERTS = (
    Alert(
        "SagaStuck",
        'max by (saga) (saga_active{status="stuck"}) > 0',
        "a saga waits for a person",
        "saga ls --status stuck, and saga show ID: it says at which command, and why. Then retry, skip or abort it.",
    ),
    Alert(
        "SagaOld",
        "time() - max by (saga) (saga_oldest_active_timestamp_seconds) > 900",
        "a saga does not come to its end",
        "saga ls --status running, and --status compensating, the last ones: saga show ID says what each waits for.",
    ),
    Alert(
        "SagaNoneEnds",
        "sum by (saga) (rate(saga_started_total[10m])) > 0 and sum by (saga) (rate(saga_ended_total[10m])) == 0",
        "sagas begin and none comes to its end",
        "saga doctor: which part does not do its work? SagaParticipantAway and SagaDependencyAway often say it.",
        lasting="5m",
    ),
    Alert(
        "SagaParticipantAway",
        "max by (stream, group) (saga_stream_group_consumers) == 0"
        " and max by (stream, group) (saga_stream_group_lag) > 0",
        "nobody reads a stream on which something waits",
        "Start the participant that the group is named after; an orchestrator, for replies and what starts sagas.",
    ),
    Alert(
        "SagaBacklog",
        "max by (stream, group) (saga_stream_group_lag) > 10000",
        "a participant is away or too slow",
        "Look at the participant; start another of its processes.",
        lasting="5m",
    ),
    Alert(
        "SagaLagUnknown",
        "min by (stream, group) (saga_stream_group_lag_known) == 0",
        "nobody can tell how much waits in a stream",
        "XINFO GROUPS on the stream: is it there? A lost one is made again within seconds; deleted entries hide it.",
        lasting="5m",
        severity="ticket",
    ),
    Alert(
        "SagaNotSettled",
        "max by (stream, group) (saga_stream_group_oldest_pending_idle_seconds) > 120",
        "what was read is not settled",
        "The reader's log: what raises, or which database does it wait for?",
    ),
    Alert(
        "SagaDeadLetters",
        "max by (stream) (saga_dead_letters) > 0",
        "messages that nobody could handle wait for somebody",
        "saga dead-letters ls: each says why. Redrive or delete it.",
        severity="ticket",
    ),
    Alert(
        "SagaStepFailing",
        'sum by (saga, step, kind) (rate(saga_step_attempts_total{outcome=~"failed|timeout"}[10m]))'
        " / sum by (saga, step, kind) (rate(saga_step_attempts_total[10m])) > 0.2",
        "every fifth attempt of a step fails",
        "The participant's log: command-failed says what was raised.",
        lasting="10m",
        severity="ticket",
    ),
    Alert(
        "SagaTimersLate",
        "max by (instance) (saga_timer_lag_seconds) > 30",
        "timers come late: lost messages are sent again later than promised",
        "Is MongoDB slow, or the orchestrator short of CPU? Another replica shares the timers.",
        lasting="5m",
    ),
    Alert(
        "SagaEntriesVanished",
        "increase(saga_bus_entries_vanished_total[10m]) > 0",
        "somebody trims or deletes entries by hand",
        "Who else uses this Redis? Orchestrators trim replies, participants their own commands: only what is settled.",
        lasting="0m",
        severity="ticket",
    ),
    Alert(
        "SagaDependencyAway",
        "min by (dependency) (saga_dependency_up) == 0",
        "a server is away",
        "Nothing is lost; sagas wait. Bring the server back.",
    ),
    Alert(
        "SagaProcessDown",
        'sum by (job) (up{job=~"saga-.+"}) < count by (job) (up{job=~"saga-.+"})',
        "a process does not answer scrapes",
        "Was it killed, or is it starting again and again? Its log. Others go on with its work.",
        lasting="5m",
        severity="ticket",
    ),
    Alert(
        "SagaNoOrchestrator",
        'absent(up{job="saga-orchestrator"} == 1)',
        "no orchestrator answers scrapes: nothing can be started, and nothing else here can fire",
        "Start one, or look why they don't: a wrong key for /metrics looks the same.",
        lasting="2m",
    ),
    Alert(
        "SagaHttpErrors",
        'sum by (route) (rate(saga_http_requests_total{status=~"5.."}[5m])) > 0.1',
        "requests are answered with a server's error",
        "The orchestrator's log: request-failed and request-unavailable, with the request's id.",
        lasting="5m",
    ),
)


def as_yaml() -> str:
    """The rule file."""
    return _OPENING + "".join(map(_rule, ALERTS))


def as_rows() -> list[str]:
    """The table's rows."""
    return [f"| {alert.name} | `{alert.when.replace('|', chr(92) + '|')}` | {alert.says} |" for alert in ALERTS]


def _rule(alert: Alert) -> str:
    # JSON's strings are YAML's too.
    return f"""\
      - alert: {alert.name}
        expr: {json.dumps(alert.when)}
        for: {alert.lasting}
        labels:
          severity: {alert.severity}
        annotations:
          summary: {json.dumps(alert.says)}
          description: {json.dumps(alert.do)}
"""


if __name__ == "__main__":
    sys.stdout.write(as_yaml())
