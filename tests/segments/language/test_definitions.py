"""Directories of YAML files -> definitions."""

import textwrap
from pathlib import Path

import pytest

from schemas.errors import DefinitionErrors
from tests.segments.language.definition_folders import ORDERED, errors, headlines, load, segment, write
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions, load_segment_file
from transforms.segments.language.literals import UNITS

DAY = UNITS["day"]


@pytest.mark.usefixtures("folders")
class TestSegments:
    def test_every_option(self) -> None:
        found = segment("""
            description: Ordered once.
            when: event('Order Completed').count() >= 1
            expires: 2027-06-30T00:00:00Z
            max_membership: 14 days
            reentry_after: 1 week
            anonymous: false
            consent: [marketing, ads]
            of: users
        """)
        count = ast.Reduced(ast.Stream("track", "Order Completed"), "count")
        assert found == ast.SegmentDefinition(
            name="s",
            description="Ordered once.",
            when=ast.Compare("at_least", count, (ast.Literal(1),)),
            expires=1814313600000000,
            max_membership=14 * DAY,
            reentry_after=7 * DAY,
            anonymous=False,
            consent=("marketing", "ads"),
            version=found.version,
        )
        assert found.file == "segments/s.yaml"

    def test_defaults(self) -> None:
        found = segment(f"when: {ORDERED}")
        assert (found.description, found.members, found.expires, found.anonymous) == ("", None, None, True)
        assert (found.max_membership, found.reentry_after, found.consent) == (None, None, ())

    @pytest.mark.parametrize(
        ("written", "instant"),
        [
            ("2027-06-30", 1814313600000000),
            ("'2027-06-30'", 1814313600000000),
            ("2027-06-30T02:00:00+02:00", 1814313600000000),
            ("2027-06-30 00:00:00 Z", 1814313600000000),
            ("'2027-06-30T00:00:00.000001Z'", 1814313600000001),
        ],
    )
    def test_expires(self, written: str, instant: int) -> None:
        assert segment(f"members: [u_1]\nexpires: {written}").expires == instant

    def test_members(self) -> None:
        found = segment("members: [u_00001, '7', 00042, u_00001]")
        assert found.members == frozenset({"u_00001", "7", "00042"})
        assert found.when is None

    @pytest.mark.parametrize(
        "text",
        [
            'u_1\n\n"u,2"\n',
            'user_id\nu_1\n"u,2"',
            'user_id,name\nu_1,Ann\n\n"u,2",Bob\n',
            "\ufeffuser_id;name\r\nu_1;Ann\r\nu,2;Bob\r\n",
            "email\tuserId\na@example.com\tu_1\nb@example.com\tu,2\n",
            "id|note\nu_1|\nu,2|x\n",
            'id;user_id\n7;u_1\n8;"u,2"\n',
        ],
    )
    def test_members_file(self, text: str) -> None:
        Path("segments/lists").mkdir()
        Path("segments/lists/vip.csv").write_bytes(text.encode())
        assert segment("members_file: lists/vip.csv").members == frozenset({"u_1", "u,2"})

    def test_other_files_are_left_alone(self) -> None:
        write("segments/README.md", "# about")
        write("segments/a.yml", f"when: {ORDERED}")
        assert [found.name for found in load().segments] == ["a"]

    def test_no_segments_is_a_warning(self) -> None:
        loaded = load_definitions("segments")
        assert loaded.definitions == ast.Definitions()
        assert loaded.warnings == ["segments: there are no segments in this directory"]

    def test_many_segments_are_a_warning(self) -> None:
        for number in range(20):
            write(f"segments/s{number}.yaml", f"when: {ORDERED}")
        assert load_definitions("segments").warnings == []
        write("segments/s20.yaml", f"when: {ORDERED}")
        assert load_definitions("segments").warnings == [
            "segments: 21 segments; more than 20 are hard to tell apart in use"
        ]

    def test_no_members_is_a_warning(self) -> None:
        write("segments/s.yaml", "members: []")
        assert load_definitions("segments").warnings == ["segments/s.yaml:1:1: the list of members is empty"]


