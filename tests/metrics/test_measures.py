"""What is told under which name: the list in the code, the page, and that no name of a person can get into it."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from api.metrics import Metrics
from schemas.failure_reasons import REASONS
from schemas.tables import TABLES
from transforms.counting import DROPPED, FAILED, LOG_BYTES, MESSAGES_READ, NAMESPACE, READ, UNPLANNED
from transforms.lag import LAG_BUCKET, LAG_MILLISECONDS, ROWS_WRITTEN
from transforms.measures import CELLS, EVENTS, LAG, LOG_BYTES_MOST, METRICS, OTHER, Sample, samples
from transforms.numbers import Numbers, Spread
from transforms.stream.maintain import FACT_CELLS, _Deduplicate
from transforms.stream.settling_stages import HISTORY_CELLS, OWNER_CELLS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text()
ROW = re.compile(r"^\| `(tidemark_\w+)` \| (\w+) \|([^|]*)\| .+ \|$", re.MULTILINE)
PLANNED = frozenset({"Product Viewed"})


def told(counters: dict[str, int], spreads: dict[str, Spread] | None = None) -> list[Sample]:
    return list(samples(Numbers(counters, spreads or {}), PLANNED, 0.0))


def values(found: list[Sample], name: str) -> dict[tuple[str, ...], object]:
    return {sample.labels: sample.value for sample in found if sample.metric.name == name}


def test_the_page_names_every_metric_with_its_type_and_labels() -> None:
    of_page = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(PAGE)}
    of_job = {metric.name: (metric.kind, metric.labels) for metric in METRICS}
    assert {name: row for name, row in of_page.items() if "_api_" not in name} == of_job


def test_the_page_names_every_metric_of_the_api() -> None:
    counters = Metrics(["track"])
    counters.answered("track", 200, 0.1)
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", counters.text().decode(), re.MULTILINE))
    assert {name: kind for name, kind, _ in ROW.findall(PAGE) if "_api_" in name} == types


def test_the_page_names_each_of_beams_names() -> None:
    below = PAGE.partition("## Beam's names")[2]
    for metric in METRICS:
        for name in metric.beam:
            stands = {line for line in below.splitlines() if f"`{metric.name}`" in line and f"`{name}" in line}
            assert stands or metric is EVENTS, f"{metric.name}: {name}"
    assert f"namespace `{NAMESPACE}`" in below


def test_names_are_prometheus_own() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"tidemark_[a-z_]+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.what.endswith(".")


def test_the_cells_are_those_of_the_stages() -> None:
    stages = [*FACT_CELLS.values(), *OWNER_CELLS.values(), *HISTORY_CELLS.values()]
    assert {cell.__name__ for cell in stages} | {"MessageIdCell"} == set(CELLS)
    assert _Deduplicate.__init__.__globals__["MessageIdCell"].__name__ in CELLS


def test_what_failed_is_an_outcome_and_has_reasons() -> None:
    found = told({READ: 5, FAILED + "too_late": 2, FAILED + "not_utf8": 1})
    assert values(found, "tidemark_events")["failed",] == 3
    assert values(found, "tidemark_failed_events") == {("too_late",): 2, ("not_utf8",): 1}
    assert values(found, "tidemark_events_read_total") == {(): 5}


def test_a_histogram_has_all_its_buckets_and_seconds() -> None:
    spread = Spread(3, 4500, 4000)
    [sample] = [
        one
        for one in told({LAG_BUCKET + "5": 3, LAG_BUCKET + "inf": 3}, {LAG_MILLISECONDS: spread})
        if one.metric is LAG
    ]
    assert isinstance(sample.value, tuple)
    assert not isinstance(sample.value, Spread)
    buckets, seconds = sample.value
    assert dict(buckets)["5"] == dict(buckets)["+Inf"] == 3
    assert seconds == 4.5


def test_the_longest_log_is_told_beside_the_mean() -> None:
    found = told({}, {LOG_BYTES + "ProfileCell": Spread(2, 30, 20), LOG_BYTES + "NoCell": Spread(1, 1, 1)})
    assert values(found, LOG_BYTES_MOST.name) == {("ProfileCell",): 20}


NAMES = st.sampled_from(["ada@example.com", "Product Viewed", "page", "too_late", "events", "a: b"]) | st.text(
    max_size=9
)


@given(
    st.dictionaries(st.tuples(st.sampled_from([UNPLANNED, DROPPED, FAILED, ROWS_WRITTEN]), NAMES), st.integers(1, 9))
)
def test_no_label_is_a_senders_own(counted: dict[tuple[str, str], int]) -> None:
    counters = {prefix + name: number for (prefix, name), number in counted.items()}
    found = told(counters)
    known = {*PLANNED, *REASONS, OTHER, "track", "identify", "page", "screen", "group", "alias", "delete", "retract"}
    tables = {table.name for table in TABLES}
    for name in ("tidemark_dropped_properties_total", "tidemark_failed_events", "tidemark_rows_written_total"):
        assert {label for labels in values(found, name) for label in labels} <= known | tables
    for name, prefix in (("tidemark_unplanned_events_total", UNPLANNED), ("tidemark_failed_events", FAILED)):
        numbers = [value for value in values(found, name).values() if isinstance(value, int)]
        assert sum(numbers) == sum(number for name, number in counters.items() if name.startswith(prefix))


@given(
    st.dictionaries(st.sampled_from([f"{MESSAGES_READ}kafka-1", READ, FAILED + "x", FAILED + "y"]), st.integers(0, 9))
)
def test_each_pair_of_metric_and_labels_comes_once(counters: dict[str, int]) -> None:
    keys = [(sample.metric.name, sample.labels) for sample in told(counters)]
    assert len(keys) == len(set(keys))
    for sample in told(counters):
        assert len(sample.labels) == len(sample.metric.labels)
