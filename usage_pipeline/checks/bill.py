"""Checks on AWS's bill: was it read, is all of it divided, does it agree with computed costs.

Without a bill there is nothing to contradict them. Not here: whether costs have a price (`costs.py`).
"""

from usage_pipeline.checks.rules import Rule

EVERY_BILL_FILE_WAS_READ = Rule(
    name="every_bill_file_was_read",
    table="raw.bill",
    subject=("setting",),
    description=(
        "The files that bill.files of the configuration names could be read when they were last tried. The months that "
        "were stored before stay as they were; the next run tries again."
    ),
    contradictions="""
        select
            account_name as setting,
            status,
            error_text,
            finished_at,
        from ops.source_status
        where source = 'bill'
        qualify
            finished_at = max(finished_at) over ()
            and status not in ('ok', 'empty')
        order by setting
    """,
)

BILLED_COST_IS_ATTRIBUTED_WHOLE = Rule(
    name="billed_cost_is_attributed_whole",
    table="marts.billed_cost",
    subject=("usage_date",),
    description=(
        "The parts into which each line of AWS's bill was divided add up to the line, to the last digit. This is a "
        "fault in the pipeline: do not use billed costs of these days; please report it."
    ),
    contradictions="""
        with divided as (
            select
                usage_date,
                line_number,
                sum(billed_usd) as divided_usd,
            from marts.billed_cost
            group by usage_date, line_number
        )

        select
            coalesce(bill.usage_date, divided.usage_date) as usage_date,
            coalesce(bill.line_number, divided.line_number) as line_number,
            bill.account_id,
            bill.region,
            bill.product_name,
            bill.usage_type,
            bill.resource_id,
            bill.line_type,
            bill.billed_usd,
            divided.divided_usd,
        from staging.stg_bill as bill
        full join divided using (usage_date, line_number)
        where bill.billed_usd is distinct from divided.divided_usd
        order by all
    """,
)

COMPUTED_COST_AGREES_WITH_THE_BILL = Rule(
    name="computed_cost_agrees_with_the_bill",
    table="marts.bill_reconciliation",
    subject=("account_id", "region", "model_id"),
    severity="WARN",
    description=(
        "On each of the 62 newest days that are two days old, the computed cost of a model is within 5 % of what AWS "
        "billed for it, in every account and Region that logged calls that day, where either is above 1 US dollar. "
        "Computed too high: enter your discount into price_overrides.csv. Too low: calls are not in the logs, or have "
        "no price."
    ),
    contradictions="""
        with newest as (
            select max(usage_date) as usage_date
            from marts.usage_daily
        )

        select
            bill_reconciliation.usage_date,
            bill_reconciliation.account_id,
            bill_reconciliation.account_name,
            bill_reconciliation.region,
            bill_reconciliation.model_id,
            sum(computed_usd) as computed_usd,
            sum(billed_usd) as billed_usd,
            round(100 * (sum(computed_usd) / nullif(sum(billed_usd), 0) - 1), 1) as percent_above_the_bill,
            sum(unpriced_calls)::bigint as unpriced_calls,
        from marts.bill_reconciliation
        inner join newest
            on
                bill_reconciliation.usage_date + 2 <= newest.usage_date
                and bill_reconciliation.usage_date + 64 > newest.usage_date
        semi join marts.usage_daily
            on
                bill_reconciliation.usage_date = usage_daily.usage_date
                and bill_reconciliation.account_id = usage_daily.account_id
                and bill_reconciliation.region = usage_daily.region
        where bill_reconciliation.model_id is not null
        group by all
        having
            greatest(coalesce(sum(computed_usd), 0), coalesce(sum(billed_usd), 0)) > 1
            and abs(coalesce(sum(computed_usd), 0) - coalesce(sum(billed_usd), 0))
                > 0.05 * abs(coalesce(sum(billed_usd), 0))
        order by usage_date desc, billed_usd desc nulls last, account_id, region, model_id
    """,
)

BILL_RULES = (EVERY_BILL_FILE_WAS_READ, BILLED_COST_IS_ATTRIBUTED_WHOLE, COMPUTED_COST_AGREES_WITH_THE_BILL)
