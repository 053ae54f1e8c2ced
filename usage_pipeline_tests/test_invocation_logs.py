"""Invocation logs through Dagster, from AWS's wire protocol to raw tables, held against the sandbox's truth."""

import dataclasses
import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from usage_pipeline.assets.raw_catalogue import catalogue_assets, raw_scopes
from usage_pipeline.assets.raw_invocations import invocation_assets
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.log_objects import LOG_NAME
from usage_pipeline.checks.logs import EVERY_LOG_OBJECT_IS_WHOLE, NO_RECORD_WAS_QUARANTINED
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.checks.sources import SOURCE_RULES
from usage_pipeline.config import Settings
from usage_pipeline.partitions import daily_partitions
from usage_pipeline.raw_tables import STORED_TABLES
from usage_pipeline.sandbox import MARKER, RunningSandbox
from usage_pipeline.sandbox.log_events import EventSearch
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.pipeline_runs import (
    CONFIGURATION,
    DAYS,
    FIRST_DAY,
    ONE_SCOPE,
    TODAY,
    contents,
    instance_in_memory,
    pointed_at,
    write_settings,
)

YESTERDAY = TODAY - dt.timedelta(days=1)
LAST_TWO_DAYS = f"usage_date >= '{YESTERDAY}'"
ON_TODAY = f"usage_date = '{TODAY}'"
LOG_DELIVERY_KEY = dg.AssetKey(["raw", "log_delivery"])
log_assets = [raw_scopes, *(asset for asset in catalogue_assets if LOG_DELIVERY_KEY in asset.keys), *invocation_assets]


def read(settings: Settings, sandbox: RunningSandbox, first: dt.date = FIRST_DAY, last: dt.date = TODAY) -> bool:
    """One run over the days, of the assets that read logs."""
    job = dg.define_asset_job("logs", selection="*", partitions_def=daily_partitions)
    warehouse = Warehouse(database=str(settings.warehouse_file))
    definitions = dg.Definitions(
        assets=log_assets,
        jobs=[job],
        resources={"settings": settings, "aws": AwsAccess(settings), "warehouse": warehouse},
    )
    # As `run` does, so that not every step opens and prepares the file.
    with pointed_at(sandbox), warehouse.kept_open():
        return (
            definitions.resolve_job_def("logs")
            .execute_in_process(
                instance=instance_in_memory(),
                tags={
                    "dagster/asset_partition_range_start": first.isoformat(),
                    "dagster/asset_partition_range_end": last.isoformat(),
                },
            )
            .success
        )


