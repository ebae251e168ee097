"""Directories of YAML files -> definitions, or every error of every file."""

import textwrap
from pathlib import Path

import pytest

from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions, load_segment_file
from transforms.segments.language.errors import DefinitionErrors
from transforms.segments.language.literals import UNITS

DAY = UNITS["day"]
ORDERED = "event('Order Completed').count() >= 1"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("segments").mkdir()
    Path("traits").mkdir()
    return tmp_path


def write(name: str, text: str) -> None:
    Path(name).write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def load() -> ast.Definitions:
    return load_definitions("segments", "traits").definitions


def segment(text: str) -> ast.SegmentDefinition:
    write("segments/s.yaml", text)
    return load().segments[0]


def errors() -> str:
    with pytest.raises(DefinitionErrors) as caught:
        load()
    return str(caught.value)


def headlines(text: str, name: str = "segments/s.yaml") -> list[str]:
    write(name, text)
    with pytest.raises(DefinitionErrors) as caught:
        load()
    return [problem.headline() for problem in caught.value.problems]


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

    @pytest.mark.parametrize("heading", ["", "user_id,name\n", "\ufeffuser_id\n"])
    def test_members_file(self, heading: str) -> None:
        Path("segments/lists").mkdir()
        Path("segments/lists/vip.csv").write_text(heading + 'u_1,Ann\n\n"u,2",Bob\n', encoding="utf-8")
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
class TestRulesInYaml:
    """However YAML writes a rule: it says the same, and errors are where they are in the file."""

    FORMS = (
        "when: event('A').within(7 days).where(property('x') = 'it').count() >= 1\n",
        "when:\n  event('A').within(7 days)\n    .where(property('x') = 'it')\n    .count() >= 1\n",
        "when: >\n  event('A').within(7 days)\n    .where(property('x') = 'it')  -- a comment\n    .count() >= 1\n",
        "when: |-  # YAML's own\n\n  event('A') -- it's\n  .within(7 days)\n  .where(property('x') = 'it').count() >= 1\n\n",
        "when: >+2\n  event('A').within(7 days).where(property('x') = 'it').count() >= 1\n\nanonymous: true\n",
        "when: 'event(''A'').within(7 days).where(property(''x'') = ''it'').count() >= 1'\n",
        'when: "event(\'A\').within(7 days)  -- ends with its line\n  .where(property(\\"x\\") = \\x27it\\u0027)\\\n  .count() >= 1"\n',
    )

    @pytest.mark.parametrize("text", FORMS)
    @pytest.mark.parametrize("ends", ["\n", "\r\n"])
    def test_forms(self, text: str, ends: str) -> None:
        Path("segments/s.yaml").write_bytes(text.replace("\n", ends).encode())
        first = load().segments[0]
        write("segments/s.yaml", self.FORMS[0])
        assert load().segments[0] == first

    @pytest.mark.parametrize("text", FORMS)
    def test_places(self, text: str) -> None:
        wrong = text.replace("within(7 days)", "within(7 dais)")
        line, rest = next((i, part) for i, part in enumerate(wrong.split("\n"), 1) if "dais" in part)
        Path("segments/s.yaml").write_text("# first\n" + wrong, encoding="utf-8")
        column = rest.index("dais") + 1
        assert errors().splitlines()[:3] == [
            f"segments/s.yaml:{line + 1}:{column}: unknown unit 'dais'",
            "    " + rest,
            " " * (column + 3) + "^",
        ]

    def test_the_end_of_a_rule_is_the_end_of_its_last_word(self) -> None:
        assert headlines("when: >\n  event('A').count() >=   -- how many?\n\n\nanonymous: true\n") == [
            "segments/s.yaml:2:24: the rule ends too early"
        ]

    @pytest.mark.parametrize("text", ["when:\n", "when: >\n\n", "when: ''\n"])
    def test_an_empty_rule(self, text: str) -> None:
        (headline,) = headlines(text)
        assert headline.endswith("the rule is empty")

    def test_what_a_colon_on_the_line_of_the_key_leads_to(self) -> None:
        write("segments/s.yaml", "when: event('A').within(parent: 1 day).count() >= 1\n")
        assert errors() == textwrap.dedent("""
            segments/s.yaml:1:31: YAML: mapping values are not allowed here
                when: event('A').within(parent: 1 day).count() >= 1
                                              ^
                expected '>' after the key, and the text on the lines below it
        """).strip("\n")


