-- One row per line of AWS's bill for Bedrock, numbered within its day.
--
-- `line_number` follows from the line's own words, so it is the same whenever the day is made anew. `profile_id` is the
-- application inference profile whose use it is, where AWS names one. `is_compared` are lines that computed costs are
-- held against: use, and discounts on it; not taxes, credits, refunds and fees.
select
    billing_month,
    usage_date,
    row_number() over (
        partition by usage_date
        order by
            billing_month,
            payer_account_id,
            account_id,
            region,
            product_code,
            product_name,
            usage_type,
            resource_id,
            line_type,
            unit
    ) as line_number,
    payer_account_id,
    account_id,
    region,
    product_code,
    product_name,
    usage_type,
    resource_id,
    nullif(regexp_extract(resource_id, ':application-inference-profile/(.+)$', 1), '') as profile_id,
    line_type,
    line_type in ('Usage', 'DiscountedUsage') or line_type like '%Discount' as is_compared,
    unit,
    usage_amount,
    billed_usd,
from raw.bill
