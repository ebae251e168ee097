"""Every error of every file, each where it is."""

from pathlib import Path

import pytest

from schemas.errors import DefinitionErrors
from tests.segments.language.definition_folders import errors, headlines, load, write
from transforms.segments.language.definitions import load_definitions

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
    "members: [a]\nof: accounts\n": ["1:10: a segment of accounts has no 'members': that is about people"],
    "when: trait('a') = 1\nof: accounts\nanonymous: false\n": [
        "3:12: a segment of accounts has no 'anonymous': that is about people"
    ],
    "when: trait('a') = 1\nof: acounts\n": ["2:5: unknown definition type 'acounts'"],
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
        assert errors().splitlines() == [
            "segments/s.yaml:2:1: unknown key 'expirs'",
            "    expirs: 2027-01-01",
            "    ^",
            "    expected one of description, when, members, members_file, expires, max_membership, reentry_after, "
            "anonymous, consent, of",
            "    did you mean 'expires'?",
        ]

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
        assert errors() == "segments/s.yaml:1:7: not UTF-8: invalid start byte at byte 6\n    expected UTF-8"

    def test_a_members_file_with_a_hole(self) -> None:
        Path("segments/m.csv").write_text("user_id,name\nu_1,Ann\n,Bob\n")
        assert headlines("members_file: m.csv") == ["segments/m.csv:3:1: no user id in this line"]

    def test_no_such_directory(self) -> None:
        with pytest.raises(DefinitionErrors, match=r"^missing:1:1: there is no such directory$"):
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