WRONG_FILES = {
    "": ["1:1: the file is empty"],
    "- a\n": ["1:1: the file must be a mapping"],
    "{}\n": ["1:1: the segment says not who belongs to it"],
    "description: x\n": ["1:1: the segment says not who belongs to it"],
    "when: [a\n": ["2:1: YAML: expected ',' or ']', but got '<stream end>'"],
    "when: \ta\n  b: c\n": ["1:7: YAML: found character '\\t' that cannot start any token"],
    "when: \x07\n": ["1:7: this character is not allowed in YAML"],
    "members: [a]\nwhen: trait('x') = 1\n": ["2:7: the segment has members and when; it can have only one of them"],
    "members: [a]\nmembers: [b]\n": ["2:1: the key 'members' is written twice"],
    "members: [a]\nexpirs: 2027-01-01\nMembers: [b]\n": ["2:1: unknown key 'expirs'", "3:1: unknown key 'Members'"],
    "members: a\n": ["1:10: this is text"],
    "members: [a, , b]\n": ["1:14: YAML: expected the node content, but found ','"],
    "members: [a, '', null, [b]]\n": ["1:14: this is empty", "1:18: this is nothing", "1:24: this is a list"],
    "members_file: none.csv\n": ["1:15: the members file segments/none.csv: cannot be read: No such file or directory"],
    "members: [a]\nexpires: soon\n": ["2:10: 'soon' is not a date or date-time"],
    "members: [a]\nexpires: 2027-06-30T00:00:00\n": ["2:10: '2027-06-30T00:00:00' has no time zone"],
    "members: [a]\nmax_membership: 14\nreentry_after: 2 moons\n": [
        "2:17: a duration is a whole number and a unit",
        "3:16: unknown unit 'moons'",
    ],
    "members: [a]\nmax_membership: 0 days\n": ["2:17: this duration must be longer than nothing"],
    "members: [a]\nanonymous: maybe\n": ["2:12: this is text"],
    "members: [a]\nconsent: marketing\n": ["2:10: this is text"],
    "members: [a]\ndescription: 5\n": ["2:14: this is a number"],
    "members: [a]\nof: accounts\n": ["2:5: account segments (of: accounts) are not yet supported"],
    "members: [a]\nof: users_\n": ["2:5: unknown definition type 'users_'"],
    "when: true\n": ["1:7: a rule is text, not true or false"],
    "when: [a]\n": ["1:7: a rule is text, not a list"],
    "when: evnt('A')\nexpires: x\nanonymous: 1\n": [
        "1:7: unknown function 'evnt'",
        "2:10: 'x' is not a date or date-time",
        "3:12: this is a number",
    ],
    "when: trait('segments.vip') = true\n": ["1:7: there is no segment 'vip'"],
    "when: event('A').count() >= 'abc'\n": ["1:29: count() is a number; it cannot be compared with 'abc'"],
}


