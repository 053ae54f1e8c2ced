"""One row per pool on the pages Overview and Quotas: what is known of its quotas together."""

from usage_pipeline.ui.pool_rows import read_pool_rows
from usage_pipeline_tests.marts.factory import DAY, NOVA, SONNET, Store, arns, at

POOL = f"111122223333/us-east-1/on_demand/{NOVA}"
NO_LIMIT = f"111122223333/us-east-1/geo/{SONNET}"


def test_a_minute_over_two_quotas_counts_once_and_an_unknown_limit_is_never_far_away() -> None:
    store = Store()
    store.burndown("*", 1)
    store.model(NOVA)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.covered(DAY)
    store.quota(NOVA, "on_demand", "tpm", 100)
    store.quota(NOVA, "on_demand", "rpm", 1)
    for time in ("14T10:00", "14T10:01"):
        store.usage(NOVA, at(time), invocations=2, input_tokens=200, output_tokens=0)
    store.usage(NOVA, at("14T10:02"), invocations=2, input_tokens=1, output_tokens=0)
    store.usage(f"us.{SONNET}", at("14T10:02"), invocations=1, input_tokens=1, output_tokens=0)
    store.build()
    for pool, quota, reaches in ((POOL, "tpm", "no_upward_trend"), (NO_LIMIT, "tpm", None), (NO_LIMIT, "rpm", None)):
        store.con.execute(
            "insert into marts.quota_recommendations (pool_id, quota, reaches_limit) values (?, ?, ?)",
            [pool, quota, reaches],
        )

    found = {row["pool_id"]: row for row in read_pool_rows(store.con, DAY, DAY, 0.8)}

    assert (found[POOL]["minutes_over_limit"], found[POOL]["reaches_limit"]) == (3, "not in 180 days")
    assert (found[NO_LIMIT]["minutes_over_limit"], found[NO_LIMIT]["reaches_limit"]) == (None, None)
