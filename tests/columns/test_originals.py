"""What may have copies is read again from where it came from, and an input that has changed meanwhile is no input."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import orjson
import pyarrow as pa
import pytest

from schemas.event import Failure
from tests.laws.bounded import Part
from tests.laws.memory import parser
from transforms.columns.message_ids import numbers_of
from transforms.deduplicate.columns import ChangedInputError, Extracted, extract_copies
from transforms.deduplicate.copies import RAW
from transforms.parse.blocks import Originals
from transforms.parse.collect import collect
from transforms.parse.lines import Lines


@dataclass
class LinesOfFile:
    """Lines as they stand, which can be read again."""

    data: bytes
    source: str = "lines"

    def groups(self) -> Generator[Sequence[bytes | Failure], None, None]:
        for data in self.data.splitlines(keepends=True):
            yield Lines(data)


def line(message_id: str, name: str = "Product Viewed") -> bytes:
    said = {"messageId": message_id, "type": "page", "name": name, "userId": "u", "timestamp": "2026-01-01T00:00:00Z"}
    return orjson.dumps(said)


LINES = (line("a"), b"no event", line("b"), line("c"))


def extracted(then: tuple[bytes, ...], *suspects: str) -> Extracted:
    """What is taken out of LINES, where these lines are found when they are read again."""
    part = Part(LINES)
    (collected,) = collect(parser(), part.groups(), part.source, 4, part)
    (originals,) = [element for name, element in collected.events.blocks() if name == "originals"]
    again = Originals(Part(then), originals.packed)
    return extract_copies(again, [numbers_of(pa.array(suspects, pa.large_string())).tobytes()], [], parser(), None)


def test_only_what_is_suspect_is_taken_out_with_its_bytes() -> None:
    found = extracted(LINES, "b", "c", "d")
    assert [record[RAW] for record in found.copies] == [LINES[2], LINES[3]]
    assert found.latest is not None
    assert extracted(LINES).copies == []


def test_what_nobody_asks_for_may_have_changed() -> None:
    assert len(extracted((line("x"), *LINES[1:]), "b").copies) == 1


@pytest.mark.parametrize("then", [LINES[:2], (*LINES[:2], line("x")), (*LINES[:2], b"broken")])
def test_an_input_that_has_changed_is_refused(then: tuple[bytes, ...]) -> None:
    with pytest.raises(ChangedInputError, match="has changed while it was read"):
        extracted(then, "b")


def test_what_stands_in_bodies_is_found_again() -> None:
    body = b'{"batch":[' + b",".join(map(line, "bcd")) + b'],"sentAt":"2026-01-01T00:00:00Z"}'
    part = LinesOfFile(b"\n".join([line("a"), b"", body, b"no event", line("e"), b'{"batch":[1]}', b""]))
    (collected,) = collect(parser(), part.groups(), part.source, 4, part)
    assert (collected.read, len(collected.failures)) == (7, 2)
    (originals,) = [element for name, element in collected.events.blocks() if name == "originals"]
    suspects = [numbers_of(pa.array(["b", "d", "e"], pa.large_string())).tobytes()]
    found = extract_copies(originals, suspects, [], parser(), None)
    assert [record[0] for record in found.copies] == ["b", "d", "e"]
    changed = Originals(LinesOfFile(part.data.replace(line("d"), b"1")), originals.packed)
    with pytest.raises(ChangedInputError):
        extract_copies(changed, suspects, [], parser(), None)
