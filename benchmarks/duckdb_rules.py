# ruff: noqa: S608 - the queries are made of constants
"""The ten rules as SQL over the file, on DuckDB: what an analytics engineer would write instead. Current members only.

`python -m benchmarks.duckdb_rules FILE`

It decodes and leaves out what it cannot. Not in it, since SQL over the log cannot say it in a line or two: validation,
duplicates, stitching, when a member entered and will leave, which events made it true, longest stays and the pauses
after them, hold-out groups by percent.
"""

from __future__ import annotations

import sys

import duckdb

from benchmarks.one_rule import AS_OF, ORDERED, VIEWED

EVENTS = f"""
create temp table events as
select coalesce(userId, anonymousId) as person, userId is not null as known, type, event, properties, traits,
    context ->> '$.device.type' as device, try_cast(coalesce("timestamp", receivedAt) as timestamptz) as happened
from read_json(?, format = 'newline_delimited', ignore_errors = true, columns = {{
    type: 'VARCHAR', event: 'VARCHAR', userId: 'VARCHAR', anonymousId: 'VARCHAR', "timestamp": 'VARCHAR',
    receivedAt: 'VARCHAR', properties: 'JSON', traits: 'JSON', context: 'JSON'}})
where coalesce(userId, anonymousId) is not null
    and try_cast(coalesce("timestamp", receivedAt) as timestamptz) <= timestamptz '{AS_OF}'
"""

_NOW = f"timestamptz '{AS_OF}'"


def _since(age: str) -> str:
    return f"happened > {_NOW} - interval {age}"


_WITHOUT_ORDER = f"""
select distinct person from events step
where event in ('Product Added', 'Checkout Started') and {_since("3 days")} and happened <= {_NOW} - interval 1 hour
    and not exists (from events later where later.person = step.person and later.event = '{ORDERED}'
        and later.happened > step.happened and later.happened < step.happened + interval 3 days)"""

RULES = {
    "viewed_not_purchased": f"""
with steps as (
    select person, event, happened, unnest(case when event = '{VIEWED}' then [properties ->> 'product_id']
        else cast(properties -> '$.products[*].product_id' as varchar[]) end) as product
    from events where event in ('{VIEWED}', '{ORDERED}') and {_since("24 hours")})
select distinct person from steps viewed
where event = '{VIEWED}' and not exists (from steps bought where bought.event = '{ORDERED}'
    and bought.person = viewed.person and bought.product = viewed.product and bought.happened > viewed.happened)""",
    "cart_abandoners": _WITHOUT_ORDER,
    "engaged_with_email": f"""
select person from events where {_since("14 days")} group by person
having (count(*) filter (event = 'Email Opened') >= 2 or count(*) filter (event = 'Email Link Clicked') >= 1)
    and count(*) filter (event = 'Unsubscribed') = 0""",
    "high_value_customers": f"""
select person from events where known and event = '{ORDERED}' and {_since("90 days")} group by person
having sum(cast(properties ->> 'revenue' as double)) > 500 and count(*) >= 2""",
    "lapsing_customers": f"""
select person from events where known and event = '{ORDERED}' and {_since("90 days")} group by person
having max(happened) <= {_NOW} - interval 14 days""",
    "mobile_browsers_in_berlin": f"""
select person from events where event = '{VIEWED}' and device in ('mobile', 'ios', 'android') and {_since("7 days")}
    and person in (select person from events where traits is not null and (traits ->> 'city') is not null
        group by person having lower(arg_max(traits ->> 'city', happened)) = 'berlin')
group by person having count(*) >= 3""",
    "new_subscribers": f"""
select person from events where known group by person
having min(happened) filter (event = 'Email Delivered') > {_NOW} - interval 14 days
    and count(*) filter (event = '{ORDERED}') = 0""",
    "recent_buyers": f"select distinct person from events where known and event = '{ORDERED}' and {_since('30 days')}",
    "unhappy_customers": f"""
select distinct person from events where {_since("30 days")} and (event in ('Order Refunded', 'Ticket Created')
    or (event = 'Product Reviewed' and try_cast(properties ->> 'rating' as double) <= 2))""",
    "wide_interests": f"""
select person from events where event = '{VIEWED}' and {_since("7 days")} group by person
having count(distinct properties ->> 'category') >= 3""",
}
"""By segment, the people who are in it at AS_OF."""


def main(path: str) -> None:
    """Runs all of them and prints how many members each has."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(EVENTS, [path])
        for name, query in RULES.items():
            found = connection.execute(f"select count(*) from ({query})").fetchone()
            print(f"{name} {found[0] if found else 0}")


if __name__ == "__main__":
    main(sys.argv[1])
