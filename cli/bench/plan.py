"""Which orders a run places: its own products and customers, so that nobody else's are touched. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from participants.seed import Customer, Product

Json = dict[str, Any]

PRODUCTS = 100  #: orders take turns among them, as in a shop: none is sold so often that everybody waits for its row
CUSTOMERS = 100
PRICE = 1


@dataclass(frozen=True, slots=True)
class Order:
    """One order, and how its saga must end."""

    id: str
    data: Json
    completes: bool

    @property
    def body(self) -> Json:
        """The request that starts it. Its id makes sending it again harmless."""
        return {"saga": "order", "id": self.id, "data": self.data}


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Every id in it, of sagas, products and customers, begins with `prefix`."""

    run: str
    sagas: int
    warm_up: int
    reject_ratio: float  #: the share of orders whose payment is declined, so that their stock is released again
    product_count: int = PRODUCTS  #: 1: everybody wants the same

    @property
    def prefix(self) -> str:
        """What every id begins with."""
        return f"bench-{self.run}-"

    @property
    def measured(self) -> str:
        """What the ids of the measured sagas begin with."""
        return f"{self.prefix}m-"

    @property
    def warming(self) -> str:
        """What the ids of those before begin with."""
        return f"{self.prefix}w-"

    def products(self) -> list[Product]:
        """Enough of each for all orders."""
        each = (self.sagas + self.warm_up) // self.product_count + 2
        return [Product(f"{self.prefix}p{number}", each, PRICE) for number in range(self.product_count)]

    def customers(self) -> list[Customer]:
        """Enough money for all orders; and one who has none."""
        each = PRICE * ((self.sagas + self.warm_up) // CUSTOMERS + 2)
        return [*(Customer(f"{self.prefix}c{number}", each) for number in range(CUSTOMERS)), Customer(self._broke, 0)]

    def warm_up_orders(self) -> Iterator[Order]:
        """Those that are not measured."""
        return (self._order(self.warming, number) for number in range(self.warm_up))

    def orders(self) -> Iterator[Order]:
        """Those that are."""
        return (self._order(self.measured, number) for number in range(self.sagas))

    def number(self, saga_id: str) -> int:
        """Which of the measured sagas it is, from 0."""
        return int(saga_id.removeprefix(self.measured))

    @property
    def _broke(self) -> str:
        return f"{self.prefix}broke"

    def _order(self, prefix: str, number: int) -> Order:
        # Spread evenly: the n-th order is declined where the running total of declined ones reaches the next number.
        declined = int((number + 1) * self.reject_ratio) > int(number * self.reject_ratio)
        customer = self._broke if declined else f"{self.prefix}c{number % CUSTOMERS}"
        items = [{"product_id": f"{self.prefix}p{number % self.product_count}", "quantity": 1}]
        return Order(f"{prefix}{number}", {"customer_id": customer, "items": items}, completes=not declined)
