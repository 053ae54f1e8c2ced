import pytest

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.principals import Principal, principal_arn, read_principal

STS, IAM = "arn:aws:sts::111122223333", "arn:aws:iam::111122223333"


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (
            f"{STS}:assumed-role/CustomerServiceApp-BedrockRole/i-0abc",
            ("role", "CustomerServiceApp-BedrockRole", "i-0abc", "CustomerServiceApp"),
        ),
        (f"{STS}:assumed-role/Dev/a/b", ("role", "Dev", "a/b", "(unattributed)")),
        (f"{STS}:assumed-role/X-BedrockRole-2/i", ("role", "X-BedrockRole-2", "i", "(unattributed)")),
        (
            f"{STS}:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/alice@x.org",
            ("sso_user", "alice@x.org", "alice@x.org", "(unattributed)"),
        ),
        (f"{STS}:federated-user/bob", ("federated_user", "bob", None, "(unattributed)")),
        (f"{IAM}:user/dept/bob", ("user", "bob", None, "(unattributed)")),
        (f"{IAM}:user/BedrockAPIKey-a1b2", ("bedrock_api_key", "BedrockAPIKey-a1b2", None, "(unattributed)")),
        (f"{IAM}:root", ("root", "root", None, "(unattributed)")),
    ],
)
def test_an_arn_says_who_it_was(arn: str, expected: tuple[str, str, str | None, str]):
    assert read_principal(arn) == Principal(arn, *expected)


def test_every_kind_of_principal_calls(two_days: AccountData):
    known = {two_days.principals.known[number].principal_type for number in set(two_days.principals.number.tolist())}
    assert known == {"role", "sso_user", "federated_user", "user", "bedrock_api_key", "root"}


def test_a_rotating_session_changes_its_name_each_quarter_of_an_hour(two_days: AccountData):
    router = next(c for c in two_days.requests.callers if c.application == "router")
    assert principal_arn(router, 3, 100) == f"{STS}:assumed-role/router-BedrockRole/botocore-session-90000"
    assert principal_arn(router, 0, 101) == f"{STS}:assumed-role/router-BedrockRole/botocore-session-90900"


def test_every_request_has_its_callers_account(two_days: AccountData):
    requests, principals = two_days.requests, two_days.principals
    pairs = {(int(caller), int(number)) for caller, number in zip(requests.caller, principals.number, strict=True)}
    for caller, number in pairs:
        assert f"::{requests.callers[caller].account_id}:" in principals.known[number].arn


def test_applications_by_the_default_rule(two_days: AccountData):
    found = {principal.application for principal in two_days.principals.known}
    assert {"assistant", "search", "support-chat", "router", "(unattributed)"} < found
    assert not any("Bedrock" in application for application in found)