@pytest.fixture(scope="module")
def whole(_organisation: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """All days as one range into an empty warehouse; tests only read it."""
    settings = write_settings(tmp_path_factory.mktemp("logs"))
    assert read(settings, _organisation)
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty warehouse of the test's own."""
    return write_settings(tmp_path)


def ask(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        return con.execute(query).fetchall()


def rows_that_differ(settings: Settings, truth_file: Path, condition: str = "true") -> list[tuple[object, ...]]:
    """Rows of raw.invocations or of the truth that the other does not have."""
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        con.execute(f"attach '{truth_file}' as truth (read_only)")
        columns = ", ".join(row[0] for row in con.execute("describe raw.invocations").fetchall())
        ours = f"select {columns} from raw.invocations where {condition}"
        true = f"select {columns} from truth.invocations where {condition}"
        return con.execute(
            f"(({ours}) except all ({true})) union all (({true}) except all ({ours})) order by all limit 5"
        ).fetchall()


def log_tables(settings: Settings) -> Mapping[str, tuple[int, int]]:
    """Contents of the tables that reading logs writes; when a day changed depends on the runs."""
    names = ("raw.invocations", "ops.ingested_objects", "ops.quarantined_records", "ops.source_status")
    return {name: content for name, content in contents(settings.warehouse_file).items() if name in names}


def statuses(settings: Settings, source: str = "invocations") -> dict[tuple[object, ...], object]:
    """Status by account name, Region and day."""
    rows = ask(
        settings,
        f"select account_name, region, partition_date, status from ops.source_status where source = '{source}'",
    )
    return {tuple(key): status for *key, status in rows}


def failed_checks(settings: Settings) -> set[str]:
    rules = [*SOURCE_RULES, EVERY_LOG_OBJECT_IS_WHOLE, NO_RECORD_WAS_QUARANTINED]
    own = [rule for rule in rules if rule.table in ("raw.invocations", "raw.log_delivery")]
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        return {rule.name for rule in own if not evaluate(con, rule).passed}


def test_every_logged_request_equals_the_truth(whole: Settings, truth_file: Path) -> None:
    assert rows_that_differ(whole, truth_file) == []
    assert ask(whole, "select count(*) > 20000, count(distinct (account_id, region)) from raw.invocations") == [
        (True, 3)
    ]


def test_the_ledger_has_every_object_with_the_etag_and_size_of_the_bucket(
    whole: Settings, organisation: RunningSandbox
) -> None:
    store = organisation.data.log_store
    known = ask(whole, "select bucket, key, etag, size_bytes from ops.ingested_objects order by all")
    in_buckets = [row for row in known if row[0] in store.buckets]
    identities = [store.identity(store.buckets[str(bucket)], str(key)) for bucket, key, *_ in in_buckets]

    assert [row[2:] for row in in_buckets] == [(each.etag, each.size) for each in identities]
    assert {row[:2] for row in in_buckets} == {
        (name, key)
        for name, bucket in store.buckets.items()
        for key in bucket.objects
        if LOG_NAME.fullmatch(key.rpartition("/")[2])
    }
    hours = [row[2:] for row in known if row[0] not in store.buckets]
    assert [etag for etag, _ in hours] == ["as of 2026-11-15T10:30:00Z"] * (24 + 24 + 11)
    written = sum(len(line.encode("utf-8", "surrogatepass")) + 1 for line in lines_of_log_groups(organisation))
    assert sum(int(str(size)) for _, size in hours) == written > 1_000_000


def lines_of_log_groups(sandbox: RunningSandbox) -> Iterator[str]:
    """Every event's message in the log groups of the sandbox."""
    for group in sandbox.data.log_groups.values():
        search = EventSearch(group.name, 0, 2**53, 10_000, None)
        while True:
            page = group.search(search)
            yield from (event["message"] for event in page.events)
            if page.next_token is None:
                break
            search = dataclasses.replace(search, token=page.next_token)


def test_calls_and_tokens_of_every_profile_and_day_equal_the_truth(whole: Settings, truth_file: Path) -> None:
    measures = """
        usage_date, account_id, region, profile_id, count(*), count(error_code), sum(input_tokens), sum(output_tokens),
        sum(cache_read_tokens), sum(cache_write_tokens), sum(max_tokens)
    """
    ours = ask(whole, f"select {measures} from raw.invocations group by 1, 2, 3, 4 order by all")
    with duckdb.connect(str(truth_file), read_only=True) as con:
        assert ours == con.execute(f"select {measures} from invocations group by 1, 2, 3, 4 order by all").fetchall()
    assert len(ours) > 20


def test_every_scope_says_how_its_logs_were_read(whole: Settings) -> None:
    rows = ask(
        whole,
        """
        select account_name, region, status, error_text, count(*), max(covered_until), bool_and(api_calls > 0)
        from ops.source_status where source = 'invocations' group by all order by all
        """,
    )
    now = dt.datetime(2026, 11, 15, 10, 30)
    off = "Model invocation logging is off in this account and Region; turn it on in Bedrock's settings."
    assert rows == [
        ("production", "ap-northeast-1", "ok", None, len(DAYS), now, True),
        ("production", "us-east-1", "ok", None, len(DAYS), now, True),
        ("research", "eu-west-1", "empty", off, len(DAYS), None, False),
        ("research", "us-east-1", "ok", None, len(DAYS), now, True),
    ]
    assert failed_checks(whole) == set()


def test_where_logs_go_is_noted_for_every_scope(whole: Settings) -> None:
    columns = "account_id, region, is_on, bucket, key_prefix, log_group, text_is_delivered, source"
    assert ask(whole, f"select {columns} from raw.log_delivery order by all") == [
        ("111122223333", "ap-northeast-1", True, None, None, "/bedrock/invocations", True, "aws"),
        ("111122223333", "us-east-1", True, "production-bedrock-logs", "bedrock", None, True, "aws"),
        ("444455556666", "eu-west-1", False, None, None, None, None, "aws"),
        ("444455556666", "us-east-1", True, "research-bedrock-logs", "", None, True, "aws"),
    ]


def test_the_rules_of_the_configuration_are_a_table(whole: Settings) -> None:
    assert ask(whole, "from raw.application_rules") == [(1, "role", None, "(.+)-BedrockRole", None)]


def test_reading_again_changes_nothing_and_fetches_no_object(whole: Settings, organisation: RunningSandbox) -> None:
    before, changes = log_tables(whole), ask(whole, "from ops.day_changes order by all")

    assert read(whole, organisation)

    assert log_tables(whole) == before
    assert ask(whole, "from ops.day_changes order by all") == changes
    assert organisation.call_counts["s3.ListObjectsV2"] > 0
    assert {"s3.GetObject", "logs.FilterLogEvents"}.isdisjoint(organisation.call_counts)


def orders() -> Iterable[list[dt.date]]:
    shuffled = list(DAYS)
    random.Random(1).shuffle(shuffled)
    return [DAYS[::-1], [*shuffled, shuffled[0]]]


@pytest.mark.parametrize("order", orders(), ids=["newest first", "mixed, one of them twice"])
def test_days_one_by_one_in_any_order_give_the_same_tables(
    whole: Settings, settings: Settings, organisation: RunningSandbox, order: list[dt.date]
) -> None:
    for day in order:
        assert read(settings, organisation, day, day)

    # Rows of a day may be counted before a later day's folder gave it a late record.
    compared = ("raw.invocations", "ops.ingested_objects", "ops.quarantined_records")
    ours, expected = log_tables(settings), log_tables(whole)
    assert {name: ours[name] for name in compared} == {name: expected[name] for name in compared}


def files_with_text(settings: Settings) -> list[Path]:
    """Files of the data folder that hold text of a prompt or an answer."""
    with duckdb.connect(str(settings.warehouse_file)) as con:
        con.execute("checkpoint")
    return [path for path in settings.data_folder.rglob("*") if path.is_file() and MARKER.encode() in path.read_bytes()]


def test_damaged_objects_give_what_is_readable_and_no_text_and_fail_their_checks_until_they_are_mended(
    settings: Settings, organisation: RunningSandbox, truth_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    organisation.set_faults(["truncated_log", "malformed_log_line"])

    assert read(settings, organisation, YESTERDAY)

    written = capfd.readouterr()
    assert MARKER not in written.out + written.err
    assert ask(settings, "select count(*) from ops.quarantined_records") == [(2,)]
    assert files_with_text(settings) == []
    assert failed_checks(settings) == {"every_log_object_is_whole", "no_record_was_quarantined"}
    notes = ask(
        settings,
        "select is_complete, quarantined_count, count(*) from ops.ingested_objects group by all order by all",
    )
    assert notes[:1] == [(False, 1, 1)]
    assert {note[:2] for note in notes} == {(False, 1), (True, 0), (True, 1)}
    assert rows_that_differ(settings, truth_file, ON_TODAY) == [], "the damage is yesterday's"
    assert rows_that_differ(settings, truth_file, LAST_TWO_DAYS) != []

    organisation.set_faults([])
    assert read(settings, organisation, YESTERDAY, YESTERDAY)

    assert rows_that_differ(settings, truth_file, LAST_TWO_DAYS) == []
    assert failed_checks(settings) == set()


@pytest.mark.parametrize(
    ("fault", "scope", "action"),
    [
        ("denied:s3:444455556666:us-east-1", ("research", "us-east-1"), "Allow s3:ListBucket."),
        ("denied:logs:111122223333:ap-northeast-1", ("production", "ap-northeast-1"), "Allow logs:FilterLogEvents."),
        (
            "denied:bedrock:111122223333:us-east-1",
            ("production", "us-east-1"),
            "Allow bedrock:GetModelInvocationLoggingConfiguration.",
        ),
    ],
)
def test_a_place_that_is_denied_hides_no_other_and_fails_its_check(
    settings: Settings,
    organisation: RunningSandbox,
    truth_file: Path,
    fault: str,
    scope: tuple[str, str],
    action: str,
) -> None:
    organisation.set_faults([fault])

    assert read(settings, organisation, TODAY)

    found = statuses(settings)
    assert {key[:2] for key, status in found.items() if status == "denied"} == {scope}
    assert all(status in ("ok", "empty") for key, status in found.items() if key[:2] != scope)
    texts = ask(
        settings,
        f"""
        select distinct error_text like '%{action}', row_count, covered_until from ops.source_status
        where source = 'invocations' and status = 'denied'
        """,
    )
    assert texts == [(True, None, None)]
    assert "every_scope_answered_for_invocations" in failed_checks(settings)
    accounts = {"production": "111122223333", "research": "444455556666"}
    others = f"(account_id, region) <> ('{accounts[scope[0]]}', '{scope[1]}')"
    assert rows_that_differ(settings, truth_file, f"{others} and {ON_TODAY}") == []

    organisation.set_faults([])
    assert read(settings, organisation, TODAY)
    assert rows_that_differ(settings, truth_file, ON_TODAY) == []
    assert failed_checks(settings) == set()


@pytest.mark.parametrize("fault", ["throttled:s3:5", "throttled:logs:5"])
def test_what_a_passing_throttle_left_is_read_by_the_next_run(
    settings: Settings, organisation: RunningSandbox, truth_file: Path, fault: str
) -> None:
    organisation.set_faults([fault])

    assert read(settings, organisation, TODAY)
    assert read(settings, organisation, TODAY)

    assert rows_that_differ(settings, truth_file, ON_TODAY) == []
    assert set(statuses(settings).values()) == {"ok", "empty"}


def test_logs_that_the_configuration_turns_off_are_not_read(tmp_path: Path, organisation: RunningSandbox) -> None:
    text = CONFIGURATION.replace("    regions: auto\n", "    regions: [us-east-1]\n    logs: off\n")
    settings = write_settings(tmp_path, text)

    assert read(settings, organisation, YESTERDAY, YESTERDAY)

    assert ask(
        settings,
        """
        select status, error_text from ops.source_status where source = 'invocations' and account_name = 'production'
        """,
    ) == [("empty", "The configuration has `logs: off` for this account and Region.")]
    assert ask(settings, "select distinct account_id from raw.invocations") == [("444455556666",)]
    assert failed_checks(settings) == set()


def test_a_place_that_the_configuration_names_is_read_without_asking_bedrock(
    tmp_path: Path, organisation: RunningSandbox, truth_file: Path
) -> None:
    place = "    regions: [us-east-1]\n    logs: {bucket: production-bedrock-logs, prefix: bedrock}\n"
    settings = write_settings(tmp_path, CONFIGURATION.replace("    regions: auto\n", place))
    organisation.set_faults(["denied:bedrock:111122223333:*"])

    assert read(settings, organisation, TODAY)

    assert rows_that_differ(settings, truth_file, f"region = 'us-east-1' and {ON_TODAY}") == []


def test_no_text_of_a_body_is_kept_anywhere(whole: Settings) -> None:
    assert files_with_text(whole) == []
    with duckdb.connect(str(whole.warehouse_file), read_only=True) as con:
        for name in (name for name in STORED_TABLES if name.startswith(("raw.", "ops."))):
            found = con.execute(f"select count(*) from {name} as t where t::varchar like '%{MARKER}%'").fetchone()
            assert found == (0,), name


def test_objects_that_a_killed_run_left_unread_go_with_the_next(tmp_path: Path, organisation: RunningSandbox) -> None:
    settings = write_settings(tmp_path, ONE_SCOPE)
    left = settings.data_folder / "unread_logs" / "0.log"
    left.parent.mkdir(parents=True)
    left.write_text(MARKER)

    assert read(settings, organisation, TODAY, TODAY)

    assert ask(settings, "select count(*) > 0 from raw.invocations") == [(True,)]
    assert not left.parent.exists()
