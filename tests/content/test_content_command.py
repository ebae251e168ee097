"""`python -m pipelines.content`: blocks in, platforms' syntaxes or one person's text out, mistakes with their place."""

from pathlib import Path

import pytest

from pipelines.content import main
from pipelines.io.outputs import DuckDBOutput
from tests.content.tables import write_people
from transforms.content.platforms import PLATFORMS

DEFINITIONS = ["--segments", "segments", "--traits", "traits"]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "block.liquid"
    path.write_text(
        "Hi {{ profile.first_name | default: 'there' }}{% if profile.city == 'Berlin' %}, Berlin{% endif %}!\n"
    )
    return path


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> DuckDBOutput:
    return write_people(tmp_path_factory.mktemp("tables") / "out.duckdb")


SAID = {
    "mailchimp": "Hi *|IF:FNAME|**|FNAME|**|ELSE:|*there*|END:IF|**|IF:CITY=Berlin|*, Berlin*|END:IF|*!",
    "hubspot": 'Hi {{ contact.firstname|default("there", true)|escape }}'
    '{% if contact.city == "Berlin" %}, Berlin{% endif %}!',
    "klaviyo": "Hi {{ first_name|default:'there' }}{% if person|lookup:'city' == 'Berlin' %}, Berlin{% endif %}!",
    "sendgrid": 'Hi {{#if first_name}}{{first_name}}{{else}}there{{/if}}{{#equals city "Berlin"}}, Berlin{{/equals}}!',
    "braze": "Hi {{ ${first_name} | default: 'there' | escape }}{% if {{${city}}} == 'Berlin' %}, Berlin{% endif %}!",
    "customerio": "Hi {{ customer.first_name | default: 'there' | escape }}"
    "{% if customer.city == 'Berlin' %}, Berlin{% endif %}!",
}


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_every_platform_in_its_own_syntax(platform: str, template: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--template", str(template), "--platform", platform]) == 0
    assert capsys.readouterr().out == SAID[platform] + "\n"


def test_the_result_goes_into_a_file(template: Path, tmp_path: Path) -> None:
    output = tmp_path / "said.html"
    assert main(["--template", str(template), "--platform", "braze", "--output", str(output)]) == 0
    assert output.read_text() == SAID["braze"] + "\n"


def test_a_person_gets_the_block(template: Path, tables: DuckDBOutput, capsys: pytest.CaptureFixture[str]) -> None:
    for profile, text in (("user:ada", "Hi Ada &lt;3, Berlin!\n"), ("anon:d1", "Hi there!\n")):
        assert main(["--template", str(template), "--input", str(tables), "--profile", profile, *DEFINITIONS]) == 0
        assert capsys.readouterr().out == text


def test_who_sees_which_branch_and_a_page(
    template: Path, tables: DuckDBOutput, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main(["--template", str(template), "--input", str(tables), "--preview", str(page), *DEFINITIONS]) == 0
    said = capsys.readouterr().err
    assert "Of 3 people" in said
    assert [line.split()[:2] for line in said.splitlines() if line.startswith("     1")] == [["1", "1"], ["1", "2"]]
    assert "user:ada" in page.read_text()
    assert "Ada &lt;3" not in page.read_text()  # in a frame of its own, escaped once more
    assert "Ada &amp;lt;3" in page.read_text()


MISTAKES = [
    ("{{ profile.fist_name }}", "mailchimp", ":1:4: there is no trait 'fist_name'", "did you mean 'first_name'?"),
    ("{% if segments contains 'recent_buyer' %}x{% endif %}", "braze", ":1:25:", "did you mean 'recent_buyers'?"),
    ("{{ computed.orders_90_day }}", "braze", ":1:4: there is no computed trait", "did you mean 'orders_90_days'?"),
    ("a\n {% fi profile.city %}", "braze", ":2:5:", "fi"),
    ("{% if profile.city %}x", "braze", ":1:", "if"),
    ("{% if (profile.city) %}x{% endif %}", "braze", ":1:7:", "parentheses"),
    ("{% for x in segments %}{% endfor %}", "braze", ":1:4: a block cannot have the tag 'for'", "one of if"),
    ("{{ profile.city | upcas }}", "braze", ":1:19: unknown filter 'upcas'", "did you mean 'upcase'?"),
    ("{% if profile.city > 'B' %}x{% endif %}", "braze", ":1:20: > compares numbers", "a number"),
    ("{% if profile.city or profile.email %}x{% endif %}", "mailchimp", ":1:20: Mailchimp: has no OR", "SEG_X"),
    ("{% if segments contains 'vip' %}x{% endif %}", "mailchimp", ":1:25: Mailchimp: tags", "{SEG_VIP: segments.vip}"),
    ("{{ profile.birthday | date: '%Y' }}", "mailchimp", ":1:23: Mailchimp: has no filter 'date'", "computed"),
    ("{{ profile.city | upcase }}", "sendgrid", ":1:19: SendGrid: has no filter 'upcase'", "trait"),
    ("{% if profile.city contains 'B' %}x{% endif %}", "sendgrid", ":1:7: SendGrid: cannot search", "segment"),
    ("a *| b", "mailchimp", ":1:3: Mailchimp: would take '*|'", "&#124;"),
]


@pytest.mark.parametrize(("text", "platform", "place", "help_"), MISTAKES, ids=[text for text, *_ in MISTAKES])
def test_a_mistake_is_told_with_its_place(
    text: str, platform: str, place: str, help_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "block.liquid"
    path.write_text(text)
    assert main(["--template", str(path), "--platform", platform, *DEFINITIONS]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{path}{place}" in said.err
    assert help_ in said.err


def test_a_destination_names_the_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, destination = tmp_path / "block.liquid", tmp_path / "newsletter.yaml"
    path.write_text("{% if segments contains 'vip' %}{{ computed.orders_90_days }}{% endif %}")
    destination.write_text("kind: mailchimp\nfields: {SEG_VIP: segments.vip, ORDERS: computed.orders_90_days}\n")
    line = ["--template", str(path), "--platform", "mailchimp", "--destination", str(destination), *DEFINITIONS]
    assert main(line) == 0
    assert capsys.readouterr().out == "*|IF:SEG_VIP=Y|**|ORDERS|**|END:IF|*\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "nothing to do"),
        (["--platform", "mailchmp"], "did you mean 'mailchimp'?"),
        (["--platform", "braze", "--profile", "user:x"], "--profile needs --input"),
        (["--input", "elsewhere"], "duckdb:PATH"),
        (["--platform", "braze", "--destination", "nowhere.yaml"], "--destination nowhere.yaml"),
    ],
)
def test_wrong_arguments(arguments: list[str], text: str, template: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--template", str(template), *arguments]) == 2
    assert text in capsys.readouterr().err


def test_nobody_has_that_id(template: Path, tables: DuckDBOutput, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--template", str(template), "--input", str(tables), "--profile", "user:x", *DEFINITIONS]) == 2
    assert "no such profile" in capsys.readouterr().err
