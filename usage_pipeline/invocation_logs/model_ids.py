"""One spelling for a model id: what the log has (id or ARN, as the caller passed it) to what CloudWatch's ModelId has.

Not here: which pool or profile an id belongs to (`dbt_like_sql/intermediate/`).
"""

_SHORTENED_KINDS = frozenset({"foundation-model", "inference-profile", "application-inference-profile"})
"""Kinds of ARN that CloudWatch replaces by their id; deployments, imported and provisioned models keep the ARN."""


def profile_id(logged_model_id: str) -> str:
    """CloudWatch's ModelId of a logged `modelId`: base id, prefixed id or application profile id, else the full ARN.

    A bare id is returned as it is. The partition does not matter.
    """
    parts = logged_model_id.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn" or parts[2] != "bedrock":
        return logged_model_id
    kind, slash, identifier = parts[5].partition("/")
    return identifier if kind in _SHORTENED_KINDS and slash and identifier else logged_model_id