@pytest.mark.usefixtures("folders")
class TestNames:
    def test_a_name_is_a_computed_trait_else_a_segment_else_a_trait(self) -> None:
        write("traits/orders.yaml", "value: event('Order Completed').count()")
        write("segments/vip.yaml", "members: [u_1]")
        write(
            "segments/s.yaml",
            """
            when: >
              trait('orders') > 1 AND trait('vip') = true AND trait('segments.vip') = true AND trait('city') = 'Lima'
        """,
        )
        condition = next(found.when for found in load().segments if found.name == "s")
        assert isinstance(condition, ast.And)
        lefts = [item.left for item in condition.items if isinstance(item, ast.Compare)]
        assert lefts == [
            ast.ComputedTrait("orders"),
            ast.Membership("vip"),
            ast.Membership("vip"),
            ast.Trait("city"),
        ]

    def test_names_inside_a_where_are_resolved_too(self) -> None:
        write("segments/vip.yaml", "members: [u_1]")
        write("traits/t.yaml", "value: event('A').where(trait('vip') = true).count()")
        value = load().traits[0].value
        assert isinstance(value, ast.Reduced)
        condition = ast.Compare("equals", ast.Membership("vip"), (ast.Literal(True),))
        assert value.stream.filters == (ast.Where(condition),)

    def test_a_segment_that_does_not_exist(self) -> None:
        write("segments/recent_buyers.yaml", "members: [u_1]")
        write("segments/s.yaml", "when: NOT trait('segments.recent_buyer') = true")
        assert errors() == textwrap.dedent("""
            segments/s.yaml:1:11: there is no segment 'recent_buyer'
                when: NOT trait('segments.recent_buyer') = true
                          ^
                expected the name of a file in the segments directory
                did you mean 'recent_buyers'?
        """).strip("\n")

    def test_what_is_referred_to_comes_first(self) -> None:
        write("segments/a.yaml", "when: trait('segments.b') = true AND trait('y') > 1")
        write("segments/b.yaml", "when: trait('segments.c') = true")
        write("segments/c.yaml", "when: trait('z') > 1")
        write("traits/y.yaml", "value: event('A').where(trait('z') > 1).count()")
        write("traits/z.yaml", "value: event('A').count()")
        definitions = load()
        assert [found.name for found in definitions.segments] == ["c", "b", "a"]
        assert [found.name for found in definitions.traits] == ["z", "y"]

    def test_types_follow_names(self) -> None:
        write("traits/orders.yaml", "value: event('A').count()")
        write("traits/same.yaml", "value: trait('orders')")
        assert headlines("when: trait('same') = 'many'") == [
            "segments/s.yaml:1:23: trait('same') is a number; it cannot be compared with 'many'"
        ]

    def test_a_cycle_between_segments_and_traits(self) -> None:
        write("segments/a.yaml", "when: trait('segments.b') = true")
        write("segments/b.yaml", "when: >\n  trait('x') = 1 AND\n  trait('c') > 1")
        write("traits/c.yaml", "value: event('A').where(trait('a') = true).count()")
        write("segments/self.yaml", "when: trait('segments.self') = true")
        assert [line for line in errors().splitlines() if line.startswith("segments")] == [
            "segments/a.yaml:1:7: definitions refer to each other in a circle: a -> b -> c -> a",
            "segments/self.yaml:1:7: definitions refer to each other in a circle: self -> self",
        ]

    def test_a_name_whose_file_is_wrong_is_still_a_name(self) -> None:
        write("segments/a.yaml", "when: trait('segments.b') = true")
        assert headlines("when: nonsense", "segments/b.yaml") == ["segments/b.yaml:1:7: unknown word 'nonsense'"]


@pytest.mark.usefixtures("folders")
class TestOneFile:
    def test_it_brings_what_it_refers_to_and_nothing_else(self) -> None:
        write("segments/a.yaml", "when: trait('segments.b') = true")
        write("segments/b.yaml", "when: trait('t') > 1")
        write("segments/wrong.yaml", "when: nonsense")
        write("segments/other.yaml", "when: trait('a') = true")
        write("traits/t.yaml", "value: event('A').count()")
        write("traits/u.yaml", "value: trait('u')")
        loaded = load_segment_file("segments/a.yaml", "traits")
        assert loaded.segment.name == "a"
        assert [found.name for found in loaded.definitions.segments] == ["b", "a"]
        assert [found.name for found in loaded.definitions.traits] == ["t"]
        assert loaded.warnings == []

    def test_errors_of_what_it_needs(self) -> None:
        write("segments/a.yaml", "when: trait('segments.b') = true AND trait('x') = y")
        write("segments/b.yaml", "when: nonsense")
        write("segments/c.yaml", "when: nonsense")
        with pytest.raises(DefinitionErrors) as caught:
            load_segment_file("segments/a.yaml")
        assert [p.headline() for p in caught.value.problems] == ["segments/a.yaml:1:51: unknown word 'y'"]
        write("segments/a.yaml", "when: trait('segments.b') = true")
        with pytest.raises(DefinitionErrors, match=r"^segments/b\.yaml:1:7: unknown word 'nonsense'"):
            load_segment_file("segments/a.yaml")

    def test_a_cycle_through_it(self) -> None:
        write("segments/b.yaml", "when: trait('segments.a') = true")
        write("segments/a.yaml", "when: trait('segments.b') = true")
        with pytest.raises(DefinitionErrors, match="in a circle: a -> b -> a"):
            load_segment_file("segments/b.yaml")

    def test_a_file_that_does_not_exist(self) -> None:
        with pytest.raises(DefinitionErrors, match=r"segments/none\.yaml:1:1: cannot be read"):
            load_segment_file("segments/none.yaml")