@pytest.mark.usefixtures("folders")
class TestErrors:
    @pytest.mark.parametrize("text", WRONG_FILES)
    def test_wrong_segments(self, text: str) -> None:
        Path("segments/s.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(DefinitionErrors) as caught:
            load()
        assert [p.headline() for p in caught.value.problems] == [f"segments/s.yaml:{e}" for e in WRONG_FILES[text]]

    def test_wrong_traits(self) -> None:
        assert headlines("description: x\n", "traits/t.yaml") == ["traits/t.yaml:1:1: the computed trait has no value"]
        assert headlines("value: trait('x') = 1\nwhen: x\n", "traits/t.yaml") == [
            "traits/t.yaml:2:1: unknown key 'when'"
        ]
        assert headlines("value: 7 days\n", "traits/t.yaml") == ["traits/t.yaml:1:8: a duration is not a value"]

    def test_an_unknown_key_in_full(self) -> None:
        write("segments/s.yaml", "members: [a]\nexpirs: 2027-01-01\n")
        assert errors() == textwrap.dedent("""
            segments/s.yaml:2:1: unknown key 'expirs'
                expirs: 2027-01-01
                ^
                expected one of description, when, members, members_file, expires, max_membership, reentry_after, anonymous, consent, of
                did you mean 'expires'?
        """).strip("\n")

    def test_all_errors_of_all_files_in_order(self) -> None:
        write("segments/b.yaml", "when: evnt('A').count() = 1 OR event('A').cnt() = 1")
        write("segments/a.yaml", "expires: 5\nmembers: 5")
        write("traits/t.yaml", "value: event('A')")
        assert [line for line in errors().splitlines() if not line.startswith(" ") and line] == [
            "segments/a.yaml:1:10: '5' is not a date or date-time",
            "segments/a.yaml:2:10: this is a number",
            "segments/b.yaml:1:7: unknown function 'evnt'",
            "segments/b.yaml:1:43: unknown function 'cnt'",
            "traits/t.yaml:1:8: a list of events is not a value",
        ]

    def test_a_file_that_is_not_utf8(self) -> None:
        Path("segments/s.yaml").write_bytes(b"when: \xff")
        assert errors() == "segments/s.yaml:1:1: not UTF-8: invalid start byte at byte 6"

    def test_a_members_file_with_a_hole(self) -> None:
        Path("segments/m.csv").write_text("user_id,name\nu_1,Ann\n,Bob\n")
        assert headlines("members_file: m.csv") == ["segments/m.csv:3:1: no user id in the first column"]

    def test_no_such_directory(self) -> None:
        with pytest.raises(DefinitionErrors, match="^missing:1:1: there is no such directory$"):
            load_definitions("missing")

    def test_one_name_twice(self) -> None:
        write("segments/vip.yaml", "members: [u_1]")
        write("segments/vip.yml", "members: [u_1]")
        write("traits/vip.yaml", "value: event('A').count()")
        assert errors().splitlines() == [
            "segments/vip.yml:1:1: the name 'vip' is taken by segments/vip.yaml",
            "    expected a file name of its own",
            "",
            "traits/vip.yaml:1:1: the name 'vip' is taken by segments/vip.yaml",
            "    expected a file name of its own",
        ]


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
        with pytest.raises(DefinitionErrors, match="segments/none.yaml:1:1: cannot be read"):
            load_segment_file("segments/none.yaml")


BASE = f"when: {ORDERED}\nexpires: 2027-01-01\n"


@pytest.mark.usefixtures("folders")
class TestVersions:
    def version(self, text: str) -> str:
        return segment(text).version

    def test_it_is_frozen(self) -> None:
        """A running job compares versions with those of the job that it continues."""
        assert self.version(BASE) == "cc4122c44144f01d"

    @pytest.mark.parametrize(
        "text",
        [
            f"description: other\nexpires: '2027-01-01T00:00:00Z'\nwhen: {ORDERED}\n",
            'when: >\n  event("Order Completed") -- comment\n    .count().at_least( 1 )\nexpires: 2027-01-01\n',
            BASE + "anonymous: true\nconsent: []\nof: users\n",
        ],
    )
    def test_what_does_not_change_it(self, text: str) -> None:
        assert self.version(text) == self.version(BASE)

    @pytest.mark.parametrize(
        "text",
        [
            BASE.replace(">= 1", ">= 2"),
            BASE.replace(">= 1", ">= '1'"),
            BASE.replace(">= 1", "= true").replace(".count()", ".last(property('x'))"),
            BASE.replace(">= 1", "= 1").replace(".count()", ".last(property('x'))"),
            BASE.replace("event", "page"),
            BASE.replace(".count", ".within(1 day).count"),
            BASE.replace("2027", "2028"),
            BASE.replace("expires: 2027-01-01", ""),
            BASE + "max_membership: 1 day",
            BASE + "reentry_after: 1 day",
            BASE + "anonymous: false",
            BASE + "consent: [marketing]",
            "members: []",
            "members: [u_1]",
        ],
    )
    def test_what_changes_it(self, text: str) -> None:
        others = [BASE, BASE.replace(">= 1", "= 1").replace(".count()", ".last(property('x'))"), "members: [u_1]"]
        versions = {other: self.version(other) for other in others if other != text}
        assert self.version(text) not in versions.values()

    def test_a_name_that_becomes_a_segment_changes_it(self) -> None:
        before = self.version("when: trait('vip') = true")
        write("segments/vip.yaml", "members: [u_1]")
        assert next(found.version for found in load().segments if found.name == "s") != before

    def test_the_order_of_members_does_not(self) -> None:
        assert self.version("members: [a, b]") == self.version("members: [b, a]")
