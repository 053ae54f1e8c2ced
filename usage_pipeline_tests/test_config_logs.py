import os
import re
from pathlib import Path

import pytest

from usage_pipeline.config import Settings, load_settings
from usage_pipeline.config_logs import ApplicationRule, LogPlaceSettings
from usage_pipeline.config_problems import ConfigurationError

ACCOUNT = "accounts:\n- name: a\n  regions: [us-east-1, eu-west-1]\n"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("USAGE_PIPELINE_"):
            monkeypatch.delenv(variable)


def load(folder: Path, text: str) -> Settings:
    path = folder / "usage_pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def problem_of(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)
    (problem,) = caught.value.problems
    return problem.replace(str(folder / "usage_pipeline.yaml"), "FILE")


# logs


def test_without_logs_aws_is_asked_in_every_region(tmp_path: Path) -> None:
    assert load(tmp_path, ACCOUNT).accounts[0].log_place("us-east-1") is None


def test_one_place_is_that_of_every_region(tmp_path: Path) -> None:
    account = load(tmp_path, ACCOUNT + "  logs: {bucket: central-logs, prefix: bedrock/eu}\n").accounts[0]

    place = LogPlaceSettings(bucket="central-logs", prefix="bedrock/eu")
    assert [account.log_place(region) for region in ("us-east-1", "eu-west-1")] == [place, place]


@pytest.mark.parametrize("word", ["off", "'off'", "false", "no"])
def test_off_is_a_word_however_yaml_reads_it(tmp_path: Path, word: str) -> None:
    assert load(tmp_path, ACCOUNT + f"  logs: {word}\n").accounts[0].log_place("us-east-1") == "off"


def test_a_region_can_have_a_place_of_its_own_and_the_others_are_asked(tmp_path: Path) -> None:
    text = "accounts:\n- name: a\n  logs:\n    us-east-1: {log_group: /bedrock/calls}\n    eu-west-1: off\n"
    account = load(tmp_path, text).accounts[0]

    assert account.log_place("us-east-1") == LogPlaceSettings(log_group="/bedrock/calls")
    assert account.log_place("eu-west-1") == "off"
    assert account.log_place("us-west-2") is None


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ("on", "FILE, line 4: accounts[0].logs: read True; allowed: off, a bucket (with its prefix), or a log_group."),
        (
            "s3",
            "FILE, line 4: accounts[0].logs: read 's3'; allowed: off, a bucket (with its prefix), or a log_group.",
        ),
        (
            "{buckett: my-logs}",
            "FILE, line 4: there is no setting 'buckett'; did you mean 'bucket'? Allowed here: bucket, prefix, "
            "log_group.",
        ),
        (
            "{us-east-1: {buckett: my-logs}}",
            "FILE, line 4: there is no setting 'buckett'; did you mean 'bucket'? Allowed here: bucket, prefix, "
            "log_group.",
        ),
        (
            "{prefix: bedrock}",
            "FILE, line 4: accounts[0].logs: read neither bucket nor log_group; allowed: one of them.",
        ),
        (
            "{bucket: my-logs, log_group: calls}",
            "FILE, line 4: accounts[0].logs: read both bucket and log_group; allowed: one of them.",
        ),
        (
            "{log_group: calls, prefix: x}",
            "FILE, line 4: accounts[0].logs: prefix is set without bucket; allowed: a prefix of a bucket's keys.",
        ),
        (
            "{bucket: 's3://my-logs/bedrock'}",
            "FILE, line 4: accounts[0].logs.bucket: read 's3://my-logs/bedrock', which is no bucket name; allowed: the "
            "name alone, such as my-bedrock-logs, and what comes before AWSLogs in the keys as prefix.",
        ),
        (
            "{bucket: my-logs, prefix: bedrock/AWSLogs/111122223333}",
            "FILE, line 4: accounts[0].logs.prefix: read 'bedrock/AWSLogs/111122223333'; allowed: the part of the keys "
            "before AWSLogs.",
        ),
        (
            "{log_group: 'my logs'}",
            "FILE, line 4: accounts[0].logs.log_group: read 'my logs', which is no log group; allowed: a name such as "
            "/bedrock/invocations.",
        ),
        (
            "{us-west-2: off}",
            "FILE, line 4: accounts[0].logs: names us-west-2; allowed: Regions of the account: us-east-1, eu-west-1.",
        ),
        (
            "{us-east-1: on, eu-west-1: off}",
            "FILE, line 4: accounts[0].logs.us-east-1: read True; allowed: off, a bucket (with its prefix), or a "
            "log_group.",
        ),
    ],
)
def test_a_wrong_place_is_told_with_what_is_allowed(tmp_path: Path, logs: str, expected: str) -> None:
    assert problem_of(tmp_path, ACCOUNT + f"  logs: {logs}\n") == expected


