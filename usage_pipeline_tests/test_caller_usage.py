"""Finding callers by a text that is taken literally."""

import pytest

from usage_pipeline.caller_usage import caller_usage
from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, NOVA, Store, at

ROLES = ("search-BedrockRole", "Search_Batch", "sea%rch", "O'Brien", "chat")


@pytest.fixture(scope="module")
def store() -> Store:
    store = Store()
    store.burndown("*", 1)
    store.model(NOVA)
    store.price(NOVA, "input", "1")
    for number, role in enumerate(ROLES):
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s"
        store.call(NOVA, at("14T10:00"), principal_arn=arn, input_tokens=1_000_000 * number, output_tokens=0)
        store.call(NOVA, at("13T10:00"), principal_arn=arn, output_tokens=number)
    store.build()
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("search", {"search-BedrockRole", "Search_Batch"}),
        ("", set(ROLES)),
        ("%", {"sea%rch"}),
        ("_", {"Search_Batch"}),
        ("O'Brien", {"O'Brien"}),
        ("' OR 1=1 --", set()),
        ("s.*h", set()),
        ("chat", {"chat"}),
    ],
)
def test_the_text_is_taken_literally(store: Store, text: str, found: set[str]) -> None:
    assert {row.role_or_user for row in caller_usage(store.con, text, DAY, DAY)} == found


def test_a_row_is_what_a_caller_used_on_the_days(store: Store) -> None:
    (row,) = caller_usage(store.con, "chat", DAY, DAY)
    assert (row.calls, row.input_tokens, row.cost_usd, row.unpriced_calls) == (1, 4_000_000, 4, 0)
    (row,) = caller_usage(store.con, "chat", at("13T00:00").date(), DAY)
    assert (row.calls, row.cost_usd, row.unpriced_calls) == (2, 4, 1)


def test_the_dearest_caller_comes_first(store: Store) -> None:
    assert [row.role_or_user for row in caller_usage(store.con, "", DAY, DAY)] == list(reversed(ROLES))
