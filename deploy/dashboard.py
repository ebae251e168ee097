"""`python -m deploy.dashboard` writes deploy/grafana/tidemark.json, from the panels below.

A test holds the queries, here and in deploy/prometheus/, against the metrics that there are (docs/metrics.md).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

DASHBOARD = Path(__file__).parent / "grafana" / "tidemark.json"
_SOURCE = {"type": "prometheus", "uid": "${prometheus}"}
_WIDTH, _HEIGHT, _COLUMNS = 8, 7, 3


class Panel(NamedTuple):
    """A chart: its title, its unit as Grafana names it, and (query, legend) of each line."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    what: str = ""


def _quantile(share: float, metric: str, by: str = "le") -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket[$__rate_interval])))"


ROWS: dict[str, tuple[Panel, ...]] = {
    "From event to row": (
        Panel(
            "Lag from an event to its rows",
            "s",
            tuple((_quantile(share, "tidemark_row_lag_seconds"), f"p{share * 100:g}") for share in (0.5, 0.99)),
            "From receivedAt, or when it was published, to the row being in the output.",
        ),
        Panel(
            "Oldest row that is not shown",
            "s",
            (("max(tidemark_oldest_unwritten_seconds)", "oldest"),),
            "Of a local output. Saw teeth as high as --write_every are as it should be.",
        ),
        Panel(
            "Events under way",
            "short",
            (
                (
                    'sum(tidemark_events_read_total) - sum(tidemark_events{outcome!="failed"})'
                    " - (sum(tidemark_failed_events) or vector(0))",
                    "read, and not yet anything",
                ),
            ),
            "Read, and neither accepted nor anything else yet: some while it works, none when it is quiet.",
        ),
    ),
    "What comes in": (
        Panel(
            "Messages a second",
            "cps",
            (("sum by (source) (rate(tidemark_messages_read_total[$__rate_interval]))", "{{source}}"),),
        ),
        Panel(
            "Events by what became of them",
            "short",
            (('sum by (outcome) (tidemark_events{outcome!="failed"})', "{{outcome}}"),),
        ),
        Panel(
            "Failed events by reason",
            "short",
            (("sum by (reason) (tidemark_failed_events)", "{{reason}}"),),
            "docs/failed_events.md says what each means.",
        ),
        Panel(
            "Events no schema names, properties left out",
            "short",
            (
                ("sum(increase(tidemark_unplanned_events_total[1h]))", "unplanned, in an hour"),
                ("sum by (event) (increase(tidemark_dropped_properties_total[1h]))", "{{event}}: left out"),
            ),
        ),
    ),
    "What goes out, and state": (
        Panel(
            "Rows a second",
            "cps",
            (("sum by (table) (rate(tidemark_rows_written_total[$__rate_interval]))", "{{table}}"),),
        ),
        Panel("Profiles", "short", (("sum(tidemark_profiles)", "profiles"),)),
        Panel(
            "Mean bytes of a cell",
            "bytes",
            (
                (
                    "sum by (cell) (rate(tidemark_cell_bytes_sum[1h]))"
                    " / sum by (cell) (rate(tidemark_cell_bytes_count[1h]))",
                    "{{cell}}",
                ),
            ),
            "It grows for good: state is not left behind.",
        ),
        Panel(
            "Longest log of a shelf",
            "bytes",
            (("max by (cell) (tidemark_log_bytes_max)", "{{cell}}"),),
            "One far above the rest: a hot key.",
        ),
        Panel(
            "Left behind by cells",
            "cps",
            (("sum by (cell, to) (rate(tidemark_left_behind_total[1h]))", "{{cell}} to {{to}}"),),
            "0 for longer than the horizon: the watermark stands still.",
        ),
    ),
    "Bounded jobs": (
        Panel(
            "Since the last one ended",
            "s",
            (("time() - max by (instance) (tidemark_job_ended_timestamp_seconds)", "{{instance}}"),),
        ),
        Panel("It did what it should", "bool", (("min by (instance) (tidemark_job_succeeded)", "{{instance}}"),)),
        Panel("Parts of the input read", "short", (("sum(tidemark_parts_read_total)", "parts"),)),
    ),
    "The API": (
        Panel(
            "Requests a second",
            "reqps",
            (("sum by (route) (rate(tidemark_api_requests_total[$__rate_interval]))", "{{route}}"),),
        ),
        Panel(
            "Refused and failed requests a second",
            "reqps",
            (('sum by (status) (rate(tidemark_api_requests_total{status=~"[45].."}[5m]))', "{{status}}"),),
        ),
        Panel(
            "Answer times, p99",
            "s",
            ((_quantile(0.99, "tidemark_api_request_seconds", "le, route"), "{{route}}"),),
        ),
        Panel(
            "Events made safe a second",
            "cps",
            (("sum(rate(tidemark_api_events_total[$__rate_interval]))", "events"),),
        ),
        Panel(
            "How long that takes",
            "s",
            (
                (
                    "sum(rate(tidemark_api_group_seconds_total[$__rate_interval]))"
                    " / sum(rate(tidemark_api_groups_total[$__rate_interval]))",
                    "mean of a write",
                ),
            ),
        ),
        Panel(
            "WebSockets",
            "cps",
            (
                ("sum(rate(tidemark_api_live_changes_total[$__rate_interval]))", "changes told"),
                ("sum(rate(tidemark_api_live_dropped_total[$__rate_interval]))", "closed: read too slowly"),
            ),
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, of_row in ROWS.items():
        at = {"h": 1, "w": _WIDTH * _COLUMNS, "x": 0, "y": top}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": at})
        top += 1
        for place, panel in enumerate(of_row):
            x, y = place % _COLUMNS * _WIDTH, top + place // _COLUMNS * _HEIGHT
            panels.append(_chart(len(panels) + 1, panel, x, y))
        top += -(-len(of_row) // _COLUMNS) * _HEIGHT
    return {
        "uid": "tidemark",
        "title": "Tidemark",
        "tags": ["tidemark"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [{"name": "prometheus", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def _chart(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
        for place, (query, legend) in enumerate(panel.lines)
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.what,
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": targets,
    }


def main() -> int:
    """Writes the file."""
    DASHBOARD.write_text(json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Written: {DASHBOARD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