# applications


def test_by_default_the_role_names_the_application(tmp_path: Path) -> None:
    assert load(tmp_path, ACCOUNT).applications == (
        ApplicationRule(subject="role", key=None, pattern="{application}-BedrockRole", application=None),
    )


def test_no_rule_at_all_is_allowed(tmp_path: Path) -> None:
    assert load(tmp_path, ACCOUNT + "applications: []\n").applications == ()


@pytest.mark.parametrize(
    ("rule", "expression"),
    [
        ("{subject: role, pattern: '{application}-BedrockRole'}", "(.+)-BedrockRole"),
        ("{subject: metadata, key: application}", "(.+)"),
        ("{subject: tag, key: app, pattern: 'team/(?:eu|us)/{application}'}", "team/(?:eu|us)/(.+)"),
        ("{subject: session, pattern: '(?P<application>[a-z]+)-\\d+'}", "(?P<application>[a-z]+)-\\d+"),
        ("{subject: user, pattern: alice|bob, application: research}", "alice|bob"),
    ],
)
def test_a_rule_becomes_a_regular_expression_over_the_whole_text(tmp_path: Path, rule: str, expression: str) -> None:
    (read,) = load(tmp_path, ACCOUNT + f"applications:\n- {rule}\n").applications

    assert read.expression == expression
    assert re.compile(read.expression).groups == (0 if read.application else 1)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "{subject: agent}",
            "FILE, line 5: applications[0].subject: read 'agent'; allowed: 'role', 'user', 'session', 'metadata' or "
            "'tag'.",
        ),
        ("{key: team}", "FILE, line 5: applications[0].subject is missing; it is required."),
        (
            "{subject: role, patern: x}",
            "FILE, line 5: there is no setting 'patern'; did you mean 'pattern'? Allowed here: subject, key, pattern, "
            "application.",
        ),
        (
            "{subject: metadata}",
            "FILE, line 5: applications[0].key: is missing; a rule about metadata needs the key whose value is looked "
            "at.",
        ),
        (
            "{subject: role, key: team}",
            "FILE, line 5: applications[0].key: read 'team'; allowed: a key only with subject metadata or tag.",
        ),
        (
            "{subject: role, pattern: '(app'}",
            "FILE, line 5: applications[0].pattern: read '(app', which is no regular expression (RE2): missing ), "
            "unterminated subpattern at position 0.",
        ),
        (
            "{subject: role, pattern: '(?=a)(.+)'}",
            "FILE, line 5: applications[0].pattern: read '(?=a)(.+)', which is no regular expression (RE2): invalid "
            "perl operator: (?=.",
        ),
        (
            "{subject: role, pattern: '{app}-Role'}",
            "FILE, line 5: applications[0].pattern: read '{app}-Role' with {app}; allowed in braces: {application}.",
        ),
        (
            "{subject: role, pattern: '(dev|prod)-{application}'}",
            "FILE, line 5: applications[0].pattern: read '(dev|prod)-{application}' with more than one group; allowed: "
            "one, which is the name; write the others (?:…).",
        ),
        (
            "{subject: role, pattern: 'Bedrock.*'}",
            "FILE, line 5: applications[0].application: is missing, and the pattern 'Bedrock.*' gives no name; "
            "allowed: {application} in the pattern, or the name as application.",
        ),
        (
            "{subject: role, application: x}",
            "FILE, line 5: applications[0].application: read 'x', but the pattern '{application}' gives the name; "
            "allowed: one of both.",
        ),
    ],
)
def test_a_wrong_rule_is_told_with_what_is_allowed(tmp_path: Path, rule: str, expected: str) -> None:
    assert problem_of(tmp_path, ACCOUNT + f"applications:\n- {rule}\n") == expected


def test_a_variable_gives_rules_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_PIPELINE_APPLICATIONS", '[{"subject": "metadata", "key": "app"}]')

    assert load(tmp_path, ACCOUNT).applications == (ApplicationRule(subject="metadata", key="app"),)


def test_a_variable_that_is_no_json_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_PIPELINE_APPLICATIONS", "role")

    assert problem_of(tmp_path, ACCOUNT) == (
        "environment variable USAGE_PIPELINE_APPLICATIONS: read 'role'; allowed: JSON such as "
        '[{"subject": "metadata", "key": "application"}].'
    )
