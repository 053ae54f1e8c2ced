from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.quota_mappings import (
    EVERY_MAPPED_CODE_EXISTS,
    EVERY_MODEL_ID_RESOLVES_TO_ONE_POOL,
    EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT,
    EVERY_QUOTA_NAME_AGREES,
    NO_CODE_SERVES_TWO_MODELS,
)
from usage_pipeline.checks.rules import Rule, evaluate
from usage_pipeline_tests.checks.healthy import GEO_POOL, NOVA_POOL
from usage_pipeline_tests.marts.factory import NOVA, SONNET, Store, arns, at

TPM_OF_SONNET = "L-F4DDD3EB"


def found(con: duckdb.DuckDBPyConnection, rule: Rule, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(example[column] for column in columns) for example in evaluate(con, rule).examples]


# every_mapped_quota_code_exists


def test_a_code_must_be_in_the_newest_catalogue_of_its_own_scope(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        f"""
        update raw.service_quotas set valid_to = '2026-11-16' where quota_code = '{TPM_OF_SONNET}';
        insert into raw.service_quotas (valid_from, account_id, region, quota_code, quota_name) values
            ('2026-11-16', '444455556666', 'eu-west-1', '{TPM_OF_SONNET}', 'of another account')
        """
    )

    assert found(con, EVERY_MAPPED_CODE_EXISTS, "account_id", "region", "model_id", "quota_kind", "quota_code") == [
        ("111122223333", "us-east-1", SONNET, "tpm", TPM_OF_SONNET)
    ]


def test_a_code_of_which_aws_says_something_else_now_is_still_in_the_catalogue(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        f"""
        insert into raw.service_quotas by name
        select * replace ('2026-11-01'::timestamp as valid_from, '2026-11-14'::timestamp as valid_to, 1 as limit_value)
        from raw.service_quotas where quota_code = '{TPM_OF_SONNET}'
        """
    )

    assert evaluate(con, EVERY_MAPPED_CODE_EXISTS).passed


# every_quota_name_agrees_with_its_pool


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1", "version"),
        ("Cross-region model inference tokens per minute for Anthropic Claude Haiku 4.5 V1", "family"),
        ("Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1", "global"),
        ("Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1", "rpm"),
        ("Number of batch inference jobs", "is not the inference quota of one model"),
    ],
)
def test_a_name_of_another_model_endpoint_or_metric_is_named_with_the_difference(
    con: duckdb.DuckDBPyConnection, name: str, words: str
) -> None:
    con.execute("update raw.service_quotas set quota_name = ? where quota_code = ?", [name, TPM_OF_SONNET])

    ((model_id, endpoint_type, quota_kind, quota_name, disagreement),) = found(
        con, EVERY_QUOTA_NAME_AGREES, "model_id", "endpoint_type", "quota_kind", "quota_name", "disagreement"
    )

    assert (model_id, endpoint_type, quota_kind, quota_name) == (SONNET, "geo", "tpm", name)
    assert words in disagreement


def test_a_wrong_mapping_is_found_whoever_made_it(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "update raw.quota_mappings set model_id = ?, method = 'override' where quota_code = ?", [NOVA, TPM_OF_SONNET]
    )

    assert found(con, EVERY_QUOTA_NAME_AGREES, "model_id", "quota_code") == [(NOVA, TPM_OF_SONNET)]


@pytest.mark.parametrize(
    ("method", "label", "passes"),
    [
        ("rule", "Claude Sonnet", False),
        ("llm", "Claude Sonnet", True),
        ("override", "Claude Sonnet", True),
        ("llm", "Claude Sonnet 4.6", False),
        ("override", "Claude Sonnet 4.6", False),
        ("llm", "Claude Sonnet 1M Context Length", False),
    ],
)
def test_of_what_people_and_models_map_a_name_may_leave_out_but_not_contradict(
    con: duckdb.DuckDBPyConnection, method: str, label: str, passes: bool
) -> None:
    name = f"Cross-region model inference tokens per minute for Anthropic {label}"
    con.execute("update raw.service_quotas set quota_name = ? where quota_code = ?", [name, TPM_OF_SONNET])
    con.execute("update raw.quota_mappings set method = ? where quota_code = ?", [method, TPM_OF_SONNET])

    assert evaluate(con, EVERY_QUOTA_NAME_AGREES).passed is passes


# no_quota_code_serves_two_models


def use_code_for(con: duckdb.DuckDBPyConnection, model_id: str) -> None:
    con.execute(
        """
        insert into raw.quota_mappings by name
        select * replace (? as model_id) from raw.quota_mappings where quota_code = ?
        """,
        [model_id, TPM_OF_SONNET],
    )


def test_a_code_of_two_models_is_named_with_both(con: duckdb.DuckDBPyConnection) -> None:
    use_code_for(con, "anthropic.claude-sonnet-4-20250514-v1:0")

    assert found(con, NO_CODE_SERVES_TWO_MODELS, "account_id", "region", "quota_code", "models") == [
        ("111122223333", "us-east-1", TPM_OF_SONNET, f"anthropic.claude-sonnet-4-20250514-v1:0, {SONNET}")
    ]


def test_one_code_may_serve_one_model_in_two_scopes_and_two_kinds_of_endpoint(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into raw.quota_mappings by name
        select * replace ('custom_deployment' as endpoint_type) from raw.quota_mappings where quota_code = ?
        """,
        [TPM_OF_SONNET],
    )

    assert evaluate(con, NO_CODE_SERVES_TWO_MODELS).passed


def test_models_that_aws_limits_together_may_share_a_code(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into raw.service_quotas (valid_from, account_id, region, quota_code, quota_name) values (
            '2026-11-15', '111122223333', 'us-east-1', 'L-74B5B793',
            'On-demand model inference tokens per minute for Amazon Titan Text Embeddings'
        );
        insert into raw.quota_mappings (account_id, region, model_id, endpoint_type, quota_kind, quota_code, status)
        select '111122223333', 'us-east-1', unnest(['amazon.titan-embed-text-v1', 'amazon.titan-embed-g1-text-02']),
            'on_demand', 'tpm', 'L-74B5B793', 'mapped'
        """
    )

    assert evaluate(con, NO_CODE_SERVES_TWO_MODELS).passed


