"""For every rule, one thing done to the healthy warehouse that the rule must find.

A rule without an entry fails the suite (`test_every_rule.py`). What a rule must tell apart is in the other tests.
"""

from usage_pipeline.checks.sources import READ_SOURCES
from usage_pipeline_tests.checks.expectation_faults import EXPECTATION_FAULTS
from usage_pipeline_tests.checks.healthy import GEO_POOL
from usage_pipeline_tests.marts.factory import NOVA

_DENIED = """
    update ops.source_status
    set status = 'denied', error_text = 'AccessDenied: no', covered_until = null, row_count = null
    where source = '{source}' and account_name = 'research' and partition_date = '2026-11-15'
"""

_OF_OBJECTS = """
    update ops.ingested_objects set {what}
    where source = '{source}' and region = 'eu-west-1' and folder_date = '2026-11-14'
"""

_OBJECT_RULES = {
    "invocations": ("every_log_object_is_whole", "no_record_was_quarantined"),
    "q_developer_prompts": ("every_prompt_log_is_whole", "no_prompt_was_quarantined"),
    "q_developer_activity": ("every_activity_report_is_whole", "no_activity_was_quarantined"),
}

FAULTS: dict[str, str] = {
    **{f"every_scope_answered_for_{source.name}": _DENIED.format(source=source.name) for source in READ_SOURCES},
    **{
        name: _OF_OBJECTS.format(what=what, source=source)
        for source, names in _OBJECT_RULES.items()
        for name, what in zip(names, ("is_complete = false", "quarantined_count = 1"), strict=True)
    },
    "q_developer_parts_add_up_to_their_totals": "delete from marts.q_developer_hourly where usage_date = '2026-11-14'",
    "prompt_logs_agree_with_activity": """
        update marts.q_developer_usage set chat_messages_sent = 40 where usage_date = '2026-11-14'
    """,
    "no_user_comes_close_to_a_monthly_limit": """
        update marts.q_developer_limits set used = 26, used_share = 26 / 30, projected = 55, status = 'warning'
        where account_id = '111122223333' and limit_name = 'dev_runs'
    """,
    "no_use_of_q_developer_stands_out": """
        insert into marts.q_developer_spikes by name
        select
            date '2026-11-14' as usage_date,
            '111122223333' as account_id,
            'production' as account_name,
            'q_developer' as product,
            'user' as subject_kind,
            'a-user' as user_id,
            100 as value,
            10.0::double as expected,
            10.0::double as score,
            7 as other_active_days,
    """,
    "no_conversation_fills_its_context_window": """
        insert into raw.q_developer_prompts by name
        select * replace ('a long one' as conversation_id, 200000 as input_tokens, 'another' as request_id)
        from raw.q_developer_prompts where account_id = '111122223333' and usage_date = '2026-11-15'
    """,
    "every_price_source_answered": """
        insert into ops.source_status by name
        select
            'aws_price_list' as account_name,
            'model_prices' as source,
            date '2026-11-15' as partition_date,
            'denied' as status,
            'GetProducts: AccessDeniedException: no. Allow pricing:GetProducts.' as error_text,
            timestamp '2026-11-15 10:30' as finished_at,
    """,
    "prices_hold_one_at_a_time": """
        insert into raw.model_prices by name
        select
            'amazon.nova-lite-v1:0' as model_id,
            'geo' as endpoint_type,
            '*' as region,
            'default' as service_tier,
            'standard' as context_band,
            'input' as token_kind,
            unnest([0.06, 0.07]) as usd_per_million,
            unnest([timestamp '2023-09-28', timestamp '2026-11-01']) as valid_from,
            unnest([timestamp '2026-11-02', null]) as valid_to,
            'a test' as source,
    """,
    "newest_day_is_read": """
        update ops.source_status set covered_until = '2026-11-15 09:29'
        where source = 'cloudwatch_metrics' and region = 'eu-west-1' and partition_date = '2026-11-15'
    """,
    "no_day_was_left_out": """
        delete from ops.source_status
        where source = 'cloudwatch_metrics' and region = 'eu-west-1' and partition_date = '2026-11-14'
    """,
    "every_mapped_quota_code_exists": """
        update raw.quota_mappings set quota_code = 'L-00000000' where quota_code = 'L-70423BF8'
    """,
    "every_quota_name_agrees_with_its_pool": """
        update raw.service_quotas
        set quota_name = 'Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1'
        where quota_code = 'L-F4DDD3EB'
    """,
    "no_quota_code_serves_two_models": """
        insert into raw.quota_mappings by name
        select * replace ('anthropic.claude-3-haiku-20240307-v1:0' as model_id)
        from raw.quota_mappings where quota_code = 'L-F4DDD3EB'
    """,
    "rules_and_model_agree": """
        insert into raw.llm_quota_mappings by name
        select
            account_id,
            region,
            model_id,
            endpoint_type,
            quota_kind,
            'hash' as candidate_hash,
            'L-8EA73537' as answered_code,
            'accepted' as status,
            'amazon.nova-pro-v1:0' as mapper_model_id,
        from raw.quota_mappings where quota_code = 'L-F4DDD3EB'
    """,
    "model_that_maps_quotas_answered": """
        insert into ops.source_status by name
        select
            '111122223333' as account_id,
            'production' as account_name,
            'us-east-1' as region,
            'llm_quota_mappings' as source,
            date '2026-11-15' as partition_date,
            'denied' as status,
            'Converse: AccessDeniedException: no. Allow bedrock:InvokeModel.' as error_text,
            timestamp '2026-11-15 10:30' as finished_at,
    """,
    "every_quota_override_holds_somewhere": """
        insert into raw.quota_overrides by name
        select 'amazon.nova-light-v1:0' as model_id, 'geo' as endpoint_type, 'tpm' as quota_kind
    """,
    "quota_values_are_positive_and_dated": """
        update raw.service_quotas set limit_value = -1 where quota_code = 'L-F4DDD3EB'
    """,
    "quota_values_are_unchanged": """
        insert into raw.service_quotas by name
        select * replace (100000 as limit_value, valid_from - interval 1 day as valid_from, valid_from as valid_to)
        from raw.service_quotas where quota_code = 'L-F4DDD3EB'
    """,
    "applied_quotas_are_not_below_default": """
        update raw.service_quotas set limit_source = 'applied', default_value = limit_value + 1
        where quota_code = 'L-F4DDD3EB'
    """,
    "every_pool_with_traffic_has_a_limit": f"""
        update marts.quota_pools set tpm_limit = null, rpm_limit = null where pool_id = '{GEO_POOL}'
    """,
    "every_model_id_resolves_to_one_pool": """
        update marts.usage_minutely set pool_id = null
        where profile_id = 'searchsearch' and usage_date = '2026-11-14'
    """,
    "metric_points_are_unique": """
        insert into raw.cloudwatch_metrics
        from raw.cloudwatch_metrics where region = 'eu-west-1' and ts = '2026-11-14 02:05'
    """,
    "periods_do_not_overlap": """
        update marts.usage_minutely set ts = '2026-11-14 06:55', resolution_seconds = 300
        where profile_id = 'searchsearch' and ts = '2026-11-14 02:05'
    """,
    "profiles_add_up_to_pools": """
        delete from marts.usage_minutely where profile_id = 'searchsearch' and ts = '2026-11-14 02:05'
    """,
    "model_ids_add_up_to_the_account": """
        delete from marts.usage_minutely where profile_id = 'searchsearch' and ts = '2026-11-14 02:05'
    """,
    "every_burndown_rate_is_known": f"""
        update marts.quota_pools set burndown_source = 'assumed' where pool_id = '{GEO_POOL}'
    """,
    "consumed_tokens_agree_with_aws": f"""
        update marts.quota_usage_minutely set aws_estimated_tokens = 3100
        where pool_id = '{GEO_POOL}' and ts = '2026-11-14 02:05'
    """,
    "every_throttled_minute_has_an_event": f"""
        delete from marts.throttle_events where pool_id = '{GEO_POOL}' and ts = '2026-11-14 02:05'
    """,
    "throttles_are_explained_by_quotas": f"""
        update marts.throttle_causes_daily set cause = 'not_explained'
        where pool_id = '{GEO_POOL}' and usage_date = '2026-11-14'
    """,
    "marts_add_up_to_raw": """
        delete from marts.usage_daily where profile_id = 'searchsearch' and usage_date = '2026-11-14'
    """,
    "every_bill_file_was_read": """
        insert into ops.source_status by name
        select
            'bill.files' as account_name,
            'bill' as source,
            date '2026-11-15' as partition_date,
            'failed' as status,
            'cur/*.csv.gz: no file fits; allowed: files of the export, with * for what differs.' as error_text,
            timestamp '2026-11-15 10:30' as finished_at,
    """,
    "billed_cost_is_attributed_whole": """
        update marts.billed_cost set billed_usd = billed_usd + 0.000000000001
        where token_kind = 'output' and usage_date = '2026-11-13'
    """,
    "computed_cost_agrees_with_the_bill": """
        update marts.usage_daily set input_cost_usd = input_cost_usd + 2
        where profile_id = 'searchsearch' and usage_date = '2026-11-13'
    """,
    "usage_adds_up_to_the_metrics": """
        update marts.usage_minutely set client_errors = client_errors + 1
        where profile_id = 'searchsearch' and ts = '2026-11-14 02:05'
    """,
    "months_add_up_to_their_days": """
        update marts.usage_monthly set cache_read_tokens = cache_read_tokens + 1 where profile_id = 'searchsearch'
    """,
    "cost_parts_add_up": """
        update marts.usage_daily set output_cost_usd = output_cost_usd + 0.000000000001
        where profile_id = 'searchsearch' and usage_date = '2026-11-14'
    """,
    "every_call_has_a_price": """
        update marts.usage_daily set unpriced_calls = 1, cost_usd = null
        where profile_id = 'searchsearch' and usage_date = '2026-11-14'
    """,
    "logs_hold_what_cloudwatch_counted": """
        update marts.data_completeness set ratio = 0.98, status = 'incomplete'
        where profile_id = 'searchsearch' and usage_date = '2026-11-14'
    """,
    "no_pool_stays_close_to_its_quota": f"""
        update marts.quota_usage_minutely
        set tpm_utilization = 0.9, tokens_per_minute = 180000, resolution_seconds = 300
        where pool_id = '{GEO_POOL}' and ts = '2026-11-14 02:05'
    """,
    "no_pool_is_throttled_too_often": f"""
        update marts.quota_usage_minutely set throttles = 11, invocations = 10000
        where pool_id = '{GEO_POOL}' and ts = '2026-11-14 02:05'
    """,
    "every_daily_quota_lasts_the_day": f"""
        update marts.quota_headroom set limit_value = peak * 2
        where pool_id = '{GEO_POOL}' and usage_date = '2026-11-15' and quota = 'tpd'
    """,
    "costs_stay_within_their_budgets": """
        update marts.usage_daily set cost_usd = 900 where profile_id = 'searchsearch' and usage_date = '2026-11-14'
    """,
    "no_model_in_use_ends_soon": f"""
        update marts.model_lifecycle set end_of_life_at = '2027-02-01' where model_id = '{NOVA}' and calls_30_days > 0
    """,
    "every_alert_was_delivered": """
        insert into ops.alert_deliveries by name
        select
            'chat' as channel,
            '0123456789abcdef' as finding_id,
            timestamp '2026-11-14 02:05' as opened_at,
            1 as notice_number,
            0 as reminder,
            'open' as notice,
            2 as attempts,
            timestamp '2026-11-14 02:06' as first_attempt_at,
            timestamp '2026-11-14 02:07' as last_attempt_at,
            'the service answered with HTTP status 500' as error,
    """,
    "forecasts_cover_what_came": f"""
        insert into marts.forecast_backtests by name
        select
            '{GEO_POOL}' as pool_id,
            'tpm' as quota,
            date '2026-11-14' as usage_date,
            date '2026-10-01' + number::integer as forecast_on,
            number < 11 as is_inside,
        from range(20) as forecasts (number)
    """,
    "there_is_no_unusual_spending": """
        insert into marts.anomalies by name
        select
            date '2026-11-13' as usage_date,
            'caller' as subject_kind,
            'nightly-batch' as subject,
            'cost_usd' as metric,
            120 as value,
            20 as expected,
            9.5 as score,
    """,
    **EXPECTATION_FAULTS,
}
"""SQL by rule name."""
