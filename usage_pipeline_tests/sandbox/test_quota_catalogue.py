from usage_pipeline.sandbox.organisation import Organisation
from usage_pipeline.sandbox.quota_catalogue import applied_values, pool_limits, quotas, quotas_in

PRODUCTION, RESEARCH = "111122223333", "444455556666"


def test_applied_value_wins_over_the_default():
    limits = pool_limits(f"{PRODUCTION}/us-east-1/geo/anthropic.claude-sonnet-4-5-20250929-v1:0")
    assert (limits.tpm_code, limits.tpm_limit) == ("L-F4DDD3EB", 250_000)
    assert quotas()["L-F4DDD3EB"].default_value == 5_000_000


def test_default_holds_where_nothing_is_applied():
    assert "L-59759B4A" not in applied_values(PRODUCTION, "us-east-1")
    limits = pool_limits(f"{PRODUCTION}/us-east-1/geo/anthropic.claude-sonnet-4-20250514-v1:0")
    assert (limits.tpm_code, limits.tpm_limit) == ("L-59759B4A", 200_000)
    assert (limits.rpm_code, limits.rpm_limit) == ("L-559DCC33", 200)


def test_zero_is_an_applied_value():
    assert applied_values(RESEARCH, "us-east-1")["L-34152C1D"] == 0


def test_daily_quota_is_doubled_for_geo_and_never_for_global():
    geo = pool_limits(f"{RESEARCH}/us-east-1/geo/anthropic.claude-opus-4-5-20251101-v1:0")
    assert (geo.tpd_code, geo.tpd_limit) == ("L-F397ECBF", 2 * 144_000_000)
    global_ = pool_limits(f"{PRODUCTION}/ap-northeast-1/global/anthropic.claude-haiku-4-5-20251001-v1:0")
    assert (global_.tpd_code, global_.tpd_limit) == ("L-B5C049AE", 5_760_000_000)


def test_some_models_have_no_requests_quota_and_one_has_no_quota_at_all():
    assert pool_limits(f"{PRODUCTION}/us-east-1/geo/anthropic.claude-opus-4-7").rpm_code is None
    assert pool_limits(f"{RESEARCH}/us-east-1/geo/writer.palmyra-x5-v1:0").tpm_code is None


def test_catalogue_has_the_neighbours_that_a_careless_mapper_confuses():
    names = {quota.name for quota in quotas_in("us-east-1")}
    assert len(names) > 200
    tpm = "Cross-region model inference tokens per minute for Anthropic Claude"
    assert {
        f"{tpm} Sonnet 4 V1",
        f"{tpm} Sonnet 4.5 V1",
        f"{tpm} Sonnet 4.5 V1 1M Context Length",
        f"{tpm} Sonnet 4.6",
        f"{tpm} 3.5 Haiku",
        f"{tpm} Haiku 4.5",
        "On-Demand, latency-optimized model inference tokens per minute for Amazon Nova Pro V1",
    } <= names


def test_every_pool_quota_names_the_pools_way_of_calling():
    starts = {"on_demand": "On-demand", "geo": "Cross-", "global": "Global cross-region"}
    for caller in Organisation().callers:
        limits, start = pool_limits(caller.pool_id), starts.get(caller.called.endpoint_type)
        if limits.tpm_code and start:
            assert quotas()[limits.tpm_code].name.startswith(start), caller.pool_id
