"""Names and types that the tracking plan does not know: warnings, with what was probably meant."""

from pathlib import Path

import pytest

from schemas.tracking_plan import load_tracking_plan
from transforms.segments.language.definitions import load_definitions
from transforms.segments.language.errors import SourceFile
from transforms.segments.language.parser import parse_condition
from transforms.segments.language.plan import TrackingPlan, check_against_plan

SHIPPED: TrackingPlan = load_tracking_plan()


class Shop:
    """A plan of one event."""

    def event_names(self) -> set[str]:
        return {"Order Completed"}

    def properties_of(self, name: str) -> dict[str, str] | None:
        types = {
            "total": "number",
            "gift": "boolean",
            "coupon": "string",
            "placed_at": "string",
            "products": "array",
            "products.$.product_id": "string",
            "extra": "object",
        }
        return types if name == "Order Completed" else None

    def trait_names(self) -> set[str]:
        return {"city", "address.city"}


@pytest.mark.parametrize(
    "where",
    [
        "property('total') > 5",
        "property('products.$.product_id') = 'x'",
        "property('products.0.product_id') = 'x'",
        "property('extra.anything.at.all') = 'x'",
        "property('gift') = true",
        "property('coupon').contains('x')",
        "property('placed_at').within_last(1 day)",
        "context('whatever') = 1",
        "trait('city') = property('coupon')",
        "page('Anywhere').where(property('whatever') = 1).count() = 1",
    ],
)
def test_what_the_plan_knows(where: str) -> None:
    text = f"event('Order Completed').where({where}).count() = 1"
    assert check_against_plan(parse_condition(text), SourceFile("x.yaml", text), Shop()) == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "event('Order completed').count() = 1",
            "x.yaml:1:1: no schema names the event 'Order completed' (did you mean 'Order Completed'?)",
        ),
        ("event('Walked').where(property('x') = 1).count() = 1", "x.yaml:1:1: no schema names the event 'Walked'"),
        (
            "trait('adress.city') = 1",
            "x.yaml:1:1: no schema names the trait 'adress.city' (did you mean 'address.city'?)",
        ),
        (
            "event('Order Completed').sum(property('totl')) > 1",
            "x.yaml:1:30: no schema names the property 'totl' of 'Order Completed' (did you mean 'total'?)",
        ),
        (
            "event('Order Completed').where(property('products.$.product') = 'x').count() = 1",
            "x.yaml:1:32: no schema names the property 'products.$.product' of 'Order Completed' "
            "(did you mean 'products.$.product_id'?)",
        ),
        (
            "event('Order Completed').where(page('P').where(property(parent: 'ttal') = 1).count() = 1).count() = 1",
            "x.yaml:1:48: no schema names the property 'ttal' of 'Order Completed' (did you mean 'total'?)",
        ),
        (
            "event('Order Completed').where(property('gift') > 1).count() = 1",
            "x.yaml:1:49: the schema says that 'gift' is of type boolean: greater_than never holds",
        ),
        (
            "event('Order Completed').where(property('total').contains('x')).count() = 1",
            "x.yaml:1:50: the schema says that 'total' is of type number: contains never holds",
        ),
    ],
)
def test_what_it_does_not(text: str, warning: str) -> None:
    found = check_against_plan(parse_condition(text), SourceFile("x.yaml", text), Shop())
    assert [problem.one_line() for problem in found] == [warning]


def test_warnings_of_all_files_are_no_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("segments").mkdir()
    Path("segments/b.yaml").write_text("when: event('Product Veiwed').count() >= 1\n")
    Path("segments/a.yaml").write_text("when: event('Product Viewed').last(property('pric')) >= 'big'\n")
    assert load_definitions("segments", plan=SHIPPED).warnings == [
        "segments/a.yaml:1:36: no schema names the property 'pric' of 'Product Viewed' (did you mean 'price'?)",
        "segments/a.yaml:1:57: at_least compares numbers and dates; with a word it is never true",
        "segments/b.yaml:1:7: no schema names the event 'Product Veiwed' (did you mean 'Product Viewed'?)",
    ]
