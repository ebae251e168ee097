"""Nothing that is held about a person is forgotten: every table and column is exported, or left out for a reason."""

import orjson
import pytest

from schemas.ledger import LEDGER_TABLES
from schemas.tables import TABLES
from transforms.export.shares import EXCEPTIONS, SHARES, Identifiers, names_person


def test_every_table_is_exported_or_an_exception() -> None:
    names = {table.name for table in (*TABLES, *LEDGER_TABLES)}
    assert set(SHARES) | set(EXCEPTIONS) == names
    assert not set(SHARES) & set(EXCEPTIONS)
    assert all(EXCEPTIONS.values())


def test_what_is_hidden_is_a_column_and_has_a_reason() -> None:
    columns = {table.name: set(table.column_names()) for table in (*TABLES, *LEDGER_TABLES)}
    for name, share in SHARES.items():
        assert set(share.hidden) <= columns[name]
        assert all(share.hidden.values())


KNOWN = Identifiers(users=["ada"], devices=["d1"])


@pytest.mark.parametrize(
    ("record", "theirs"),
    [
        ({"userId": "ada"}, True),
        ({"userId": "ada", "anonymousId": "d2"}, True),
        ({"userId": "bo", "anonymousId": "d1"}, False),  # the other user of a device
        ({"anonymousId": "d1"}, True),
        ({"anonymousId": "d2"}, False),
        ({"userId": "", "anonymousId": "d1"}, True),
        ({"previousId": "ada"}, True),
        ({}, False),
        (["ada"], False),
    ],
)
def test_whose_a_failed_record_is(record: object, theirs: bool) -> None:
    assert names_person("malformed_json", orjson.dumps(record), KNOWN) is theirs


def test_a_record_that_is_no_json_is_searched_for_its_user() -> None:
    assert names_person("malformed_json", b'{"userId": "ada", broken', KNOWN)
    assert not names_person("malformed_json", b'{"userId": "ada2", broken', KNOWN)
    assert not names_person("malformed_json", b"\xff\xfe ada", KNOWN)
