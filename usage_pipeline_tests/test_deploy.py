"""The files of `deploy/` say what the program needs."""

import json
from pathlib import Path

from usage_pipeline.aws.errors import IAM_ACTIONS

IAM = Path(__file__).parent.parent / "deploy" / "iam"


def test_the_reader_policies_allow_exactly_the_calls_of_the_ingest() -> None:
    files = [path for path in IAM.glob("usage-pipeline-reader*.json") if not path.stem.endswith("-trust")]
    statements = [
        statement for path in files for statement in json.loads(path.read_text(encoding="utf-8"))["Statement"]
    ]
    allowed = {action for statement in statements for action in statement["Action"]}
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    # AssumeRole belongs to the identity that runs the pipeline, not to the role that it assumes.
    assert allowed == {action for action in IAM_ACTIONS.values() if not action.startswith("sts:")}


def test_objects_of_q_developer_and_kiro_may_be_read_and_no_others() -> None:
    policy = json.loads((IAM / "usage-pipeline-reader-q-developer.json").read_text(encoding="utf-8"))
    listing, reading = policy["Statement"]
    folders = ["*AWSLogs/*/QDeveloperLogs/*", "*AWSLogs/*/KiroLogs/*"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": folders}}
    assert reading["Resource"] == [f"arn:aws:s3:::{folder}" for folder in folders]


def test_the_policy_of_alerts_allows_one_topic_to_be_sent_to() -> None:
    policy = json.loads((IAM / "usage-pipeline-alerts.json").read_text(encoding="utf-8"))
    (statement,) = policy["Statement"]
    assert statement["Action"] == ["sns:Publish"]
    assert statement["Resource"] == "arn:aws:sns:*:*:bedrock-alerts"


def test_the_trust_policy_asks_for_an_external_id() -> None:
    policy = json.loads((IAM / "usage-pipeline-reader-trust.json").read_text(encoding="utf-8"))
    (statement,) = policy["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert list(statement["Condition"]["StringEquals"]) == ["sts:ExternalId"]
