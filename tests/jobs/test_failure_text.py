"""From what Beam raises to a paragraph."""

import subprocess
import sys

import pytest

from pipelines.words.failure import describe_failure, read_cause

OF_A_WORKER = """Traceback (most recent call last):
  File "worker.py", line 310, in _execute
    response = task()
               ^^^^^^
OSError: [Errno 28] No space left on device

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1512, in process
duckdb.duckdb.IOException: IO Error: could not write
  to the file "x" [while running 'WriteTables/Finish-ptransform-43']
"""


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            OSError("no such disk [while running 'ReadFiles/Parse/ParDo(_ParseRange)']"),
            ("OSError: no such disk", "ReadFiles/Parse/ParDo(_ParseRange)"),
        ),
        (
            RuntimeError(OF_A_WORKER),
            ('IOException: IO Error: could not write to the file "x"', "WriteTables/Finish-ptransform-43"),
        ),
        (MemoryError(), ("MemoryError", "")),
        (
            RuntimeError("Channel closed prematurely."),
            ("a worker process ended before its work was done; was there too little memory?", ""),
        ),
    ],
)
def test_the_cause_and_the_step(error: Exception, cause: tuple[str, str]) -> None:
    assert read_cause(error) == cause


def test_a_paragraph() -> None:
    assert describe_failure(RuntimeError(OF_A_WORKER), "duckdb:shop.duckdb").splitlines() == [
        'The job failed while writing the tables: IOException: IO Error: could not write to the file "x".',
        "duckdb:shop.duckdb is what it was before. --verbose shows where in the code it happened.",
    ]


def test_while_beam_is_quiet_our_own_warnings_are_shown() -> None:
    """A broker that is away is said by the thread that reads it, in the middle of a stream."""
    program = """
import logging, os, sys
from pipelines.words.failure import TEXT, quiet_beam
logging.basicConfig(format=TEXT, level=logging.WARNING)
with quiet_beam(verbose=False):
    logging.getLogger("pipelines.io.kafka.source").warning("kafka:localhost:9092/events: trying again")
    logging.getLogger("pipelines.io.kafka.source").info("nobody asked")
    logging.getLogger("pika.adapters").error("of others")
    os.write(2, b"of a worker")
logging.getLogger("pipelines.io.kafka.source").warning("afterwards")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["WARNING kafka:localhost:9092/events: trying again", "WARNING afterwards"]
