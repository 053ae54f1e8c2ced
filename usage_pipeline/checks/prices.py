"""Checks on prices: did every source of list prices answer, and is there one price at a time.

Not here: whether every request found its price (`reconciliation.py`).
"""

from usage_pipeline.checks.rules import Rule
from usage_pipeline.raw_tables import MODEL_PRICES

EVERY_PRICE_SOURCE_ANSWERED = Rule(
    name="every_price_source_answered",
    table=MODEL_PRICES.qualified_name,
    subject=("price_source",),
    severity="WARN",
    description=(
        "Every source of list prices that the configuration names answered when it was last asked. The prices that it "
        "gave before stay; a change since then is not known. A source that failed is asked again in the next run."
    ),
    # A source that failed is asked in each run, so an older failure is of a source that is no longer configured.
    contradictions="""
        select
            account_name as price_source,
            status,
            error_text,
            finished_at,
        from ops.source_status
        where source = 'model_prices'
        qualify
            finished_at = max(finished_at) over ()
            and status not in ('ok', 'empty')
        order by price_source
    """,
)

PRICES_HOLD_ONE_AT_A_TIME = Rule(
    name="prices_hold_one_at_a_time",
    table=MODEL_PRICES.qualified_name,
    subject=("model_id", "endpoint_type", "region", "service_tier", "context_band", "token_kind"),
    description=(
        "No two list prices of one model, endpoint type, Region, tier, context band and kind of token hold at the same "
        "moment. Two would make costs depend on chance."
    ),
    contradictions="""
        select
            model_id,
            endpoint_type,
            region,
            service_tier,
            context_band,
            token_kind,
            valid_from,
            valid_to,
            lead(valid_from) over same_key as next_valid_from,
        from raw.model_prices
        window same_key as (
            partition by model_id, endpoint_type, region, service_tier, context_band, token_kind
            order by valid_from
        )
        qualify lead(valid_from) over same_key < coalesce(valid_to, 'infinity'::timestamp)
        order by all
    """,
)

PRICE_RULES = (EVERY_PRICE_SOURCE_ANSWERED, PRICES_HOLD_ONE_AT_A_TIME)
