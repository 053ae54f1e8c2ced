"""The filters leave the rows that they name, of every table, whatever a person types."""

from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.ui.published_tables import Filters, opened
from usage_pipeline_tests.report.sample import DAYS, LITE
from usage_pipeline_tests.ui.drawing import sample_filters

COUNTED = "select count(*), sum(cost_usd) from marts.invocations"
DAILY = "select coalesce(sum(calls), 0)::bigint, sum(cost_usd) from marts.usage_daily"


def answer(file: Path, filters: Filters | None, query: str) -> list[tuple[object, ...]]:
    with opened(str(file), filters) as con:
        return con.execute(query).fetchall()


def test_without_filters_everything_is_there(published: Path) -> None:
    with duckdb.connect(str(published), read_only=True) as con:
        assert (
            answer(published, None, DAILY)
            == answer(published, sample_filters(), DAILY)
            == con.execute(DAILY).fetchall()
        )


@given(
    text=st.one_of(
        st.sampled_from(["Alice", "alice", "BedrockRole/session", "'", "%", "_", "' or 1=1 --"]), st.text(max_size=8)
    )
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_caller_is_taken_to_the_letter(published: Path, text: str) -> None:
    with duckdb.connect(str(published), read_only=True) as con:
        calls = con.execute("select principal_arn, role_or_user from marts.invocations").fetchall()
    expected = sum(text in arn or text in name for arn, name in calls)
    with opened(str(published), sample_filters(caller=text)) as con:
        found = con.execute(COUNTED).fetchall()
        assert con.execute(DAILY).fetchall() == found
    assert found[0][0] == expected


def test_calls_of_single_sessions_are_added_up_as_the_published_tables_are(published: Path) -> None:
    every_arn = "select * exclude (tags), tags::varchar from marts.{table} order by all"
    for table in ("usage_daily", "usage_hourly"):
        query = every_arn.format(table=table)
        assert answer(published, sample_filters(caller="arn:"), query) == answer(published, None, query)


def test_tags_of_one_key_widen_and_of_two_keys_narrow(published: Path) -> None:
    calls = "select coalesce(sum(calls), 0)::bigint from marts.usage_daily"
    one = answer(published, sample_filters(tags=(("team", "search"),)), calls)
    both = answer(
        published, sample_filters(tags=(("team", "search"), ("team", '"><img src=x onerror=alert(1)>'))), calls
    )
    none = answer(published, sample_filters(tags=(("team", "search"), ("stage", "test"))), calls)
    assert (one, both, none) == ([(3,)], [(4,)], [(0,)])


def test_a_table_of_pools_follows_the_model_and_a_price_of_every_region_stays(published: Path) -> None:
    chosen = sample_filters(models=(LITE,), regions=("eu-west-1",))
    assert answer(published, chosen, "select distinct split_part(pool_id, '/', 4) from marts.quota_headroom") == []
    chosen = sample_filters(models=(LITE,))
    assert answer(published, chosen, "select distinct split_part(pool_id, '/', 4) from marts.quota_headroom") == [
        (LITE,)
    ]
    prices = "select distinct region from marts.model_prices"
    assert answer(published, sample_filters(regions=("eu-west-1",)), prices) == [("*",)]


def test_a_quote_in_the_files_name_is_only_a_quote(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "it's; drop table x.duckdb"
    file.write_bytes(published.read_bytes())
    assert answer(file, sample_filters(), DAILY) == answer(published, None, DAILY)


def test_the_file_stays_as_it_is(published: Path) -> None:
    before = published.read_bytes()
    with opened(str(published), sample_filters(caller="a")) as con, pytest.raises(duckdb.Error, match="read-only"):
        con.execute("delete from published.marts.usage_daily")
    assert published.read_bytes() == before
    assert Filters(*DAYS[:2]).days == {"first_day": DAYS[0], "last_day": DAYS[1]}
