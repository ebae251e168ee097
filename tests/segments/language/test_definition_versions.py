"""A version changes with the meaning of a definition, and with nothing else."""

import pytest

from tests.segments.language.definition_folders import ORDERED, load, segment, write

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
