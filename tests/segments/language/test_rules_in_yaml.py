"""However YAML writes a rule: it says the same, and errors are where they are in the file."""

import textwrap
from pathlib import Path

import pytest

from tests.segments.language.definition_folders import errors, headlines, load, write


@pytest.mark.usefixtures("folders")
class TestRulesInYaml:
    """However YAML writes a rule: it says the same, and errors are where they are in the file."""

    FORMS = (
        "when: event('A').within(7 days).where(property('x') = 'it').count() >= 1\n",
        "when:\n  event('A').within(7 days)\n    .where(property('x') = 'it')\n    .count() >= 1\n",
        "when: >\n  event('A').within(7 days)\n    .where(property('x') = 'it')  -- a comment\n    .count() >= 1\n",
        "when: |-  # YAML's own\n\n  event('A') -- it's\n  .within(7 days)\n  .where(property('x') = 'it')"
        ".count() >= 1\n\n",
        "when: >+2\n  event('A').within(7 days).where(property('x') = 'it').count() >= 1\n\nanonymous: true\n",
        "when: 'event(''A'').within(7 days).where(property(''x'') = ''it'').count() >= 1'\n",
        "when: \"event('A').within(7 days)  -- ends with its line"
        '\n  .where(property(\\"x\\") = \\x27it\\u0027)\\\n  .count() >= 1"\n',
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
