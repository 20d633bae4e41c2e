"""Do the totals add up? Read from the participants' databases, and computed from their ledgers.

The rule: for each key the sum of the ledger's amounts is the balance, always. And across services, once all sagas have
ended: what has left the stock and the accounts is what stands on the orders. Reads only.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from adapters.mongo import Document, Mongo, find
from participants.inventory import PRODUCTS
from participants.ledger import LEDGER, OPENING, Balances
from participants.payment import ACCOUNTS

_MOST = 100_000  #: rows read: this is for demos, not for a shop's whole year


@dataclass(frozen=True, slots=True)
class Total:
    """One product's or customer's ledger, summed by kind, and its balance."""

    key: str
    opening: int
    action: int
    compensation: int
    balance: int

    @property
    def adds_up(self) -> bool:
        """Whether the ledger says what the balance says."""
        return self.opening + self.action + self.compensation == self.balance

    @property
    def moved(self) -> int:
        """What orders have taken in the end."""
        return -(self.action + self.compensation)


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything that must add up."""

    stock: list[Total]
    money: list[Total]
    orders: int
    ordered: Mapping[str, int]  #: on orders, by product
    charged: Mapping[str, int]  #: on orders, by customer

    @property
    def problems(self) -> list[str]:
        """What does not add up, in words."""
        return [
            *(f"{total.key}: ledger and balance differ" for total in [*self.stock, *self.money] if not total.adds_up),
            *_differences("stock", self.stock, self.ordered),
            *_differences("money", self.money, self.charged),
        ]

    def table(self) -> Table:
        """The totals, a line for each product and customer."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("", "key", "at first", "taken", "given back", "ledger's sum", "balance", "on orders"):
            table.add_column(column, justify="left" if column in ("", "key") else "right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for total in self.stock:
            _line(table, "stock", total, self.ordered[total.key], "{:,}".format)
        for total in self.money:
            _line(table, "money", total, self.charged[total.key], in_units)
        return table


def _differences(what: str, totals: Iterable[Total], on_orders: Mapping[str, int]) -> list[str]:
    moved = {total.key: total.moved for total in totals}
    keys = sorted(moved.keys() | on_orders.keys())
    return [f"{key}: {what} and orders differ" for key in keys if moved.get(key, 0) != on_orders.get(key, 0)]


async def read_totals(mongo: Mongo, prefix: str) -> Totals:
    """Sum up the ledgers in the databases `{prefix}inventory`, `{prefix}payment` and `{prefix}orders`."""
    orders = await find(mongo.database(f"{prefix}orders")["orders"], {}, limit=_MOST)
    return Totals(
        stock=await _totals(mongo, f"{prefix}inventory", PRODUCTS),
        money=await _totals(mongo, f"{prefix}payment", ACCOUNTS),
        orders=len(orders),
        ordered=_summed((item["product_id"], item["quantity"]) for order in orders for item in order["items"]),
        charged=_summed((order["customer_id"], order["amount"]) for order in orders),
    )


def in_units(amount: int) -> str:
    """Cents as people write money."""
    return f"{amount // 100:,}.{amount % 100:02}" if amount >= 0 else f"-{in_units(-amount)}"


async def _totals(mongo: Mongo, name: str, balances: Balances) -> list[Total]:
    database = mongo.database(name)
    rows = await find(database[LEDGER], {}, limit=_MOST)
    documents = await find(database[balances.collection], {}, limit=_MOST)
    return [_total(document["_id"], document[balances.field], rows) for document in documents]


def _total(key: str, balance: int, rows: Iterable[Document]) -> Total:
    sums = _summed((row["kind"], row["amount"]) for row in rows if row["key"] == key)
    return Total(key, sums[OPENING], sums["action"], sums["compensation"], balance)


def _summed(pairs: Iterable[tuple[str, int]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for key, amount in pairs:
        sums[key] += amount
    return sums


def _line(table: Table, what: str, total: Total, on_orders: int, written: Callable[[int], str]) -> None:
    right = total.adds_up and total.moved == on_orders
    numbers = (total.opening, total.action, total.compensation, total.opening + total.action + total.compensation)
    table.add_row(
        what,
        total.key,
        *(written(number) for number in (*numbers, total.balance, on_orders)),
        Text("✔", "green") if right else Text("✘ differs", "bold red"),
    )
