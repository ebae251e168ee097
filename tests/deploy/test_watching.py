"""The dashboard and the alerts ask only for metrics and labels that there are, by Prometheus's names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.metrics import Metrics
from deploy.dashboard import DASHBOARD, dashboard
from tests.deploy.relabelled import PROMETHEUS, relabelled
from transforms.lag import LAG_SECONDS
from transforms.measures import METRICS, Metric

ROOT = Path(__file__).parents[2]
NAMES = re.compile(r"\btidemark_\w+")
LABELS = re.compile(r"(?:by|without)\s*\(([^)]*)\)|[{,]\s*(\w+)\s*(?:=~|!~|!=|=)")
OF_PROMETHEUS = {"le", "instance", "job"}
FUNCTIONS = {
    *("histogram_quantile", "rate", "increase", "delta", "sum", "max", "min", "by", "and", "or", "vector", "time"),
    *("clamp_min", "absent"),
}


def api_metrics() -> dict[str, tuple[str, set[str]]]:
    """The API's metrics, of the text that it gives: type and labels."""
    counters = Metrics(["track"])
    counters.answered("track", 200, 0.1)
    text = counters.text().decode()
    found: dict[str, tuple[str, set[str]]] = {}
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
        sample = re.search(rf"^{name}(?:_bucket)?{{(.*)}}", text, re.MULTILINE)
        found[name] = kind, set(re.findall(r"(\w+)=", sample[1])) if sample else set()
    return found


def known() -> dict[str, set[str]]:
    """Every series that can be asked for, with its labels."""
    all_metrics = {**{metric.name: (metric.kind, set(metric.labels)) for metric in METRICS}, **api_metrics()}
    found: dict[str, set[str]] = {}
    for name, (kind, labels) in all_metrics.items():
        parts = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}.get(kind, ("",))
        found.update({name + part: labels for part in parts})
    return found


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"]:
        yield from group["rules"]


def queries() -> list[Any]:
    of_panels = [
        pytest.param(target["expr"], target["legendFormat"], id=panel["title"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    ]
    return of_panels + [
        pytest.param(rule["expr"], rule["annotations"]["summary"], id=rule["alert"]) for rule in alerts()
    ]


@pytest.mark.parametrize(("query", "shown"), queries())
def test_a_query_asks_for_what_there_is(query: str, shown: str) -> None:
    series = known()
    names = set(NAMES.findall(query))
    assert names, query
    assert names - set(series) == set()
    labels = {label.strip() for listed, one in LABELS.findall(query) for label in [*listed.split(","), one]} - {""}
    there = set().union(*(series[name] for name in names)) | OF_PROMETHEUS
    assert labels - there == set()
    told = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", shown))
    assert told - there == set()
    if "by (" in query:
        assert told - {"instance"} <= labels, "a label that the query keeps"


@pytest.mark.parametrize(("query", "shown"), queries())
def test_a_query_is_balanced_and_uses_functions_that_there_are(query: str, shown: str) -> None:
    bare = re.sub(r'"[^"]*"', '""', query)
    depth = 0
    for character in bare:
        depth += {"(": 1, ")": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("{") == bare.count("}")
    assert shown
    called = set(re.findall(r"\b([a-z_]+)\s*\(", bare))
    assert called - FUNCTIONS == set()


def test_rates_are_of_counters_and_deltas_of_gauges() -> None:
    """`rate` of a gauge takes each fall for a restart."""
    falls = {metric.name for metric in METRICS if metric.kind == "gauge"}
    for case in queries():
        query = str(case.values[0])
        assert not set(re.findall(r"(?:rate|increase)\((tidemark_\w+)", query)) & falls
        assert set(re.findall(r"delta\((tidemark_\w+)", query)) <= falls


def test_the_dashboard_is_what_is_generated() -> None:
    assert json.loads(DASHBOARD.read_text()) == dashboard(), "python -m deploy.dashboard writes it again"


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_metric_of_a_job_is_on_the_dashboard_or_only_a_number() -> None:
    asked = "\n".join(str(case.values[0]) for case in queries())
    unseen = {metric.name for metric in METRICS if metric.name not in asked}
    assert unseen == {
        "tidemark_unreadable_traits_total",  # the summary and the audit tell it
        "tidemark_job_started_timestamp_seconds",
        "tidemark_job_info",
    }


def test_an_alert_says_how_urgent_it_is() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"Tidemark\w+", rule["alert"])
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))


def of_flink(beam: str) -> str:
    """A counter's name as Flink's Prometheus reporter writes it: what Prometheus does not allow is an underscore."""
    return "flink_taskmanager_job_task_operator_tidemark_" + re.sub("[^a-zA-Z0-9:_]", "_", beam)


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric.beam], ids=lambda metric: metric.name)
def test_counters_of_flink_get_our_names(metric: Metric) -> None:
    if metric.kind == "summary" or metric.name == "tidemark_log_bytes_max":
        assert relabelled(of_flink(metric.beam[0] + "ProfileCell")) == {}, "Flink's reporter says 0 of distributions"
        return
    for beam in metric.beam:
        if metric.name == "tidemark_row_lag_seconds" or (metric.name == "tidemark_events" and beam == "events_failed:"):
            continue
        labels = relabelled(of_flink(beam + "ProfileCell" if beam.endswith(":") else beam))
        assert labels.pop("__name__") == metric.name
        assert set(labels) == set(metric.labels)
        assert set(labels.values()) <= {"ProfileCell", "archive", "nowhere", *beam.split("_")}


@pytest.mark.parametrize("end", [*(f"{end:g}" for end in LAG_SECONDS), "inf"])
def test_buckets_of_flink_get_our_ends(end: str) -> None:
    labels = relabelled(of_flink(f"row_lag_seconds_bucket:{end}"))
    assert labels == {"__name__": "tidemark_row_lag_seconds_bucket", "le": "+Inf" if end == "inf" else end}


def test_an_input_is_named_as_everywhere_else() -> None:
    labels = relabelled(of_flink("messages_read:kafka-1"))
    assert labels == {"__name__": "tidemark_messages_read_total", "source": "kafka-1"}


def test_alerts_on_dataflow_ask_for_counters_that_beam_has() -> None:
    text = (ROOT / "deploy" / "terraform" / "monitoring.tf").read_text()
    asked = re.findall(r'metric_name=~?\\"([^"\\]+)\\"', text)
    assert len(asked) == 4
    names = {name for metric in METRICS for name in metric.beam}
    ends = {f"row_lag_seconds_bucket:{end:g}" for end in LAG_SECONDS} | {"row_lag_seconds_bucket:inf"}
    assert {name.removesuffix(".*") for name in asked} <= names | ends


def test_flinks_own_metrics_keep_their_names() -> None:
    name = "flink_taskmanager_Status_JVM_CPU_Load"
    assert relabelled(name) == {"__name__": name}
