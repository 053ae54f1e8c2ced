"""How many quota tokens an output token takes: what AWS documents, what its estimate implies, what we assume."""

from datetime import date, timedelta

import pytest

from usage_pipeline_tests.marts.factory import DAY, SONNET, Store, at, minutes_of

FABLE = "anthropic.claude-fable-5-2"


@pytest.fixture
def store() -> Store:
    store = Store("marts.quota_pools")
    store.burndown("*", 1)
    store.burndown("anthropic.*", 5)
    store.burndown("anthropic.claude-fable-*", 10, basis="assumed")
    for model_id in (SONNET, FABLE):
        store.model(model_id)
    return store


def rate_of(store: Store, model_id: str = FABLE) -> tuple[float | None, str | None]:
    store.covered(DAY)
    store.build("marts.quota_pools", "marts.usage_minutely")
    return store.row("select burndown_rate, burndown_source from marts.quota_pools where model_id = ?", model_id)


def estimated(store: Store, rate: float, model_id: str = FABLE, **counts: int) -> None:
    """Ten minutes in which AWS's estimate implies the rate."""
    tokens = {"input_tokens": 1_000, "cache_write_tokens": 200, "output_tokens": 100} | counts
    estimate = tokens["input_tokens"] + tokens["cache_write_tokens"] + rate * tokens["output_tokens"]
    for ts in minutes_of(DAY, count=10):
        store.usage(model_id, ts, invocations=1, aws_estimated_tokens=estimate, **tokens)


def test_a_documented_rate_is_taken_as_it_is(store: Store) -> None:
    estimated(store, 7, SONNET)
    assert rate_of(store, SONNET) == (5, "documented")


def test_the_longest_pattern_that_fits_decides(store: Store) -> None:
    store.burndown("anthropic.claude-sonnet-4-5*", 6)
    assert rate_of(store, SONNET) == (6, "documented")


def test_a_rate_without_documentation_is_inferred_from_awss_estimate(store: Store) -> None:
    estimated(store, 8)
    assert rate_of(store) == (8, "inferred")
    assert store.one("select distinct consumed_tokens from marts.usage_minutely") == 1_000 + 200 + 8 * 100


def test_an_inferred_rate_is_whole_when_within_five_percent(store: Store) -> None:
    implied_and_inferred = {7.7: 8, 8.3: 8, 7.5: 7.5, 8.456: 8.46}
    models = {implied: f"anthropic.claude-fable-6-{number}" for number, implied in enumerate(implied_and_inferred)}
    for implied, model_id in models.items():
        store.model(model_id)
        estimated(store, implied, model_id)
    store.covered(DAY)
    store.build()
    rates = "select burndown_rate, burndown_source from marts.quota_pools where model_id = ?"
    assert {implied: store.row(rates, model_id) for implied, model_id in models.items()} == {
        implied: (inferred, "inferred") for implied, inferred in implied_and_inferred.items()
    }


def test_only_minutes_with_an_estimate_say_anything(store: Store) -> None:
    estimated(store, 8)
    for ts in minutes_of(DAY, first=100, count=10):
        store.usage(FABLE, ts, invocations=1, input_tokens=999, output_tokens=999)
    assert rate_of(store) == (8, "inferred")


def test_coarser_periods_are_not_used_for_inference(store: Store) -> None:
    store.usage(FABLE, at("14T10:00"), period=300, input_tokens=100, output_tokens=100, aws_estimated_tokens=900)
    assert rate_of(store) == (10, "assumed")


def test_without_output_nothing_is_inferred(store: Store) -> None:
    estimated(store, 8, output_tokens=0)
    assert rate_of(store) == (10, "assumed")


def test_an_estimate_that_leaves_output_out_is_not_believed(store: Store) -> None:
    estimated(store, 0)
    assert rate_of(store) == (10, "assumed")


def test_without_any_estimate_the_assumed_rate_is_used_and_marked(store: Store) -> None:
    store.usage(FABLE, at("14T10:00"), invocations=1, input_tokens=5, output_tokens=10)
    assert rate_of(store) == (10, "assumed")
    assert store.one("select consumed_tokens from marts.usage_minutely") == 105


def test_without_any_pattern_consumption_is_unknown_not_zero() -> None:
    store = Store("marts.quota_pools")
    store.model(FABLE)
    store.usage(FABLE, at("14T10:00"), invocations=1, input_tokens=5, output_tokens=10)
    store.usage(FABLE, at("14T10:01"), invocations=1, input_tokens=5)
    assert rate_of(store) == (None, None)
    store.build("marts.quota_headroom", "marts.usage_statistics")
    consumed = "select consumed_tokens from marts.{} order by ts"
    for table in ("usage_minutely", "quota_usage_minutely"):
        assert store.rows(consumed.format(table)) == [(None,), (5,)]
    assert store.rows("select day_tokens_running from marts.quota_usage_minutely") == [(None,), (None,)]
    peaks = "select quota, peak from marts.quota_headroom order by quota"
    assert store.rows(peaks) == [("rpm", 1), ("tpd", None), ("tpm", None)]
    tpm = "select total, unknown_periods, average from marts.usage_statistics where metric = 'tpm' and basis = 'all'"
    assert store.row(f"{tpm} and profile_id = 'ALL' and window_name = '1day'") == (5, 1, None)


def test_a_rate_holds_from_its_first_day_to_its_last(store: Store) -> None:
    change = DAY - timedelta(days=1)
    store.burndown(SONNET, 3, valid_to=change - timedelta(days=1))
    store.burndown(SONNET, 4, valid_from=change, valid_to=change)
    for back in range(3):
        day = DAY - timedelta(days=back)
        store.usage(SONNET, minutes_of(day)[0], invocations=1, output_tokens=100)
    store.covered(DAY)
    store.build("marts.usage_minutely")
    # Outside its own rows the model falls back to its family's rate.
    consumed = "select usage_date, consumed_tokens from marts.usage_minutely order by usage_date"
    assert store.rows(consumed) == [(change - timedelta(days=1), 300), (change, 400), (DAY, 500)]


def test_periods_of_a_model_neither_overlap_nor_leave_a_day_out(store: Store) -> None:
    store.burndown(SONNET, 3, valid_from=date(2025, 1, 1), valid_to=date(2025, 6, 30))
    store.burndown(f"{SONNET[:-4]}*", 4, valid_from=date(2025, 3, 1))
    store.build()
    periods = "select valid_from, valid_to, rate from intermediate.int_burndown_rates where model_id = ? order by 1"
    assert store.rows(periods, SONNET) == [
        (date(1970, 1, 1), date(2022, 12, 31), None),
        (date(2023, 1, 1), date(2024, 12, 31), 5),
        (date(2025, 1, 1), date(2025, 2, 28), 3),
        (date(2025, 3, 1), date(2025, 6, 30), 3),
        (date(2025, 7, 1), None, 4),
    ]