# every_pool_with_traffic_has_a_limit


def without_limits(con: duckdb.DuckDBPyConnection, pool_id: str, **changes: str) -> None:
    changed = "".join(f", {column} = '{value}'" for column, value in changes.items())
    con.execute(
        f"update marts.quota_pools set tpm_limit = null, rpm_limit = null{changed} where pool_id = ?", [pool_id]
    )


def test_a_pool_without_a_limit_is_named_with_what_the_catalogue_offers(con: duckdb.DuckDBPyConnection) -> None:
    without_limits(con, NOVA_POOL, mapping_status="unmapped")
    con.execute("update raw.quota_mappings set reason = quota_kind || ' is missing.' where region = 'eu-west-1'")

    assert evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT).examples == [
        {
            "pool_id": NOVA_POOL,
            "mapping_status": "unmapped",
            "reason": "rpm is missing. tpm is missing.",
            "severity": "ERROR",
        }
    ]


def test_one_of_the_two_limits_is_enough(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.quota_pools set rpm_limit = null where pool_id = ?", [GEO_POOL])

    assert evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT).passed


def test_a_limit_of_zero_is_a_limit(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.quota_pools set tpm_limit = 0, rpm_limit = null where pool_id = ?", [GEO_POOL])

    assert evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT).passed


def test_a_pool_that_was_only_throttled_needs_a_limit_too(con: duckdb.DuckDBPyConnection) -> None:
    without_limits(con, NOVA_POOL)
    con.execute("update marts.quota_usage_minutely set invocations = 0, throttles = 9 where pool_id = ?", [NOVA_POOL])

    assert found(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT, "pool_id") == [(NOVA_POOL,)]


def test_a_pool_that_was_not_used_for_thirty_days_needs_no_limit(con: duckdb.DuckDBPyConnection) -> None:
    without_limits(con, NOVA_POOL)
    con.execute(
        "update marts.quota_usage_minutely set usage_date = usage_date - 30 where pool_id = ?",
        [NOVA_POOL],
    )
    assert evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT).passed

    con.execute(
        "update marts.quota_usage_minutely set usage_date = usage_date + 1 where pool_id = ?",
        [NOVA_POOL],
    )
    assert not evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT).passed


def test_a_pool_of_a_scope_that_is_no_longer_read_needs_no_limit(con: duckdb.DuckDBPyConnection) -> None:
    without_limits(con, NOVA_POOL)
    con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")

    assert evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT).passed


@pytest.mark.parametrize("endpoint_type", ["imported", "provisioned"])
def test_a_pool_for_which_aws_has_no_such_quota_is_a_warning(
    con: duckdb.DuckDBPyConnection, endpoint_type: str
) -> None:
    without_limits(con, NOVA_POOL, endpoint_type=endpoint_type)
    assert evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT).severity == "WARN"

    without_limits(con, GEO_POOL)
    result = evaluate(con, EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT)
    assert (result.severity, result.failing_rows) == ("ERROR", 2)


# every_model_id_resolves_to_one_pool


def resolved_store(*model_arns: str) -> Store:
    """An application profile in use, made from these models, beside two geographies of one model."""
    store = Store()
    store.model(SONNET, on_demand=False)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.system_profile(f"global.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("searchsearch", list(model_arns), profile_name="search")
    store.usage("searchsearch", at("14T10:00"), invocations=3, throttles=1)
    store.covered(at("14T00:00").date())
    store.build()
    return store


def test_an_ambiguous_profile_is_named_with_its_candidates() -> None:
    con = resolved_store(*arns(SONNET, "us-east-1", "us-west-2")).con

    assert evaluate(con, EVERY_MODEL_ID_RESOLVES_TO_ONE_POOL).examples == [
        {
            "account_id": "111122223333",
            "region": "us-east-1",
            "profile_id": "searchsearch",
            "profile_name": "search",
            "reason": (f"Its model ARNs fit profiles of different pools: global.{SONNET}, us.{SONNET}."),
            "candidates": f"global.{SONNET}, us.{SONNET}",
            "invocations": 3,
            "throttles": 1,
        }
    ]


def test_a_profile_that_fits_nothing_is_named_with_the_reason() -> None:
    con = resolved_store(*arns(SONNET, "ap-south-1", "ap-south-2")).con

    ((profile_id, candidates, reason),) = found(
        con, EVERY_MODEL_ID_RESOLVES_TO_ONE_POOL, "profile_id", "candidates", "reason"
    )
    assert (profile_id, candidates) == ("searchsearch", "")
    assert reason.startswith("No base model or system profile of this Region has its model ARNs: ")


def test_an_unresolved_id_that_was_not_used_for_thirty_days_no_longer_counts(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        update marts.usage_minutely set pool_id = null, usage_date = '2026-10-16'
        where profile_id = 'searchsearch' and usage_date = '2026-11-14'
        """
    )

    assert evaluate(con, EVERY_MODEL_ID_RESOLVES_TO_ONE_POOL).passed


def test_an_unresolved_id_of_a_scope_that_is_no_longer_read_does_not_count(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.usage_minutely set pool_id = null where region = 'eu-west-1'")
    con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")

    assert evaluate(con, EVERY_MODEL_ID_RESOLVES_TO_ONE_POOL).passed
