import datetime as dt
from typing import Any

import duckdb
import pytest

from usage_pipeline.checks import ALL_RULES
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.checks.sources import NEWEST_DAY_IS_READ, NO_DAY_WAS_LEFT_OUT
from usage_pipeline_tests.checks.healthy import NOW, PRODUCTION, RESEARCH, TODAY

METRICS = "cloudwatch_metrics"
PROFILES = "inference_profiles"
RULES = {rule.name: rule for rule in ALL_RULES}
EARLIER, LATER = NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=1)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(f"2026-11-{text}")


def note(con: duckdb.DuckDBPyConnection, source: str, partition_date: dt.date, **values: Any) -> None:
    """A failed reading of the research scope, instead of the healthy row of the day."""
    row = {
        **RESEARCH,
        "source": source,
        "partition_date": partition_date,
        "status": "denied",
        "error_text": "AccessDenied: no",
        "covered_until": None,
        "finished_at": NOW,
        **values,
    }
    con.execute(
        """
        delete from ops.source_status
        where source = ? and partition_date = ? and region is not distinct from ? and account_name = ?
        """,
        [source, partition_date, row["region"], row["account_name"]],
    )
    names = ", ".join(row)
    con.execute(f"insert into ops.source_status ({names}) values ({', '.join('?' * len(row))})", list(row.values()))


def unanswered(con: duckdb.DuckDBPyConnection, source: str) -> list[tuple[Any, ...]]:
    """(account, Region, status, first day, last day) of each contradiction."""
    result = evaluate(con, RULES[f"every_scope_answered_for_{source}"])
    columns = ("account_name", "region", "status", "first_day", "last_day")
    return [tuple(example[column] for column in columns) for example in result.examples]


def set_read(con: duckdb.DuckDBPyConnection, until: str | None, partition_date: dt.date) -> None:
    """How far the research scope's metrics of a day were read."""
    con.execute(
        """
        update ops.source_status set covered_until = ?
        where source = 'cloudwatch_metrics' and partition_date = ? and region = 'eu-west-1'
        """,
        [until, partition_date],
    )


# every_scope_answered_for_…


def test_an_unanswered_scope_is_named_with_its_error_and_days(con: duckdb.DuckDBPyConnection) -> None:
    note(con, METRICS, day("14"))
    note(con, METRICS, day("15"), error_text="GetMetricData: AccessDenied: no. Allow cloudwatch:GetMetricData.")

    assert evaluate(con, RULES["every_scope_answered_for_cloudwatch_metrics"]).examples == [
        {
            "account_name": "research",
            "account_id": "444455556666",
            "region": "eu-west-1",
            "status": "denied",
            "error_text": "GetMetricData: AccessDenied: no. Allow cloudwatch:GetMetricData.",
            "first_day": day("14"),
            "last_day": day("15"),
            "days": 2,
        }
    ]


def test_one_source_that_is_denied_fails_no_other(con: duckdb.DuckDBPyConnection) -> None:
    note(con, METRICS, TODAY)

    failed = [name for name, rule in RULES.items() if not evaluate(con, rule).passed]

    assert [name for name in failed if name.startswith("every_scope_answered_for_")] == [
        "every_scope_answered_for_cloudwatch_metrics"
    ]


@pytest.mark.parametrize("status", ["denied", "throttled", "failed"])
def test_a_part_that_is_missing_counts_although_rows_came(con: duckdb.DuckDBPyConnection, status: str) -> None:
    note(con, PROFILES, TODAY, status=status, row_count=12)

    assert unanswered(con, PROFILES) == [("research", "eu-west-1", status, TODAY, TODAY)]


def test_an_empty_answer_is_an_answer(con: duckdb.DuckDBPyConnection) -> None:
    note(con, PROFILES, TODAY, status="empty", error_text=None)

    assert unanswered(con, PROFILES) == []


