"""What is written is found by any identifier; what is newer stands, in whichever order it comes."""

import random

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.cache import layout
from pipelines.io.cache.layout import Entry, Found, Membership
from pipelines.io.cache.reader import CacheReader
from pipelines.io.cache.writer import CacheWriter, LostError

HOUR = 3_600_000_000
NOW = 4_000_000_000_000_000  # Redis has a clock of its own, and forgets what is long over
BUYER = Membership("buyers", NOW - HOUR, NOW + HOUR)
ALWAYS = Membership("always", NOW - 2 * HOUR)
ANNE = Entry("user:anne", (ALWAYS, BUYER), ("user:anne", "anon:phone", "user:ann"))


@pytest.fixture
def writer(client: redis.Redis) -> CacheWriter:
    writer = CacheWriter(client)
    writer.fill([], NOW - 100)
    return writer


@pytest.fixture
def reader(client: redis.Redis) -> CacheReader:
    return CacheReader(client)


@pytest.mark.parametrize("identifier", ["user:anne", "anne", "anon:phone", "phone", "user:ann", "ann"])
def test_a_profile_is_found_by_any_of_its_identifiers(
    writer: CacheWriter, reader: CacheReader, identifier: str
) -> None:
    writer.write([ANNE], NOW)
    assert reader.segments_of(identifier, NOW) == Found("user:anne", (ALWAYS, BUYER))


def test_a_plain_client_finds_it_in_two_commands(writer: CacheWriter, client: redis.Redis) -> None:
    writer.write([ANNE], NOW)
    profile_id = client.get("tidemark:i:anon:phone")
    assert profile_id == "user:anne"
    fields = client.hgetall(f"tidemark:{profile_id}:s")
    assert fields["buyers"] == f"{NOW - HOUR}:{NOW + HOUR}"
    assert fields["always"] == f"{NOW - 2 * HOUR}:"


def test_a_member_that_has_expired_is_none_without_anybody_writing(writer: CacheWriter, reader: CacheReader) -> None:
    writer.write([ANNE], NOW)
    assert reader.segments_of("anne", NOW + HOUR) == Found("user:anne", (ALWAYS,))


def test_nobody_is_not_the_same_as_a_cache_that_is_not_filled(client: redis.Redis) -> None:
    assert CacheReader(client).segments_of("anne", NOW) is None
    CacheWriter(client).fill([], NOW)
    assert CacheReader(client).segments_of("anne", NOW) == Found(None)


def test_an_older_version_never_wins(writer: CacheWriter, reader: CacheReader) -> None:
    assert writer.write([ANNE], NOW) == 1
    assert writer.write([Entry("user:anne", (ALWAYS,), ("user:anne",))], NOW - 1) == 0
    assert reader.segments_of("phone", NOW) == Found("user:anne", (ALWAYS, BUYER))


def test_who_has_left_is_not_brought_back_by_what_is_older(writer: CacheWriter, reader: CacheReader) -> None:
    writer.write([Entry("user:anne")], NOW)
    writer.write([ANNE], NOW - 1)
    assert reader.segments_of("anne", NOW) == Found(None)
    assert reader.segments_of("phone", NOW) == Found(None)


def test_a_device_goes_to_whoever_had_it_last_in_either_order(client: redis.Redis, reader: CacheReader) -> None:
    ben = Entry("user:ben", (ALWAYS,), ("user:ben", "anon:phone"))
    for order in ([(ANNE, NOW), (ben, NOW + 1)], [(ben, NOW + 1), (ANNE, NOW)]):
        client.flushall()
        writer = CacheWriter(client)
        writer.fill([], NOW - 100)
        for entry, at_us in order:
            writer.write([entry], at_us)
        assert reader.segments_of("phone", NOW) == Found("user:ben", (ALWAYS,))
        assert reader.segments_of("ann", NOW) == Found("user:anne", (ALWAYS, BUYER))


def test_a_device_that_a_profile_has_lost_leads_there_no_more(writer: CacheWriter, reader: CacheReader) -> None:
    writer.write([ANNE], NOW)
    writer.write([Entry("user:anne", (ALWAYS,), ("user:anne",))], NOW + 1)
    assert reader.segments_of("phone", NOW) == Found(None)


