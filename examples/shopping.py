"""What visitors do in the shop: visits, mails and what follows from an order, as messages to the feed."""

from __future__ import annotations

from random import Random
from typing import Final

from examples.catalogue import CAMPAIGNS, MAIL_SUBJECTS, MEDIA, PRODUCTS, SHOP, Product, money
from examples.plan import ANONYMOUS, DAY_MS, DELETING, MAIL, SIGNED_IN, SIGNING_IN, Visit
from examples.shop_live.feed import Feed, iso_ms
from examples.visitors import KIOSK, Visitor

PAGE, VIEW, POPUP, ADD, CHECKOUT, ORDER = range(6)

# From what a visitor did (row) to what comes next (column), out of 1024. The rows are fitted so that, with each visit
# starting on a page, the shares of all events come out as docs and tests say.
_SHOPPER: Final = (
    (286, 588, 86, 1, 63, 0),
    (471, 264, 43, 209, 37, 0),
    (583, 415, 0, 0, 26, 0),
    (357, 200, 10, 55, 402, 0),
    (497, 56, 23, 0, 198, 250),
    (910, 57, 57, 0, 0, 0),
)
_BROWSER: Final = (
    (316, 647, 61, 0, 0, 0),
    (592, 331, 34, 67, 0, 0),
    (599, 425, 0, 0, 0, 0),
    (633, 355, 11, 25, 0, 0),
)


def _lookup(rows: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(step for step, share in enumerate(row) for _ in range(share)) for row in rows)


_SHOPPER_NEXT, _BROWSER_NEXT = _lookup(_SHOPPER), _lookup(_BROWSER)

