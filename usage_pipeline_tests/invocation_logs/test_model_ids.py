import pytest

from usage_pipeline.invocation_logs.model_ids import profile_id

BASE = "amazon.nova-lite-v1:0"
GEO = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        # Ids stay as they are.
        (BASE, BASE),
        ("anthropic.claude-3-sonnet-20240229-v1:0:200k", "anthropic.claude-3-sonnet-20240229-v1:0:200k"),
        ("moonshotai.kimi-k2.5", "moonshotai.kimi-k2.5"),
        (GEO, GEO),
        ("global.anthropic.claude-opus-4-7", "global.anthropic.claude-opus-4-7"),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("abc123def456", "abc123def456"),
        # ARNs of models and profiles become the id.
        (f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}", BASE),
        (f"arn:aws:bedrock:::foundation-model/{BASE}", BASE),
        (f"arn:aws:bedrock:us-east-1:111122223333:inference-profile/{GEO}", GEO),
        ("arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456", "abc123def456"),
        ("arn:aws:bedrock:us-east-1:111122223333:inference-profile/my-team-profile", "my-team-profile"),
        # In every partition.
        (f"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/{BASE}", BASE),
        (f"arn:aws-cn:bedrock:cn-north-1::foundation-model/{BASE}", BASE),
        (
            "arn:aws-us-gov:bedrock:us-gov-west-1:111122223333:application-inference-profile/abc123def456",
            "abc123def456",
        ),
        (f"arn:aws-iso:bedrock:us-iso-east-1:111122223333:inference-profile/{GEO}", GEO),
        (f"arn:aws-iso-b:bedrock:us-isob-east-1:111122223333:inference-profile/{GEO}", GEO),
        # What CloudWatch names by ARN keeps it.
        *[
            (arn, arn)
            for partition in ("aws", "aws-us-gov", "aws-cn", "aws-iso", "aws-iso-b")
            for arn in (
                f"arn:{partition}:bedrock:us-east-1:111122223333:provisioned-model/abc123def456",
                f"arn:{partition}:bedrock:us-east-1:111122223333:custom-model-deployment/abc123def456",
                f"arn:{partition}:bedrock:us-east-1:111122223333:imported-model/abc123def456",
                f"arn:{partition}:bedrock:us-east-1:111122223333:custom-model/{BASE}/abc123def456",
                f"arn:{partition}:bedrock:us-east-1:111122223333:default-prompt-router/anthropic.claude:1",
                f"arn:{partition}:bedrock:us-east-1:111122223333:prompt-router/abc123def456",
                f"arn:{partition}:bedrock:us-east-1:111122223333:prompt/ABCDEF1234:2",
                f"arn:{partition}:sagemaker:us-east-1:111122223333:endpoint/my-endpoint",
            )
        ],
        # Nothing that looks like an ARN but is none loses a part.
        ("arn:aws:bedrock:us-east-1::foundation-model/", "arn:aws:bedrock:us-east-1::foundation-model/"),
        ("arn:aws:bedrock:us-east-1::foundation-model", "arn:aws:bedrock:us-east-1::foundation-model"),
        ("arn:aws:bedrock", "arn:aws:bedrock"),
        ("", ""),
    ],
)
def test_a_model_id_is_spelled_as_cloudwatch_spells_it(logged: str, expected: str) -> None:
    assert profile_id(logged) == expected