def test_a_filling_takes_out_whom_the_tables_do_not_have(writer: CacheWriter, reader: CacheReader) -> None:
    writer.write([ANNE, Entry("user:ben", (ALWAYS,), ("user:ben",))], NOW)
    writer.fill([Entry("user:ben", (BUYER,), ("user:ben",))], NOW + 1)
    assert reader.segments_of("phone", NOW) == Found(None)
    assert reader.segments_of("ben", NOW) == Found("user:ben", (BUYER,))


def test_a_filling_leaves_what_was_written_since_its_tables_were_read(writer: CacheWriter, reader: CacheReader) -> None:
    writer.write([ANNE, Entry("user:ben", (ALWAYS,), ("user:ben",))], NOW)
    writer.fill([Entry("user:ben", (BUYER,), ("user:ben",))], NOW - 1)
    assert reader.segments_of("phone", NOW) == Found("user:anne", (ALWAYS, BUYER))
    assert reader.segments_of("ben", NOW) == Found("user:ben", (ALWAYS,))


def test_nothing_older_than_a_filling_is_written_after_it(writer: CacheWriter, reader: CacheReader) -> None:
    writer.fill([], NOW)
    assert writer.write([ANNE], NOW - 1) == 0
    assert reader.segments_of("anne", NOW) == Found(None)


def test_a_cache_that_is_emptied_while_it_is_filled_is_not_ready(client: redis.Redis) -> None:
    def members() -> object:
        yield ANNE
        client.flushall()

    with pytest.raises(LostError):
        CacheWriter(client).fill(members(), NOW)  # type: ignore[arg-type]
    assert CacheReader(client).segments_of("anne", NOW) is None


def test_a_user_id_that_looks_like_a_key_is_only_a_user_id(writer: CacheWriter, reader: CacheReader) -> None:
    odd = Entry("user:i:x:s", (ALWAYS,), ("user:i:x:s", "anon:a:s"))
    writer.write([odd], NOW)
    writer.fill([odd], NOW + 1)
    assert reader.segments_of("a:s", NOW) == Found("user:i:x:s", (ALWAYS,))


def test_what_expires_is_forgotten_a_week_later_and_what_does_not_is_kept(
    writer: CacheWriter, client: redis.Redis
) -> None:
    writer.write([ANNE, Entry("user:ben", (BUYER,), ("user:ben",))], NOW)
    assert client.pttl("tidemark:user:anne:s") == -1
    week_ms = 7 * 86_400_000
    assert client.pexpiretime("tidemark:user:ben:s") == (NOW + HOUR) // 1000 + week_ms
    assert client.pexpiretime("tidemark:i:user:ben") == (NOW + HOUR) // 1000 + week_ms


PROFILES = ("user:a", "user:b", "anon:c")
STATES = st.lists(
    st.tuples(st.sampled_from(PROFILES), st.booleans(), st.booleans()), min_size=1, max_size=8, unique=False
)


@given(STATES, st.randoms(use_true_random=False))
def test_the_end_is_the_same_in_whatever_order_states_are_written(
    states: list[tuple[str, bool, bool]], shuffled: random.Random
) -> None:
    """Each state is of one instant; a device is at most one profile's at a time, and who loses it is told, too."""
    import fakeredis

    writes: list[tuple[Entry, int]] = []
    truth: dict[str, Entry] = {}
    owner: str | None = None
    for step, (profile, member, has_device) in enumerate(states):
        at_us, former = NOW + step, owner
        owner = profile if has_device and member else (None if owner == profile else owner)
        for one in {profile, *([former] if former else [])}:
            stays = (Membership("s", at_us),) if one == profile and member else ()
            stays = truth[one].memberships if one != profile else stays
            entry = Entry(one, stays, (one, *(["anon:d"] if owner == one else [])))
            truth[one] = entry
            writes.append((entry, at_us))
    order = list(writes)
    shuffled.shuffle(order)
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)
    writer, reader = CacheWriter(client), CacheReader(client)
    writer.fill([], NOW - 1)
    for entry, at_us in order:
        writer.write([entry], at_us)
    for one, entry in truth.items():
        assert reader.segments_of(one, NOW) == Found(one if entry.memberships else None, entry.memberships)
    found = reader.segments_of("anon:d", NOW)
    assert found is not None
    assert found.profile_id == owner
    assert layout.READY in client.keys()  # noqa: SIM118 - of the server
    client.close()