@pytest.mark.parametrize("account_id", [None, "777788889999"])
@pytest.mark.parametrize("region", [None, "us-west-2"])
@pytest.mark.parametrize("source", [METRICS, PROFILES])
def test_an_account_that_was_never_reached_counts(
    con: duckdb.DuckDBPyConnection, account_id: str | None, region: str | None, source: str
) -> None:
    note(con, source, TODAY, account_id=account_id, account_name="new", region=region)

    assert unanswered(con, source) == [("new", region, "denied", TODAY, TODAY)]


@pytest.mark.parametrize("source", [METRICS, PROFILES])
def test_an_account_that_was_taken_out_of_the_configuration_no_longer_counts(
    con: duckdb.DuckDBPyConnection, source: str
) -> None:
    note(con, source, day("14"), account_id=None, account_name="gone", region=None, finished_at=EARLIER)

    assert unanswered(con, source) == []


def test_a_scope_that_was_taken_out_of_the_configuration_no_longer_counts(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")
    note(con, METRICS, TODAY, finished_at=EARLIER)

    assert unanswered(con, METRICS) == []


def test_an_earlier_failure_of_a_catalogue_is_mended_by_a_newer_answer(con: duckdb.DuckDBPyConnection) -> None:
    note(con, PROFILES, day("13"), finished_at=EARLIER)

    assert unanswered(con, PROFILES) == []


def test_an_earlier_failure_of_metrics_counts_while_its_day_is_not_whole(con: duckdb.DuckDBPyConnection) -> None:
    note(con, METRICS, day("12"), finished_at=EARLIER)
    note(con, METRICS, day("13"), finished_at=EARLIER, covered_until=dt.datetime(2026, 11, 13, 18))

    assert unanswered(con, METRICS) == [("research", "eu-west-1", "denied", day("12"), day("13"))]


def test_an_earlier_failure_to_read_a_whole_day_again_does_not_count(con: duckdb.DuckDBPyConnection) -> None:
    note(con, METRICS, day("13"), finished_at=EARLIER, covered_until=dt.datetime(2026, 11, 14))

    assert unanswered(con, METRICS) == []


def test_the_newest_failure_counts_although_its_day_was_whole_before(con: duckdb.DuckDBPyConnection) -> None:
    note(con, METRICS, day("13"), finished_at=LATER, covered_until=dt.datetime(2026, 11, 14))

    assert unanswered(con, METRICS) == [("research", "eu-west-1", "denied", day("13"), day("13"))]


@pytest.mark.parametrize("account_id", [None, RESEARCH["account_id"]])
def test_a_day_on_which_an_account_was_not_reached_counts_for_each_region_that_lacks_it(
    con: duckdb.DuckDBPyConnection, account_id: str | None
) -> None:
    con.execute("insert into raw.scopes values ('444455556666', 'us-east-1', 'research', 'aws', true)")
    note(con, METRICS, day("13"), account_id=account_id, region=None, finished_at=EARLIER)

    # The day of eu-west-1 had been read before.
    assert unanswered(con, METRICS) == [("research", "us-east-1", "denied", day("13"), day("13"))]


def test_a_failure_of_more_than_thirty_days_ago_no_longer_counts(con: duckdb.DuckDBPyConnection) -> None:
    note(con, METRICS, dt.date(2026, 10, 16), finished_at=EARLIER)
    assert unanswered(con, METRICS) == []

    note(con, METRICS, dt.date(2026, 10, 17), finished_at=EARLIER)
    assert unanswered(con, METRICS) == [
        ("research", "eu-west-1", "denied", dt.date(2026, 10, 17), dt.date(2026, 10, 17))
    ]


PROMPTS = "q_developer_prompts"


def test_a_source_that_is_read_once_for_an_account_names_the_account_alone(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("insert into raw.scopes values ('444455556666', 'us-east-1', 'research', 'aws', true)")
    note(con, PROMPTS, day("12"), region=None, finished_at=EARLIER)
    note(con, PROMPTS, TODAY, region=None)

    assert unanswered(con, PROMPTS) == [("research", None, "denied", day("12"), TODAY)]
    assert RULES["every_scope_answered_for_q_developer_prompts"].subject == ("account_name",)


def test_an_earlier_failure_of_it_does_not_count_when_the_day_had_been_read_whole(
    con: duckdb.DuckDBPyConnection,
) -> None:
    note(con, PROMPTS, day("13"), region=None, finished_at=EARLIER, covered_until=dt.datetime(2026, 11, 14))

    assert unanswered(con, PROMPTS) == []


# newest_day_is_read


def behind(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    examples = evaluate(con, NEWEST_DAY_IS_READ).examples
    return [(example["account_name"], example["region"], example["covered_until"]) for example in examples]


def test_a_scope_may_be_up_to_an_hour_behind_the_newest(con: duckdb.DuckDBPyConnection) -> None:
    set_read(con, "2026-11-15 09:30", TODAY)
    assert behind(con) == []

    set_read(con, "2026-11-15 09:29", TODAY)
    assert behind(con) == [("research", "eu-west-1", dt.datetime(2026, 11, 15, 9, 29))]


def test_a_configured_scope_that_was_never_read_is_behind(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("insert into raw.scopes values ('444455556666', 'us-east-1', 'research', 'aws', true)")

    assert behind(con) == [("research", "us-east-1", None)]


def test_a_scope_that_is_no_longer_configured_is_not_behind(con: duckdb.DuckDBPyConnection) -> None:
    set_read(con, None, TODAY)
    con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")

    assert behind(con) == []


def test_a_day_of_five_minute_periods_is_read_as_far_as_any_other(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update ops.source_status set resolution_seconds = 300 where region = 'eu-west-1'")

    assert behind(con) == []


# no_day_was_left_out


def left_out(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    examples = evaluate(con, NO_DAY_WAS_LEFT_OUT).examples
    return [(example["region"], example["partition_date"], example["covered_until"]) for example in examples]


def test_a_day_that_was_read_in_part_and_never_again_is_left_out(con: duckdb.DuckDBPyConnection) -> None:
    set_read(con, "2026-11-14 10:30", day("14"))

    assert left_out(con) == [("eu-west-1", day("14"), dt.datetime(2026, 11, 14, 10, 30))]


def test_a_day_that_could_not_be_read_is_left_out_once_a_later_one_was(con: duckdb.DuckDBPyConnection) -> None:
    set_read(con, None, TODAY)
    assert left_out(con) == []

    set_read(con, "2026-11-15 10:30", TODAY)
    set_read(con, None, day("14"))
    assert left_out(con) == [("eu-west-1", day("14"), None)]


def test_the_day_before_a_scope_was_first_read_is_not_left_out(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "delete from ops.source_status where region = 'eu-west-1' and partition_date < ?",
        [TODAY],
    )

    assert left_out(con) == []


def test_a_single_day_of_long_ago_leaves_out_nothing_between(con: duckdb.DuckDBPyConnection) -> None:
    note(con, METRICS, dt.date(2026, 3, 1), status="ok", covered_until=dt.datetime(2026, 3, 2))

    assert left_out(con) == []


def test_a_scope_that_is_no_longer_configured_leaves_out_nothing(con: duckdb.DuckDBPyConnection) -> None:
    set_read(con, None, day("14"))
    con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")

    assert left_out(con) == []


def test_a_day_that_was_left_out_is_a_warning(con: duckdb.DuckDBPyConnection) -> None:
    set_read(con, None, day("14"))

    assert evaluate(con, NO_DAY_WAS_LEFT_OUT).severity == "WARN"


def test_all_scopes_of_a_warehouse_without_readings_are_behind(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from ops.source_status")

    assert behind(con) == [(PRODUCTION["account_name"], "us-east-1", None), ("research", "eu-west-1", None)]
    assert left_out(con) == []
    assert unanswered(con, METRICS) == []
