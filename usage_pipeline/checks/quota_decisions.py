"""Checks on what people and a language model say about quota codes: it agrees with rules, it came, it holds somewhere.

Not here: whether a mapping, whoever made it, is right (`quota_mappings.py`).
"""

from usage_pipeline.checks.rules import CONFIGURED_SCOPES, Rule
from usage_pipeline.raw_tables import LLM_QUOTA_MAPPINGS, QUOTA_OVERRIDES

RULES_AND_MODEL_AGREE = Rule(
    name="rules_and_model_agree",
    table=LLM_QUOTA_MAPPINGS.qualified_name,
    severity="WARN",
    subject=("account_id", "region", "model_id", "endpoint_type", "quota_kind"),
    description=(
        "No answer of the language model about an open quota is contradicted by a rule or by the quota's own name. The "
        "rule counts. Look at both codes in the Service Quotas console; if the model is right, write the code into the "
        "file of quota_mapping.overrides_file."
    ),
    contradictions=f"""
        select
            account_id,
            region,
            model_id,
            endpoint_type,
            quota_kind,
            answers.answered_code,
            mappings.quota_code as mapped_code,
            if(
                answers.refused_for = 'rule',
                answers.reason,
                'A rule maps it to ' || mappings.quota_code || ' now.'
            ) as reason,
            answers.mapper_model_id,
        from raw.llm_quota_mappings as answers
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        left join raw.quota_mappings as mappings
            using (account_id, region, model_id, endpoint_type, quota_kind)
        where
            answers.answered_code is distinct from mappings.quota_code
            and mappings.method is distinct from 'override'
            and (
                answers.refused_for = 'rule'
                or (mappings.method = 'rule' and answers.status = 'accepted' and answers.answered_code <> 'none')
            )
        order by account_id, region, model_id, endpoint_type, quota_kind
    """,
)

MODEL_THAT_MAPS_QUOTAS_ANSWERED = Rule(
    name="model_that_maps_quotas_answered",
    table=LLM_QUOTA_MAPPINGS.qualified_name,
    severity="WARN",
    subject=("account_name",),
    description=(
        "The language model that is configured to map quotas answered when it was last asked. Mappings that it made "
        "before stay; what is open stays open and is asked again in the next daily run."
    ),
    contradictions="""
        select
            account_name,
            account_id,
            region,
            status,
            error_text,
        from ops.source_status
        where source = 'llm_quota_mappings'
        qualify finished_at = max(finished_at) over () and status not in ('ok', 'empty')
    """,
)

EVERY_OVERRIDE_HOLDS_SOMEWHERE = Rule(
    name="every_quota_override_holds_somewhere",
    table=QUOTA_OVERRIDES.qualified_name,
    severity="WARN",
    subject=("model_id", "endpoint_type", "quota_kind"),
    description=(
        "Every row of the file of quota overrides is about an account and Region that are read, and about a model that "
        "AWS offers or that was used there. One that is not decides nothing: look for a misspelt id."
    ),
    contradictions=f"""
        with known_models as (
            select model_id from raw.foundation_models
            union
            select model_id from raw.quota_mappings where method <> 'override'
        ),

        held as (
            select
                overrides.*,
                exists (
                    from {CONFIGURED_SCOPES} as scopes
                    where
                        coalesce(overrides.account_id, scopes.account_id) = scopes.account_id
                        and coalesce(overrides.region, scopes.region) = scopes.region
                ) as is_in_a_scope,
                overrides.model_id in (from known_models) as is_of_a_model,
            from raw.quota_overrides as overrides
        )

        select
            model_id,
            endpoint_type,
            quota_kind,
            quota_code,
            account_id,
            region,
            if(is_in_a_scope, 'No model has this id.', 'The configuration reads no such account and Region.') as reason,
        from held
        where not (is_in_a_scope and is_of_a_model)
        order by all
    """,
)

QUOTA_DECISION_RULES = (RULES_AND_MODEL_AGREE, MODEL_THAT_MAPS_QUOTAS_ANSWERED, EVERY_OVERRIDE_HOLDS_SOMEWHERE)
