"""Who made a logged call, and for which application."""

from datetime import timedelta

import pytest

from usage_pipeline.raw_tables import APPLICATION_RULES
from usage_pipeline_tests.marts.factory import ACCOUNT, NOVA, SONNET, Store, arns, at

UNATTRIBUTED = "(unattributed)"
SSO_ROLE = "AWSReservedSSO_Dev_0123456789abcdef"


def new_store() -> Store:
    store = Store("marts.invocations")
    store.burndown("*", 1)
    store.model(NOVA)
    store.application_rule("role", "(.+)-BedrockRole")
    return store


@pytest.fixture
def store() -> Store:
    return new_store()


def called_by(store: Store, principal_arn: str | None, **values: object) -> tuple[object, ...]:
    """(principal type, role or user, session, application) of a call."""
    store.call(NOVA, at("14T10:00"), principal_arn=principal_arn, **values)
    store.build()
    return store.row("select principal_type, role_or_user, session_name, application from marts.invocations")


CALLERS: list[tuple[str | None, tuple[str, str, str | None, str]]] = [
    (
        "arn:aws:sts::111122223333:assumed-role/CustomerServiceApp-BedrockRole/i-0abc",
        ("role", "CustomerServiceApp-BedrockRole", "i-0abc", "CustomerServiceApp"),
    ),
    ("arn:aws:sts::111122223333:assumed-role/Reader/a:b=c", ("role", "Reader", "a:b=c", UNATTRIBUTED)),
    (
        f"arn:aws:sts::111122223333:assumed-role/{SSO_ROLE}/alice@x.org",
        ("sso_user", "alice@x.org", "alice@x.org", UNATTRIBUTED),
    ),
    (
        "arn:aws-us-gov:sts::111122223333:assumed-role/intake-BedrockRole/s",
        ("role", "intake-BedrockRole", "s", "intake"),
    ),
    ("arn:aws-cn:iam::111122223333:user/dept/bob", ("user", "bob", None, UNATTRIBUTED)),
    ("arn:aws:iam::111122223333:user/dept/bob", ("user", "bob", None, UNATTRIBUTED)),
    ("arn:aws:iam::111122223333:user/bob", ("user", "bob", None, UNATTRIBUTED)),
    (
        "arn:aws:iam::111122223333:user/BedrockAPIKey-q7zk",
        ("bedrock_api_key", "BedrockAPIKey-q7zk", None, UNATTRIBUTED),
    ),
    (
        "arn:aws:sts::111122223333:federated-user/carol@x.org",
        ("federated_user", "carol@x.org", None, UNATTRIBUTED),
    ),
    ("arn:aws:iam::111122223333:root", ("root", "root", None, UNATTRIBUTED)),
    ("arn:aws:iam::111122223333:role/team/nightly-BedrockRole", ("role", "nightly-BedrockRole", None, "nightly")),
    (
        "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForBedrock/s",
        ("service", "AWSServiceRoleForBedrock", "s", UNATTRIBUTED),
    ),
    ("agents.bedrock.amazonaws.com", ("service", "agents.bedrock.amazonaws.com", None, UNATTRIBUTED)),
    ("someone", ("unknown", "someone", None, UNATTRIBUTED)),
    (None, ("unknown", "(unknown)", None, UNATTRIBUTED)),
]
"""What the logs say, and (principal type, role or user, session, application)."""


@pytest.fixture(scope="module")
def store_of_callers() -> Store:
    """Every caller's call, a minute apart from the next."""
    store = new_store()
    for number, (principal_arn, _) in enumerate(CALLERS):
        store.call(NOVA, at("14T10:00") + timedelta(minutes=number), principal_arn=principal_arn)
    store.build()
    return store


@pytest.mark.parametrize("number", range(len(CALLERS)), ids=[str(principal_arn) for principal_arn, _ in CALLERS])
def test_a_caller_is_read_from_its_arn(store_of_callers: Store, number: int) -> None:
    ts = at("14T10:00") + timedelta(minutes=number)
    columns = "principal_type, role_or_user, session_name, application"
    assert store_of_callers.row(f"select {columns} from marts.invocations where ts = ?", ts) == CALLERS[number][1]


def test_a_role_with_a_thousand_sessions_is_one_row(store: Store) -> None:
    for number in range(1000):
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/search-BedrockRole/session-{number}"
        store.call(NOVA, at("14T10:00"), principal_arn=arn, input_tokens=1)
    store.build("marts.usage_monthly")
    for table in ("usage_hourly", "usage_daily", "usage_monthly"):
        assert store.rows(f"select role_or_user, application, calls from marts.{table}") == [
            ("search-BedrockRole", "search", 1000)
        ]


