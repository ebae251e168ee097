"""Services that are wrong or away when a job starts: one sentence, exit status 2, nothing made or written."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from apache_beam.io.filesystem import BeamIOError

from pipelines import profiles


def refusing(status: int, reason: str, message: str) -> type[BaseHTTPRequestHandler]:
    """A BigQuery that says no to everything but questions about the dataset, which it has not."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            missing = status == 404 or (self.command == "GET" and reason == "location")
            code = 404 if missing else status
            body = json.dumps({"error": {"code": code, "message": message, "errors": [{"reason": reason}]}}).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the base class calls these

        def log_message(self, *_: object) -> None:
            return

    return Handler


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody answers, for as long as the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def refused(folder: Path, capsys: pytest.CaptureFixture[str], given: str = "", output: str = "") -> str:
    (folder / "segments").mkdir()
    (folder / "segments" / "s.yaml").write_text(json.dumps({"when": "event('Order Completed').count() >= 1"}))
    (folder / "e.ndjson").write_text("{}\n")
    places = ["--input", given or str(folder / "e.ndjson"), "--output", output or f"duckdb:{folder}/out/o.duckdb"]
    assert profiles.main([*places, "--segments", str(folder / "segments")]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.count("\n") == 1, said
    assert not (folder / "out").exists()
    return said


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((404, "notFound", "Not found: Project nowhere-1"), "there is no project 'nowhere-1', or it cannot be seen"),
        ((403, "accessDenied", "Access Denied: Dataset d"), "not allowed: GET"),
        ((400, "location", "Cannot create in region EU\nmore for developers"), "refused: POST"),
    ],
)
def test_a_dataset_that_cannot_be_used(
    answer: tuple[int, str, str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with served(refusing(*answer)) as address:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
        said = refused(tmp_path, capsys, output="bigquery:nowhere-1.d")
    assert said.startswith(f"output bigquery:nowhere-1.d: {sentence}")


def test_a_table_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(refusing(404, "notFound", "Not found")) as address:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
        said = refused(tmp_path, capsys, given="bigquery:nowhere-1.d.events")
    assert said == "--input bigquery:nowhere-1.d.events: there is no table nowhere-1.d.events\n"


def test_a_broker_that_does_not_answer(
    nobody: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.io.kafka.source.REQUEST_SECONDS", 1.0)
    said = refused(tmp_path, capsys, given=f"kafka:{nobody}/events")
    assert said.startswith(f"--input kafka:{nobody}/events: {nobody} does not answer: ")


def test_a_subscription_that_nobody_keeps(
    nobody: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", nobody)
    monkeypatch.setattr("pipelines.io.pubsub.source.REQUEST_SECONDS", 1.0)
    said = refused(tmp_path, capsys, given="pubsub:projects/p/subscriptions/s")
    assert said.startswith("--input pubsub:projects/p/subscriptions/s: Pub/Sub does not answer: ")


def test_a_file_system_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, given="nosuch://bucket/events/*.ndjson")
    assert said == "--input nosuch://bucket/events/*.ndjson: no file system for nosuch:// is installed\n"


def test_a_store_that_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_patterns: list[str]) -> None:
        raise BeamIOError("Match operation failed\nmore for developers", {"gs://bucket/*": PermissionError()})

    monkeypatch.setattr("apache_beam.io.filesystems.FileSystems.match", refuse)
    said = refused(tmp_path, capsys, given="gs://bucket/events/*.ndjson")
    assert said == "--input gs://bucket/events/*.ndjson: cannot be listed: Match operation failed\n"
