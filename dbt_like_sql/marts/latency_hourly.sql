-- One row per pool, profile and hour with use: calls, average latency weighted by calls, and CloudWatch's percentiles.
--
-- Percentiles are over single requests of one profile; they cannot be combined over profiles or hours.
-- `latency_ms` runs from the request to the last token; `ttft_ms`, to the first token, exists for streaming calls only.
with hours as (
    select
        pool_id,
        account_id,
        account_name,
        region,
        usage_date,
        date_trunc('hour', ts) as ts,
        profile_id,
        profile_name,
        sum(invocations)::bigint as invocations,
        sum(latency_ms_sum)::double / nullif(sum(latency_samples), 0) as latency_ms_avg,
        sum(latency_samples)::bigint as latency_samples,
        sum(ttft_ms_sum)::double / nullif(sum(ttft_samples), 0) as ttft_ms_avg,
        sum(ttft_samples)::bigint as ttft_samples,
    from marts.usage_minutely
    where usage_date between $start_date and $end_date
    group by all
)

select
    hours.pool_id,
    hours.account_id,
    hours.account_name,
    hours.region,
    hours.usage_date,
    hours.ts,
    hours.profile_id,
    hours.profile_name,
    hours.invocations,
    hours.latency_ms_avg,
    percentiles.latency_ms_p50,
    percentiles.latency_ms_p90,
    percentiles.latency_ms_p99,
    hours.latency_samples,
    hours.ttft_ms_avg,
    percentiles.ttft_ms_p50,
    percentiles.ttft_ms_p90,
    percentiles.ttft_ms_p99,
    hours.ttft_samples,
    percentiles.input_tokens_p50,
    percentiles.input_tokens_p90,
    percentiles.input_tokens_p99,
    percentiles.output_tokens_p50,
    percentiles.output_tokens_p90,
    percentiles.output_tokens_p99,
from hours
left join staging.stg_cloudwatch_percentiles as percentiles
    using (usage_date, account_id, region, profile_id, ts)
