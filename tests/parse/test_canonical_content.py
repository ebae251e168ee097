from __future__ import annotations

import json
import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.parse import canonical_content_hash

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)
_objects = st.dictionaries(st.sampled_from(["a", "b", "sentAt"]) | st.text(max_size=3), _json, max_size=3)


def same(one: str, other: str) -> bool:
    return canonical_content_hash(one.encode()) == canonical_content_hash(other.encode())


def test_how_it_is_written_does_not_matter() -> None:
    assert same('{"a":1,"b":{"c":[true,null],"d":"\\u00fc"}}', ' { "b": {"d": "ü", "c": [ true, null ]}, "a": 1.0 }')
    assert same('{"a":100}', '{"a":1e2}')
    assert same('{"a":-0.0}', '{"a":0}')
    assert same('{"a":1,"a":2}', '{"a":2}')
    assert canonical_content_hash(b'\xef\xbb\xbf{"a":1}') == canonical_content_hash(b'{"a":1}')


def test_receipt_and_null_fields_are_no_content() -> None:
    assert same('{"a":1,"receivedAt":"x","sentAt":"y","userId":null}', '{"a":1,"sentAt":"z"}')
    assert same('{"a":1,"_metadata":{"retryCount":1},"writeKey":"k"}', '{"a":1,"_metadata":{"retryCount":2}}')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1}', '{"a":"1"}'),
        ('{"a":1}', '{"a":true}'),
        ('{"p":{"a":null}}', '{"p":{}}'),
        ('{"p":{"sentAt":1}}', '{"p":{"sentAt":2}}'),
        ('{"a":[1,2]}', '{"a":[2,1]}'),
        ('{"a":[[1],2]}', '{"a":[[1,2]]}'),
        ('{"a":{"b":1},"c":2}', '{"a":{"b":1,"c":2}}'),
        ('{"timestamp":"2027-03-01T12:00:00Z"}', '{"timestamp":"2027-03-01T12:00:00.0Z"}'),
        ('{"originalTimestamp":"x"}', "{}"),
    ],
)
def test_what_is_said_does(one: str, other: str) -> None:
    assert not same(one, other)


def test_depth_does_not_matter() -> None:
    deep = b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}"
    assert canonical_content_hash(deep) != canonical_content_hash(deep.replace(b"a", b"b"))


def test_only_objects_have_content() -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        canonical_content_hash(b"[]")


@given(_objects, st.integers())
def test_the_order_of_keys_does_not_matter(record: dict[str, object], seed: int) -> None:
    shuffled = list(record.items())
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - no secret
    spaced = json.dumps(dict(shuffled), indent=1).encode()
    assert canonical_content_hash(spaced) == canonical_content_hash(orjson.dumps(record))


@given(_objects, _objects)
def test_equal_hashes_mean_equal_values(one: dict[str, object], other: dict[str, object]) -> None:
    def plain(record: dict[str, object]) -> str:
        kept = {k: v for k, v in record.items() if v is not None and k not in ("receivedAt", "sentAt")}
        return json.dumps(kept, sort_keys=True)

    if canonical_content_hash(orjson.dumps(one)) == canonical_content_hash(orjson.dumps(other)):
        assert json.loads(plain(one)) == json.loads(plain(other))
    else:
        assert plain(one) != plain(other)
