"""The rule as one SQL query over the file, on DuckDB. It decodes, and leaves out what it cannot; no schema.

`python -m benchmarks.duckdb_rule FILE`
"""

from __future__ import annotations

import sys

import duckdb

from benchmarks.one_rule import AS_OF, ORDERED, VIEWED

QUERY = f"""
with events as (
    select coalesce(userId, anonymousId) as person, event,
        try_cast(coalesce("timestamp", receivedAt) as timestamptz) as happened,
        case when event = '{VIEWED}' then [properties ->> 'product_id']
             else cast(properties -> '$.products[*].product_id' as varchar[]) end as products
    from read_json(?, format = 'newline_delimited', ignore_errors = true, columns = {{
        event: 'VARCHAR', userId: 'VARCHAR', anonymousId: 'VARCHAR', "timestamp": 'VARCHAR', receivedAt: 'VARCHAR',
        properties: 'JSON'}})
    where event in ('{VIEWED}', '{ORDERED}')
), steps as (
    select person, event, happened, unnest(products) as product from events
    where happened > timestamptz '{AS_OF}' - interval 24 hours and happened <= timestamptz '{AS_OF}'
)
select count(distinct viewed.person) from steps viewed
where event = '{VIEWED}' and not exists (
    from steps bought
    where bought.event = '{ORDERED}' and bought.person = viewed.person and bought.product = viewed.product
        and bought.happened > viewed.happened)
"""  # noqa: S608 - constants


def main(path: str) -> None:
    """Runs it and prints how many members there are."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(QUERY, [path]).fetchall()
    print(f"members {rows[0][0]}")


if __name__ == "__main__":
    main(sys.argv[1])
