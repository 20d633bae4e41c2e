"""What the orchestrator asks of the services that ship, as commands."""

from collections.abc import Sequence

from sagas.messages import CommandMessage
from support.participants import message

Items = Sequence[tuple[str, int]]


def reserve(saga_id: str, items: Items = (("boots", 1),)) -> CommandMessage:
    """Set stock aside."""
    data = {"items": [{"product_id": product, "quantity": quantity} for product, quantity in items]}
    return message(f"{saga_id}/reserve-stock/action", "inventory.reserve-stock", data)


def release(saga_id: str) -> CommandMessage:
    """Put it back."""
    return undoing(saga_id, "reserve-stock", "inventory.release-stock")


def charge(saga_id: str, customer: str = "alice", amount: int = 1999) -> CommandMessage:
    """Take money."""
    data = {"customer_id": customer, "amount": amount}
    return message(f"{saga_id}/charge-payment/action", "payment.charge-payment", data)


def refund(saga_id: str) -> CommandMessage:
    """Give it back."""
    return undoing(saga_id, "charge-payment", "payment.refund-payment")


def undoing(saga_id: str, step: str, command_type: str) -> CommandMessage:
    """The compensation of a step's action."""
    return message(f"{saga_id}/{step}/compensation", command_type, {}, undoes=f"{saga_id}/{step}/action")
