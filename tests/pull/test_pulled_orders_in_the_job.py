"""What was pulled, through the main job: each order is in the tables once, in its latest version."""

from pathlib import Path

from pipelines.io.targets.spool import SpoolTarget
from services.shop_orders import ShopOrders
from tests.jobs.job import run_job, write_segment
from tests.pull.shop_client import BASE, Pulling


def test_an_order_that_changed_counts_once(tmp_path: Path) -> None:
    spool = SpoolTarget(str(tmp_path / "events"))
    spool.check()
    shop = Pulling(ShopOrders(20, BASE), tmp_path / "orders.state", target=spool)
    shop.pull()
    shop.shop.change(1_003, total="5.50")
    shop.pull()
    shop.shop.change(1_003, total="6.50")
    shop.shop.change(1_004, total="7.50")
    shop.pull()
    write_segment(tmp_path, "spenders", "event('Order Completed').sum(property('total')) > 0")
    ran = run_job(tmp_path)
    assert ran.status == 0, ran.err
    tables = ran.tables()
    totals = {row["properties"]["order_id"]: row["properties"]["total"] for row in tables["events"]}
    assert len(tables["events"]) == len(totals) == 20
    assert totals == shop.expected()
    assert tables["failed_events"] == []
    assert [row["found"] for row in tables["retractions"]] == [True, True, True]