# The first articles of the catalogue sell best.
_POPULAR: Final = tuple(p for rank, p in enumerate(PRODUCTS) for _ in range(1 + 40 // (rank + 1)))
_BY_CATEGORY: Final = {
    category: tuple(product for product in _POPULAR if product.category == category)
    for category in {product.category for product in PRODUCTS}
}
_PAGES: Final = ("Home", "Category", "Category", "Category", "Search", "Account")
_PATHS: Final = {"Home": "/", "Category": "/all", "Search": "/search?q=rain", "Account": "/account"}
# "Size Guide Opened" is in no schema: an unplanned event.
_POPUPS: Final = ("Popup Viewed",) * 28 + ("Popup Closed",) * 8 + ("Popup Submitted",) * 4 + ("Size Guide Opened",)
_MEDIAN_GAP_MS: Final = 9000


class Shop:
    """The shop, from the side of its tracker.

    Args:
        seed: of the visitors.
        random: source of what is left to chance.
        feed: takes the messages.
        end_ms: nothing happens from here on; milliseconds since the epoch.
    """

    def __init__(self, seed: int, random: Random, feed: Feed, end_ms: int) -> None:
        self._seed, self._rng, self._random, self._feed, self._end_ms = seed, random, random.random, feed, end_ms
        self._gaps_ms = tuple(
            min(int(_MEDIAN_GAP_MS * random.lognormvariate(0, 1.1)) + 1, 1_500_000) for _ in range(4096)
        )
        self._orders = 0
        self._seen_before_merge: set[int] = set()

    def receive(self, visit: Visit) -> None:
        """Sends everything that follows from a visit."""
        visitor = Visitor(self._seed, visit.visitor)
        if visit.stage == MAIL:
            self._mail(visit.start_ms, visitor)
        elif visit.stage == DELETING:
            self._send(visit.start_ms, f'"type":"delete","userId":"{visitor.user_id}"')
        else:
            self._walk(visit, visitor)

    def _send(self, at_ms: int, body: str) -> None:
        if at_ms < self._end_ms:
            self._feed.send(at_ms, body)

    def _walk(self, visit: Visit, visitor: Visitor) -> None:
        """One visit: pages, products, perhaps a cart, a checkout, an order."""
        random, gaps, end_ms = self._random, self._gaps_ms, self._end_ms
        at_ms, stage = visit.start_ms, visit.stage
        anonymous_id = visitor.anonymous_id
        if stage == SIGNED_IN and random() < 0.4:
            anonymous_id = visitor.second_anonymous_id or anonymous_id
        device, user_id = f'"anonymousId":"{anonymous_id}"', self._user_id(visit, visitor)
        who = f'{device},"userId":"{user_id}"' if user_id else device
        # On a shared device everybody signs in again; so do some others.
        signs_in_after = -1
        if stage == SIGNING_IN or (stage == SIGNED_IN and (visitor.shares_device or random() < 0.03)):
            who, signs_in_after = device, min(int(3 * random()), visit.events - 1)
        context = self._context(visitor)
        rows = _BROWSER_NEXT if visitor.number == KIOSK else _SHOPPER_NEXT
        page = '"type":"screen","name":"' if visitor.device_type in ("ios", "android") else '"type":"page","name":"'
        popular = _BY_CATEGORY[visitor.favourite_category] if visitor.number != KIOSK else _POPULAR
        product = popular[int(random() * len(popular))]
        cart: list[Product] = []
        step, left = PAGE, visit.events
        while left > 0 and at_ms < end_ms:
            if signs_in_after == 0:
                left -= self._sign_in(at_ms, visit, visitor, device, context)
                who, signs_in_after = f'{device},"userId":"{visitor.user_id}"', -1
                at_ms += 1 + gaps[int(random() * 4096)]
                continue
            signs_in_after -= 1
            row = rows[step]
            following = row[int(random() * 1024)]
            if following == VIEW:
                choice = popular if random() < 0.6 else _POPULAR
                product = choice[int(random() * len(choice))]
            if step == PAGE:
                name, path = self._page(following, product)
                body = f'{page}{name}",{who},"properties":{{"path":"{path}"}},{context}{path}"}}}}'
            else:
                body = self._action(step, at_ms, who=who, context=context, product=product, cart=cart)
            self._send(at_ms, body)
            left -= 1
            step = following
            at_ms += gaps[int(random() * 4096)]

    def _user_id(self, visit: Visit, visitor: Visitor) -> str | None:
        """Who signed in before this visit began, as far as the tracker knows."""
        if visit.stage == SIGNED_IN:
            return visitor.user_id
        if visit.stage == ANONYMOUS and visitor.number != KIOSK and visitor.former_accounts:
            self._seen_before_merge.add(visitor.number)
            return visitor.former_user_id(1 + int(visitor.former_accounts * self._random()))
        return None

    def _context(self, visitor: Visitor) -> str:
        """Everything up to the page's path, which differs from message to message."""
        random = self._random
        campaign = ""
        if random() < 0.35:
            source, medium = MEDIA[int(random() * len(MEDIA))]
            name = CAMPAIGNS[int(random() * len(CAMPAIGNS))]
            campaign = f'"campaign":{{"name":"{name}","source":"{source}","medium":"{medium}"}},'
        advertising = "true" if visitor.allows_marketing else "false"
        return (
            f'"context":{{"device":{{"type":"{visitor.device_type}"}},"locale":"{visitor.city.locale}",{campaign}'
            f'"userAgent":"{visitor.user_agent}",'
            f'"consent":{{"categoryPreferences":{{"advertising":{advertising}}}}},"page":{{"url":"{SHOP}'
        )

    def _page(self, following: int, product: Product) -> tuple[str, str]:
        if following == VIEW:
            return "Product", product.path
        if following == CHECKOUT:
            return "Cart", "/cart"
        name = _PAGES[int(self._random() * len(_PAGES))]
        return name, _PATHS[name]

    def _action(self, step: int, at_ms: int, *, who: str, context: str, product: Product, cart: list[Product]) -> str:
        if step == VIEW:
            name, path, properties = "Product Viewed", product.path, f'{product.json},"currency":"EUR"'
        elif step == ADD:
            cart.append(product)
            name, path, properties = "Product Added", product.path, f'{product.json},"quantity":1,"currency":"EUR"'
        elif step == POPUP:
            name, path = _POPUPS[int(self._random() * len(_POPUPS))], "/"
            properties = '"popup_id":"pop_3","popup_name":"Ten percent off","popup_type":"newsletter"'
        elif step == CHECKOUT:
            name, path = "Checkout Started", "/checkout"
            properties = self._purchase(cart or self._earlier_cart(product))[1]
        else:
            name, path = "Order Completed", "/thanks"
            properties = self._order(at_ms, who, cart or self._earlier_cart(product))
            cart.clear()
        return f'"type":"track","event":"{name}",{who},"properties":{{{properties}}},{context}{path}"}}}}'

    def _earlier_cart(self, product: Product) -> list[Product]:
        """What was put into the cart in a visit before this one."""
        return [product, *(_POPULAR[int(self._random() * len(_POPULAR))] for _ in range(int(4 * self._random())))]

    def _purchase(self, cart: list[Product]) -> tuple[int, str]:
        """What the cart costs in cents, and the properties that say so."""
        quantities = {product: min(cart.count(product), 3) for product in cart}
        cents = sum(product.price_cents * quantity for product, quantity in quantities.items())
        lines = ",".join(f'{{{product.json},"quantity":{quantity}}}' for product, quantity in quantities.items())
        return cents, f'"revenue":{money(cents)},"value":{money(cents)},"currency":"EUR","products":[{lines}]'

    def _order(self, at_ms: int, who: str, cart: list[Product]) -> str:
        """The order's properties; what comes of it later is on its way."""
        self._orders += 1
        order_id = f"o_{self._orders:06d}"
        later_ms = at_ms + int((2 + 8 * self._random()) * DAY_MS)
        chance = self._random()
        if chance < 0.12:
            rating = 1 + int(5 * self._random() ** 0.5)
            review = f'"product_id":"{cart[0].product_id}","review_id":"r_{self._orders:06d}","rating":{rating}'
            self._send(later_ms, f'"type":"track","event":"Product Reviewed",{who},"properties":{{{review}}}')
        elif chance < 0.20:
            refund = f'"order_id":"{order_id}",{self._purchase(cart[:1])[1]},"reason":"does not fit"'
            self._send(later_ms, f'"type":"track","event":"Order Refunded",{who},"properties":{{{refund}}}')
        elif chance < 0.27:
            ticket = f'"ticket_id":"t_{self._orders:06d}","subject":"Where is my order?","priority":"normal"'
            self._send(later_ms, f'"type":"track","event":"Ticket Created",{who},"properties":{{{ticket}}}')
        cents, purchase = self._purchase(cart)
        return f'"order_id":"{order_id}","total":{money(cents + 490)},"shipping":4.90,{purchase}'

    def _sign_in(self, at_ms: int, visit: Visit, visitor: Visitor, device: str, context: str) -> int:
        """The messages of a first sign-in, or one of a later one; how many they were."""
        user_id = visitor.user_id
        who = f'{device},"userId":"{user_id}"'
        if visit.stage == SIGNED_IN:
            traits = f'{{"loyalty_status":"gold","last_sign_in":"{iso_ms(at_ms)}"}}' if self._random() < 0.2 else "{}"
            self._send(at_ms, f'"type":"identify",{who},"traits":{traits},{context}/account"}}}}')
            return 1
        traits = visitor.traits_json(iso_ms(at_ms))
        self._send(at_ms, f'"type":"identify",{who},"traits":{traits},{context}/account"}}}}')
        self._feed.remember_user(user_id)
        sent = 1 + self._merge_accounts(at_ms + 300, visitor)
        if visitor.company:
            group = f'"groupId":"{visitor.company.lower().replace(" ", "_")}"'
            traits = f'{{"name":"{visitor.company}","industry":"travel","employees":{20 + visitor.number % 80}}}'
            self._send(at_ms + 500, f'"type":"group",{group},{who},"traits":{traits}')
            sent += 1
        return sent

    def _merge_accounts(self, at_ms: int, visitor: Visitor) -> int:
        """Aliases of the accounts that the visitor had before, the oldest first; of every 40th, of the device."""
        ids = [visitor.former_user_id(generation) for generation in range(visitor.former_accounts, 0, -1)]
        if not ids and visitor.number % 40 == 0:
            ids = [visitor.anonymous_id]
        chain = [*ids, visitor.user_id]
        for position, previous_id in enumerate(ids):
            following = chain[position + 1]
            self._send(at_ms + position, f'"type":"alias","previousId":"{previous_id}","userId":"{following}"')
        if visitor.number in self._seen_before_merge:
            self._feed.remember_merge(at_ms + len(ids), visitor.former_user_id(1), visitor.user_id)
        return len(ids)

    def _mail(self, at_ms: int, visitor: Visitor) -> None:
        """A mail that is delivered, perhaps opened, perhaps followed."""
        rng = self._rng
        mailing = at_ms // (DAY_MS * 7 // 2)
        mail = (
            f'"email_id":"mail_{mailing % 1000}_{visitor.number + 1}","campaign_id":"c_{mailing % 1000}",'
            f'"email_subject":"{MAIL_SUBJECTS[mailing % len(MAIL_SUBJECTS)]}","campaign_name":"newsletter"'
        )
        steps = ["Email Delivered"]
        if rng.random() < 0.45:
            steps.append("Email Opened")
            if rng.random() < 0.35:
                steps.append("Email Link Clicked")
            elif rng.random() < 0.04:
                steps.append("Unsubscribed")
        wait_ms = int(rng.lognormvariate(0, 1.3) * 2 * 3_600_000) + 60_000
        for step in steps:
            self._send(
                at_ms,
                f'"type":"track","event":"{step}","userId":"{visitor.user_id}","properties":{{{mail}}},'
                f'"context":{{"library":{{"name":"mail-service","version":"3.1"}}}}',
            )
            at_ms, wait_ms = at_ms + wait_ms, 20_000
