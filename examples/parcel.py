"""A saga of your own: book a courier, hand the parcel over.

Load it with `SAGA_DEFINITIONS=sagas.order,examples.parcel`. Its participant is `courier.py`, which imports nothing of
this project.
"""

from sagas import Command, Endpoint, Reply, Saga, SagaData, SagaInput, step, undo


class BookCourier(Command):
    """Have somebody come by."""

    address: str
    weight_g: int


class CourierBooked(Reply):
    """Somebody comes by, under this reference."""

    booking: str


class CancelCourier(Command):
    """Nobody needs to come by."""


class CourierCancelled(Reply):
    """Nobody comes by."""


class HandOver(Command):
    """Give the parcel away."""

    booking: str


class HandedOver(Reply):
    """The parcel is on its way."""


class SendParcel(SagaInput):
    """What a client sends."""

    address: str
    weight_g: int


class Parcel(SagaData):
    """What the saga knows."""

    address: str
    weight_g: int
    booking: str | None = None


BOOK_COURIER = Endpoint("courier", BookCourier, CourierBooked)
CANCEL_COURIER = Endpoint("courier", CancelCourier, CourierCancelled)
HAND_OVER = Endpoint("courier", HandOver, HandedOver)

parcel = Saga(
    "parcel",
    version=1,
    input=SendParcel,
    data=Parcel,
    steps=[
        step("book-courier", BOOK_COURIER, undo=undo(CANCEL_COURIER), timeout="5s"),
        step("hand-over", HAND_OVER),
    ],
)
