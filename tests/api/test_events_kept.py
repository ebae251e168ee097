"""Events as the API keeps them, read by the job's parser."""

from schemas.event import Event, Failure
from schemas.tracking_plan import load_tracking_plan
from transforms.collect.events import batch_events, lines
from transforms.parse.events import MAX_RECEIVED_BYTES, EventParser

EVENT = {"type": "track", "event": "A", "userId": "u"}
NOW = "2026-03-01T12:00:00.000000Z"


def test_of_a_batch_only_the_event_that_is_too_large_fails() -> None:
    body = {
        "batch": [
            {"type": "track", "event": "A", "userId": "u", "messageId": "small"},
            {
                "type": "track",
                "event": "A",
                "userId": "u",
                "messageId": "large",
                "properties": {"text": "x" * MAX_RECEIVED_BYTES},
            },
        ]
    }
    parser = EventParser(load_tracking_plan())
    small, large = (parser.parse(line, "spool") for line in lines(batch_events(body, NOW)))
    assert isinstance(small, Event)
    assert isinstance(large, Failure)
    assert large.reason == "too_large"


def test_the_same_event_in_a_file_is_taken() -> None:
    properties = b'{"text": "' + b"x" * MAX_RECEIVED_BYTES + b'"}'
    line = b'{"type":"track","event":"A","userId":"u","messageId":"m","timestamp":"' + NOW.encode() + b'","properties":'
    assert isinstance(EventParser(load_tracking_plan()).parse(line + properties + b"}", "file"), Event)