def test_the_account_of_a_caller_may_be_another_than_that_of_the_call(store: Store) -> None:
    store.call(NOVA, at("14T10:00"), principal_arn="arn:aws:sts::999999999999:assumed-role/Guest/s")
    store.build()
    assert store.one("select principal_account_id from intermediate.int_callers") == "999999999999"


# Applications


def test_the_first_rule_that_fits_wins_whatever_it_looks_at() -> None:
    store = Store("marts.invocations")
    store.burndown("*", 1)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("taggedprofil", arns(SONNET, "us-east-1", "us-west-2"), tags={"team": "billing"})
    store.application_rule("metadata", "(.+)", key="application")
    store.application_rule("session", "ci-[0-9]+", application="builds")
    store.application_rule("user", "bot-(.+)")
    store.application_rule("tag", "(.+)", key="team")
    store.application_rule("role", "(.+)-BedrockRole")
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/search-BedrockRole"
    calls = {
        "metadata": ("taggedprofil", f"{role}/ci-1", {"application": "chat", "trace": "1"}),
        "session": ("taggedprofil", f"{role}/ci-1", {"trace": "2"}),
        "tag": ("taggedprofil", f"{role}/s", None),
        "role": (f"us.{SONNET}", f"{role}/s", {"team": "x"}),
        "user": (f"us.{SONNET}", f"arn:aws:iam::{ACCOUNT}:user/bots/bot-faq", None),
        "nobody": (f"us.{SONNET}", f"arn:aws:iam::{ACCOUNT}:root", None),
    }
    for request_id, (profile_id, arn, metadata) in calls.items():
        store.call(profile_id, at("14T10:00"), request_id=request_id, principal_arn=arn, request_metadata=metadata)
    store.build()
    assert dict(store.rows("select request_id, application from marts.invocations")) == {
        "metadata": "chat",
        "session": "builds",
        "tag": "billing",
        "role": "search",
        "user": "faq",
        "nobody": UNATTRIBUTED,
    }


def test_a_pattern_is_held_against_the_whole_text(store: Store) -> None:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/search-BedrockRole-old/s"
    assert called_by(store, arn)[-1] == UNATTRIBUTED


@pytest.mark.parametrize(
    ("pattern", "role"), [("a|ab-BedrockRole", "ab-BedrockRole"), ("x|(.+)-BedrockRole", "ab-BedrockRole")]
)
def test_alternatives_are_each_held_against_the_whole_text(pattern: str, role: str) -> None:
    store = Store("marts.invocations")
    store.model(NOVA)
    store.application_rule("role", pattern, None if "(" in pattern else "ab")
    assert called_by(store, f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s")[-1] == "ab"


def test_a_rule_about_sso_sees_the_role_and_the_person(store: Store) -> None:
    store.forget(APPLICATION_RULES)
    store.application_rule("user", "alice@.*", application="alice's")
    store.application_rule("role", "AWSReservedSSO_([^_]+)_.*")
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{SSO_ROLE}"
    store.call(NOVA, at("14T10:00"), request_id="1", principal_arn=f"{arn}/alice@x.org")
    store.call(NOVA, at("14T10:00"), request_id="2", principal_arn=f"{arn}/bob@x.org")
    store.build()
    assert store.rows("select application from marts.invocations order by request_id") == [("alice's",), ("Dev",)]


def test_metadata_stays_with_the_call(store: Store) -> None:
    metadata = {"team": "search", "trace": "' OR 1=1 --"}
    store.call(NOVA, at("14T10:00"), request_metadata=metadata)
    store.build()
    assert store.one("select request_metadata from marts.invocations") == metadata


def test_a_changed_rule_restates_the_application_of_stored_calls(store: Store) -> None:
    store.call(NOVA, at("13T10:00"), principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/a-BedrockRole/s")
    store.build("marts.usage_monthly")
    assert store.one("select application from marts.usage_daily") == "a"
    store.forget(APPLICATION_RULES)
    store.application_rule("role", "a-.*", application="renamed")
    store.build("marts.usage_monthly")
    for table in ("invocations", "usage_hourly", "usage_daily", "usage_monthly"):
        assert store.one(f"select application from marts.{table}") == "renamed"
