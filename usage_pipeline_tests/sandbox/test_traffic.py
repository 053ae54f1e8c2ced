from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from usage_pipeline.sandbox import SandboxOptions
from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.limiter import ADMITTED, CAUSES, Calls, Limiter, limit
from usage_pipeline.sandbox.organisation import PEAK_POOL, THROTTLED_POOLS, Organisation
from usage_pipeline.sandbox.principals import principal_arn
from usage_pipeline.sandbox.quota_catalogue import pool_limits
from usage_pipeline.sandbox.traffic import (
    ERRORS,
    SUCCESS,
    THROTTLED,
    Requests,
    generate_requests,
    window_start,
)
from usage_pipeline_tests.sandbox.conftest import END, OPTIONS


def columns(requests: Requests) -> dict[str, Any]:
    return {f.name: getattr(requests, f.name) for f in fields(Requests) if f.name not in ("callers", "end")}


def rows_of(requests: Requests, pool_id: str) -> Any:
    return np.flatnonzero(np.array([c.pool_id == pool_id for c in requests.callers])[requests.caller])


def consumed_per_minute(requests: Requests, rows: Any) -> Any:
    minutes = requests.minute[rows]
    return np.bincount(minutes - minutes.min(), requests.consumed[rows])


def test_equal_options_give_equal_requests(two_days: AccountData):
    again = columns(generate_requests(OPTIONS))
    for name, values in columns(two_days.requests).items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


def test_another_seed_gives_other_requests(two_days: AccountData):
    other = generate_requests(SandboxOptions(days=2, seed=8, end=END))
    assert len(other) != len(two_days.requests)


def test_window_is_full_days_and_today_up_to_the_end(two_days: AccountData):
    assert window_start(OPTIONS) == datetime.fromisoformat("2026-11-13")
    first, last = two_days.requests.ts[[0, -1]] / 1000
    assert datetime.fromtimestamp(first, UTC).replace(second=0, microsecond=0, tzinfo=None) == datetime.fromisoformat(
        "2026-11-13"
    )
    assert datetime.fromisoformat("2026-11-15T10:29") <= datetime.fromtimestamp(last, UTC).replace(tzinfo=None) < END


def test_end_is_cut_to_the_minute():
    assert SandboxOptions(end=datetime.fromisoformat("2026-11-15T10:30:59.000005")).end == END


def test_requests_are_in_the_order_of_time(two_days: AccountData):
    assert (np.diff(two_days.requests.ts) >= 0).all()


def test_request_ids_are_unique(month: AccountData):
    assert len(np.unique(month.requests.ids, axis=0)) == len(month.requests)


def test_failed_calls_have_no_tokens(two_days: AccountData):
    requests = two_days.requests
    failed = requests.error != SUCCESS
    assert set(requests.error[failed]) == set(range(1, len(ERRORS)))
    for tokens in (requests.input_tokens, requests.output_tokens, requests.cache_read, requests.cache_write):
        assert tokens[failed].sum() == 0


def test_only_streaming_operations_have_a_time_to_first_token(two_days: AccountData):
    requests = two_days.requests
    streaming = np.array([caller.is_streaming for caller in requests.callers])[requests.caller]
    succeeded = requests.error == SUCCESS
    assert ((requests.ttft_ms > 0) == (streaming & succeeded)).all()
    assert (requests.latency_ms[succeeded] >= requests.ttft_ms[succeeded]).all()


def test_answers_stay_within_max_tokens(two_days: AccountData):
    requests = two_days.requests
    limited = requests.max_tokens > 0
    assert (requests.output_tokens[limited] <= requests.max_tokens[limited]).all()


@pytest.mark.parametrize("cause", CAUSES[1:])
def test_throttled_pool_shows_every_cause(two_days: AccountData, cause: str):
    requests = two_days.requests
    caused = np.flatnonzero(requests.cause == CAUSES.index(cause))
    assert len(caused) > 20
    assert {requests.callers[number].pool_id for number in requests.caller[caused]} == set(THROTTLED_POOLS)


def test_a_cause_is_known_exactly_for_throttled_attempts(two_days: AccountData):
    requests = two_days.requests
    assert ((requests.cause != ADMITTED) == (requests.error == THROTTLED)).all()


def test_a_retry_names_the_first_attempt_of_its_call(two_days: AccountData):
    requests = two_days.requests
    retries = np.flatnonzero(requests.attempt > 1)
    first = requests.retry_of[retries]
    assert len(retries) > 100
    assert (requests.attempt[first] == 1).all()
    assert (requests.error[first] == THROTTLED).all()
    assert (requests.caller[first] == requests.caller[retries]).all()
    assert (requests.ts[first] <= requests.ts[retries]).all()
    assert (requests.retry_of[requests.attempt == 1] == -1).all()


def test_one_profile_has_minutes_in_which_every_call_was_throttled(two_days: AccountData):
    requests = two_days.requests
    profile = np.array([c.called.model_ref == "p8d4w6z1n5rb" for c in requests.callers])[requests.caller]
    throttled, accepted = profile & (requests.error == THROTTLED), profile & requests.accepted
    assert len(set(requests.minute[throttled]) - set(requests.minute[accepted])) > 3


@pytest.mark.parametrize("days", [2, 30])
def test_busiest_minute_of_the_peak_pool_takes_85_percent_of_its_quota(days: int):
    requests = generate_requests(SandboxOptions(days=days, end=END))
    used = consumed_per_minute(requests, rows_of(requests, PEAK_POOL))
    assert pool_limits(PEAK_POOL).tpm_limit == 250_000
    assert used.max() == 212_500


def test_no_other_pool_would_have_been_throttled(two_days: AccountData):
    requests = two_days.requests
    for pool_id in {caller.pool_id for caller in requests.callers} - set(THROTTLED_POOLS):
        limits = pool_limits(pool_id)
        if limits.tpm_limit is None:
            continue
        rows = rows_of(requests, pool_id)
        rows = rows[requests.accepted[rows]]
        calls = Calls(requests.ts[rows], requests.reserved[rows], requests.consumed[rows], requests.latency_ms[rows])
        attempts = limit(calls, Limiter(limits.tpm_limit, limits.rpm_limit), np.empty((len(rows), 0)))
        assert (attempts.cause == ADMITTED).all(), pool_id


def test_principals_are_roles_with_sessions_people_and_users(two_days: AccountData):
    arns = {principal_arn(caller, 1) for caller in two_days.requests.callers}
    assert "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Analyst_0123456789abcdef/bob@example.com" in arns
    assert "arn:aws:iam::444455556666:user/batch/archive-loader" in arns
    assert any(arn.startswith("arn:aws:sts::111122223333:assumed-role/ChatApi/i-0") for arn in arns)


def test_with_few_pools_only_their_callers_call():
    few = Organisation(pools=3)
    requests = generate_requests(SandboxOptions(days=1, end=END, pools=3))
    assert requests.callers == few.callers
    assert {few.callers[number].pool_id for number in np.unique(requests.caller)} == {c.pool_id for c in few.callers}
