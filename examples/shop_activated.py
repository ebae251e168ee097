"""`make activate-demo`: made-up vendors are started, the example shop is activated, and what they hold is shown.

python -m examples.shop_activated --input duckdb:out/tidemark.duckdb --destinations destinations
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn

from pipelines.activate import main as activate
from pipelines.activation.planning import plan_destination
from pipelines.activation.tables import open_activation_tables
from pipelines.options.activate import parse_activate_options
from pipelines.words.layout import table
from services.vendors.hubspot import HubSpot
from services.vendors.mailchimp import Mailchimp
from services.vendors.receiver import Customers, WebhookReceiver
from services.vendors.vendor import Vendor


@contextmanager
def serve(vendor: Vendor) -> Iterator[str]:
    """The vendor on a free port of loopback; its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(vendor.app(), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demonstration; 0 if every vendor holds what the segments say."""
    parser = argparse.ArgumentParser(description="Activate the example shop against made-up vendors.")
    parser.add_argument("--input", required=True)
    parser.add_argument("--destinations", required=True)
    known = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    letters, crm, hook, customers = Mailchimp(), HubSpot(), WebhookReceiver(), Customers()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        urls = [stack.enter_context(serve(vendor)) for vendor in (letters, crm, hook, customers)]
        os.environ |= {
            "MAILCHIMP_SERVER": urls[0],
            "MAILCHIMP_API_KEY": "made-up",
            "HUBSPOT_URL": urls[1],
            "HUBSPOT_TOKEN": "made-up",
            "WEBHOOK_URL": f"{urls[2]}/hook",
            "WEBHOOK_SECRET": hook.secret,
            "CUSTOMERS_URL": urls[3],
        }
        ledger = f"duckdb:{Path(folder) / 'ledger.duckdb'}"
        command = ["--input", known.input, "--destinations", known.destinations, "--ledger", ledger]
        print("The first run:\n")
        first = activate(command)
        asked = sum(len(vendor.asked) for vendor in (letters, crm, hook, customers))
        print("\nThe second run:\n")
        second = activate(command)
        more = sum(len(vendor.asked) for vendor in (letters, crm, hook, customers)) - asked
        print(f"\nRequests: {asked:,} in the first run, {more} in the second.\n")
        equal = _show(known.input, known.destinations, letters, crm, hook, customers)
    return max(first, second, int(not equal))


def _show(
    tables: str, destinations: str, letters: Mailchimp, crm: HubSpot, hook: WebhookReceiver, customers: Customers
) -> bool:
    """What the vendors hold, beside what the segments say."""
    options = parse_activate_options(["--input", tables, "--destinations", destinations])
    rows: list[tuple[str | int, ...]] = []
    with open_activation_tables(options.tables) as opened:
        for one in options.destinations:
            work = plan_destination(one, opened, None, None, options.request)
            if one.kind == "rest":
                wanted = {change.identifier for change in work.plan.additions}
                rows.append((one.name, "(purchase histories)", len(wanted), len(customers.histories)))
                continue
            for segment in one.segments:
                wanted = {change.identifier for change in work.plan.additions if segment in change.segments}
                held = {
                    "mailchimp": lambda segment=segment: letters.tagged(segment),
                    "hubspot": lambda segment=segment: crm.listed(segment),
                    "webhook": lambda segment=segment: hook.members.get(segment, set()),
                }[one.kind]()
                rows.append((one.name, segment, len(wanted), len(held) if held == wanted else -1))
    print("What they hold:\n")
    headings = ("destination", "segment", "wanted", "held", "")
    print("\n".join(table(headings, [(*row, "equal" if row[2] == row[3] else "NOT EQUAL") for row in rows])))
    violations = [text for vendor in (letters, crm, hook, customers) for text in vendor.violations]
    print(f"\nRequests against a vendor's rules: {len(violations)}")
    return all(row[2] == row[3] for row in rows) and not violations


if __name__ == "__main__":
    sys.exit(main())
