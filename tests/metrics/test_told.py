"""What a job tells Prometheus, asked for over HTTP and left in a file; and what it says of wrong options."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.io.place import Place, parse_place
from pipelines.io.prometheus import serve_metrics
from pipelines.job_metrics import JobMetrics, told_metrics
from pipelines.options.metrics import MetricsOptions
from pipelines.options.profiles import parse_profiles_options
from schemas.errors import UsageError
from tests.jobs.job import run_job, write_lines
from tests.jobs.messages import track
from transforms.lag import LAG_BUCKET, LAG_MILLISECONDS
from transforms.measures import METRICS
from transforms.numbers import Numbers, Spread

FREE = Place("127.0.0.1", 0)
SUFFIXES = ("_bucket", "_count", "_sum")


def parsed(text: str) -> dict[str, float]:
    """Each sample: its name with its labels, and its value."""
    return {
        sample.name + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def ask(address: str) -> dict[str, float]:
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - an address of ours
        assert answer.headers["content-type"].startswith("text/plain")
        return parsed(answer.read().decode())


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "buyers.yaml").write_text(
        "description: Bought.\nwhen: event('Order Completed').count() >= 1\n"
    )
    (tmp_path / "events").mkdir()
    lines = [track("a", "Order Completed"), track("b", "ada@example.com", userId="ben"), b"{"]
    write_lines(tmp_path / "events" / "one.ndjson", lines)
    return tmp_path


def test_numbers_are_read_anew_at_each_request() -> None:
    metrics = JobMetrics(frozenset())
    counters = {f"{LAG_BUCKET}5": 1, f"{LAG_BUCKET}inf": 2}
    metrics.numbers = lambda: Numbers(counters, {LAG_MILLISECONDS: Spread(2, 1_500, 1_000)})
    with serve_metrics(FREE, metrics.samples) as address:
        first = ask(address)
        counters["events_read"] = 4
        second = ask(address)
    assert first["tidemark_row_lag_seconds_bucket,le=5"] == 1
    assert first["tidemark_row_lag_seconds_bucket,le=+Inf"] == first["tidemark_row_lag_seconds_count"] == 2
    assert first["tidemark_row_lag_seconds_sum"] == 1.5
    assert (first["tidemark_events_read_total"], second["tidemark_events_read_total"]) == (0, 4)
    assert "tidemark_job_succeeded" not in second, "it has not ended"


def test_it_listens_where_it_was_told_only() -> None:
    with serve_metrics(FREE, lambda: ()) as address:
        assert address.startswith("http://127.0.0.1:")
        with (
            pytest.raises(UsageError, match=r"--metrics_port 127.0.0.1:\d+: .*in use"),
            serve_metrics(parse_place(address.split("/")[2]), lambda: ()),
        ):
            pass


def test_a_job_that_ends_leaves_its_metrics_in_a_file(shop: Path) -> None:
    file = shop / "shop.prom"
    ran = run_job(shop, "--metrics_file", str(file))
    assert ran.status == 0, ran.err
    found = parsed(file.read_text())
    assert found["tidemark_events_read_total"] == 3
    assert found["tidemark_events,outcome=accepted"] == 2
    assert found["tidemark_failed_events,reason=malformed_json"] == 1
    assert found["tidemark_unplanned_events_total"] == 1
    assert found["tidemark_job_succeeded"] == 1
    assert found["tidemark_job_ended_timestamp_seconds"] >= found["tidemark_job_started_timestamp_seconds"]
    assert "ada" not in file.read_text()
    assert {name_of(key) for key in found} <= {metric.name for metric in METRICS}


def name_of(key: str) -> str:
    name = key.partition(",")[0]
    return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)


def test_a_job_that_fails_says_so_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "shop.prom"
    with told_metrics(MetricsOptions(file=file), frozenset()) as metrics:
        metrics.end(1)
    assert parsed(file.read_text())["tidemark_job_succeeded"] == 0


def test_metrics_that_cannot_be_written_are_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.prom"
    file.mkdir()
    with told_metrics(MetricsOptions(file=file), frozenset()) as metrics:
        metrics.end(0)
    assert capsys.readouterr().err == f"warning: --metrics_file {file}: cannot be written: Is a directory\n"


def test_a_port_that_is_taken_stops_the_job_before_it_starts(shop: Path) -> None:
    with serve_metrics(FREE, lambda: ()) as address:
        ran = run_job(shop, "--metrics_port", address.split("/")[2])
    assert ran.status == 2
    assert "in use" in ran.err
    assert not ran.database.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metrics_port", "99999"], "--metrics_port '99999': expected a port, or HOST:PORT, such as 9464"),
        (["--metrics_port", "here"], "--metrics_port 'here'"),
        (["--metrics_port", ":80"], "--metrics_port ':80'"),
        (["--metrics_file", "/no/such/shop.prom"], "there is no folder /no/such"),
    ],
)
def test_wrong_options_are_told_before_anything_starts(shop: Path, options: list[str], said: str) -> None:
    ran = run_job(shop, *options)
    assert ran.status == 2
    assert said in ran.err


def places(shop: Path) -> Iterator[str]:
    yield from (f"--input=watch:{shop}/events/*.ndjson", f"--segments={shop}/segments", f"--output=duckdb:{shop}/o")


def test_a_stream_is_asked_not_read_in_a_file(shop: Path) -> None:
    with pytest.raises(UsageError, match="expected --metrics_port"):
        parse_profiles_options([*places(shop), f"--metrics_file={shop}/x.prom"])


def test_a_missing_library_is_told_with_how_to_get_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.options.metrics.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'tidemark\[metrics\]'"):
        parse_profiles_options([*places(shop), "--metrics_port=0"])
    assert parse_profiles_options([*places(shop)]).metrics == MetricsOptions(), "who asks for nothing needs nothing"


def test_names_that_a_sender_made_up_leave_this_machine_in_no_counter(shop: Path) -> None:
    here = parse_profiles_options([*places(shop)])
    away = parse_profiles_options([*places(shop), "--runner=DataflowRunner"])
    assert (here.parser().tells_names, away.parser().tells_names) == (True, False)
