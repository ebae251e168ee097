"""Orders as they were known at an instant, and what a repeat-purchase model needs to know of each customer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

DAY_US: Final = 86_400_000_000
WEEK_US: Final = 7 * DAY_US

Floats = NDArray[np.float64]
Kind = Literal["order", "refund", "cancellation"]


class OrderEvent(NamedTuple):
    """One event about an order. `at`: microseconds, UTC. `amount`: in `currency`; None where the event says none."""

    profile_id: str
    at: int
    message_id: str
    kind: Kind
    order_id: str | None
    amount: float | None
    currency: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one customer bought on one day (UTC). `amount`: None where no order of the day has one."""

    at: int
    amount: float | None
    currency: str


@dataclass(frozen=True, slots=True)
class History:
    """A customer's purchases, in order of time, at least one."""

    profile_id: str
    purchases: tuple[Purchase, ...]

    def currency(self) -> str:
        """The one that most purchases are in; of equally frequent ones the first in the alphabet."""
        counts = Counter(purchase.currency for purchase in self.purchases)
        return min(counts, key=lambda name: (-counts[name], name))


@dataclass(frozen=True, slots=True)
class Summary:
    """Per customer, in weeks: `frequency` repeat purchases, the last one `recency` after the first, `age` since it."""

    frequency: Floats
    recency: Floats
    age: Floats


def histories(events: Iterable[OrderEvent], until: int) -> list[History]:
    """The customers of all events at or before `until`, by profile id.

    An order that is told twice (same order id) counts once; one that was cancelled by then does not count; refunds
    lower its amount. Orders of one day are one purchase: nobody decides twice about one basket.
    """
    known = sorted((event for event in events if event.at <= until), key=lambda event: (event.at, event.message_id))
    cancelled = {(e.profile_id, e.order_id) for e in known if e.kind == "cancellation" and e.order_id is not None}
    refunds: dict[tuple[str, str | None], float] = {}
    for event in known:
        if event.kind == "refund" and event.order_id is not None and event.amount is not None:
            refunded = (event.profile_id, event.order_id)
            refunds[refunded] = refunds.get(refunded, 0.0) + event.amount
    orders: dict[str, list[OrderEvent]] = {}
    seen: set[tuple[str, str | None]] = set()
    for event in known:
        one = (event.profile_id, event.order_id)
        if event.kind != "order" or one in cancelled or one in seen:
            continue
        if event.order_id is not None:
            seen.add(one)
        net = event.amount if event.amount is None else event.amount - refunds.get(one, 0.0)
        orders.setdefault(event.profile_id, []).append(event._replace(amount=net))
    return [History(profile_id, tuple(_by_day(orders[profile_id]))) for profile_id in sorted(orders)]


def _by_day(orders: Sequence[OrderEvent]) -> Iterable[Purchase]:
    days: dict[int, list[OrderEvent]] = {}
    for order in orders:
        days.setdefault(order.at // DAY_US, []).append(order)
    for _, of_day in sorted(days.items()):
        currency = of_day[0].currency
        amounts = [order.amount for order in of_day if order.amount is not None and order.currency == currency]
        yield Purchase(of_day[0].at, round(sum(amounts), 6) if amounts else None, currency)


def summarise(customers: Sequence[History], at: int) -> Summary:
    """Each customer as of `at`. Days count whole, as in the published data: the hour of an order says little."""
    today = at // DAY_US
    first = np.array([customer.purchases[0].at // DAY_US for customer in customers], dtype=np.float64)
    last = np.array([customer.purchases[-1].at // DAY_US for customer in customers], dtype=np.float64)
    repeats = np.array([len(customer.purchases) - 1 for customer in customers], dtype=np.float64)
    return Summary(repeats, (last - first) / 7, (today - first) / 7)


def purchases_between(customers: Sequence[History], later: Sequence[History], start: int) -> Floats:
    """How many purchases each of `customers` made after the day of `start`, as `later` knows them."""
    found = {
        history.profile_id: sum(purchase.at // DAY_US > start // DAY_US for purchase in history.purchases)
        for history in later
    }
    return np.array([found.get(customer.profile_id, 0) for customer in customers], dtype=np.float64)
