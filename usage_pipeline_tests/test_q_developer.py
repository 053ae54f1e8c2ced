"""Amazon Q Developer and Kiro through Dagster, from AWS's wire protocol to raw tables, held against the truth."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from rich.console import Console

from usage_pipeline.assets.raw_q_developer import raw_q_developer
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.bucket_objects import Bucket, LogObject
from usage_pipeline.aws.errors import ReadingError
from usage_pipeline.config import Settings
from usage_pipeline.doctor import examine
from usage_pipeline.event_log import open_instance
from usage_pipeline.instance_folder import prepare_instance_folder
from usage_pipeline.q_developer.tokenizer import token_counter
from usage_pipeline.sandbox import MARKER, RunningSandbox
from usage_pipeline.sandbox.q_developer_files import BUCKET
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.pipeline_runs import (
    CONFIGURATION,
    FIRST_DAY,
    NOW,
    TODAY,
    contents,
    instance_in_memory,
    pointed_at,
    write_settings,
)

YESTERDAY = TODAY - dt.timedelta(days=1)
PLACES = f"""\
    q_developer:
      prompt_logs: {{bucket: {BUCKET}, prefix: prompts}}
      activity_reports: {{bucket: {BUCKET}, prefix: reports}}
"""
NAMED = CONFIGURATION.replace("    regions: auto\n", f"    regions: auto\n{PLACES}")
TABLES = ("raw.q_developer_prompts", "raw.q_developer_activity")


def read(
    settings: Settings,
    sandbox: RunningSandbox,
    first: dt.date = FIRST_DAY,
    last: dt.date = TODAY,
    instance: dg.DagsterInstance | None = None,
) -> Mapping[str, Mapping[str, Any]]:
    """One run over the days; gives the metadata by asset."""
    warehouse = Warehouse(database=str(settings.warehouse_file))
    resources = {"settings": settings, "aws": AwsAccess(settings), "warehouse": warehouse}
    # As `run` does, so that not every step opens and prepares the file.
    with pointed_at(sandbox), warehouse.kept_open():
        result = dg.materialize(
            [raw_q_developer],
            instance=instance or instance_in_memory(),
            resources=resources,
            tags={
                "dagster/asset_partition_range_start": first.isoformat(),
                "dagster/asset_partition_range_end": last.isoformat(),
            },
        )
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return {event.asset_key.path[-1]: {name: value.value for name, value in event.metadata.items()} for event in events}


@pytest.fixture(scope="module")
def whole(_organisation: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """All days as one range into an empty warehouse, on an instance beside it; tests only read it."""
    settings = write_settings(tmp_path_factory.mktemp("q_developer"), NAMED)
    with open_instance(prepare_instance_folder(settings.dagster_home)) as instance:
        read(settings, _organisation, instance=instance)
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty warehouse of the test's own."""
    return write_settings(tmp_path, NAMED)


def ask(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        return con.execute(query).fetchall()


def differing(settings: Settings, truth_file: Path, table: str, condition: str = "true") -> list[tuple[Any, ...]]:
    """Rows that either the raw table or the truth has alone; how tokens were counted is not part of the truth."""
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        con.execute(f"attach '{truth_file}' as truth (read_only)")
        names = [row[0] for row in con.execute(f"describe raw.{table}").fetchall() if row[0] != "token_source"]
        ours, true = (
            f"select {', '.join(names)} from {schema}.{table} where {condition}" for schema in ("raw", "truth")
        )
        return con.execute(
            f"(({ours}) except all ({true})) union all (({true}) except all ({ours})) order by all limit 3"
        ).fetchall()


def stored(settings: Settings) -> Mapping[str, tuple[int, int]]:
    names = (*TABLES, "ops.ingested_objects", "ops.quarantined_records", "ops.source_status")
    return {name: content for name, content in contents(settings.warehouse_file).items() if name in names}


def statuses(settings: Settings, condition: str = "true") -> list[tuple[Any, ...]]:
    return ask(
        settings,
        f"""
        select account_name, region, source, status, error_text, max(covered_until), sum(row_count)
        from ops.source_status where {condition} group by all order by all
        """,
    )


@pytest.mark.parametrize("table", ["q_developer_prompts", "q_developer_activity"])
def test_every_row_equals_the_truth(whole: Settings, truth_file: Path, table: str) -> None:
    assert differing(whole, truth_file, table) == []
    assert ask(whole, f"select count(*) > 12, count(distinct (product, region)) from raw.{table}") == [(True, 2)]


def test_tokens_are_counted_and_say_so(whole: Settings) -> None:
    assert ask(whole, "select distinct token_source from raw.q_developer_prompts") == [(token_counter().source,)]


def test_each_account_says_how_its_reading_went_without_a_region(whole: Settings) -> None:
    prompts, activity = (
        ask(whole, f"select count(*) from {table} where usage_date >= '{FIRST_DAY}'")[0][0] for table in TABLES
    )
    until_today = dt.datetime.combine(TODAY, dt.time())
    unnamed = "The configuration names no place: accounts[].q_developer."
    assert statuses(whole) == [
        ("production", None, "q_developer_activity", "empty", None, None, 0),
        ("production", None, "q_developer_activity", "ok", None, until_today, activity),
        ("production", None, "q_developer_prompts", "ok", None, NOW, prompts),
        ("research", None, "q_developer_activity", "empty", f"{unnamed}activity_reports.", None, None),
        ("research", None, "q_developer_prompts", "empty", f"{unnamed}prompt_logs.", None, None),
    ]


def test_reading_again_changes_nothing_and_fetches_no_object(whole: Settings, organisation: RunningSandbox) -> None:
    before, changes = stored(whole), ask(whole, "from ops.day_changes order by all")

    metadata = read(whole, organisation)

    assert stored(whole) == before
    assert ask(whole, "from ops.day_changes order by all") == changes
    assert [metadata[name]["objects_read"] for name in sorted(metadata)] == [0, 0]
    assert "s3.GetObject" not in organisation.call_counts


def test_a_late_object_restates_its_own_day(settings: Settings, organisation: RunningSandbox, truth_file: Path) -> None:
    read(settings, organisation, FIRST_DAY, FIRST_DAY)
    on_first_day = f"usage_date = '{FIRST_DAY}'"
    assert len(differing(settings, truth_file, "q_developer_prompts", on_first_day)) == 2, "two are not there yet"
    changes = "select change from ops.day_changes where table_name = 'raw.q_developer_prompts' and " + on_first_day
    before = ask(settings, changes)

    read(settings, organisation, YESTERDAY, YESTERDAY)

    assert differing(settings, truth_file, "q_developer_prompts", f"usage_date <= '{YESTERDAY}'") == []
    assert ask(settings, changes) > before
    counted = "select row_count from ops.source_status where source = 'q_developer_prompts' and account_id is not null"
    assert ask(settings, f"{counted} and partition_date = '{FIRST_DAY}'") == ask(
        settings, f"select count(*) from raw.q_developer_prompts where {on_first_day}"
    )


def test_damaged_objects_give_what_is_readable_until_they_are_mended(
    settings: Settings, organisation: RunningSandbox, truth_file: Path
) -> None:
    organisation.set_faults(["truncated_log", "malformed_log_line"])

    read(settings, organisation)

    notes = ask(settings, "select reason from ops.quarantined_records where source = 'q_developer_prompts' order by 1")
    assert len(notes) == 2
    assert notes[-1] == ("timeStamp is missing or unreadable",)
    assert ask(settings, "select count(*) from ops.ingested_objects where not is_complete") == [(1,)]
    assert differing(settings, truth_file, "q_developer_prompts") != []

    organisation.set_faults([])
    read(settings, organisation)

    assert differing(settings, truth_file, "q_developer_prompts") == []
    assert ask(settings, "from ops.quarantined_records") == []


def test_a_bucket_that_is_denied_is_told_and_loses_nothing(whole: Settings, organisation: RunningSandbox) -> None:
    before = {name: content for name, content in stored(whole).items() if name != "ops.source_status"}
    organisation.set_faults(["denied:s3:111122223333:*"])

    read(whole, organisation)

    production = "account_name = 'production'"
    assert {(source, status) for _, _, source, status, *_ in statuses(whole, production)} == {
        ("q_developer_activity", "denied"),
        ("q_developer_prompts", "denied"),
    }
    (text,) = ask(
        whole,
        "select distinct error_text from ops.source_status where source = 'q_developer_prompts' and status = 'denied'",
    )[0]
    assert text.startswith(f"s3://{BUCKET}/prompts: ListObjectsV2: AccessDenied: ")
    assert text.endswith("Allow s3:ListBucket.")
    assert {name: content for name, content in stored(whole).items() if name != "ops.source_status"} == before

    organisation.set_faults([])
    read(whole, organisation)
    assert {status for *_, status, _, _, _ in statuses(whole, production)} == {"ok", "empty"}


def test_an_object_that_cannot_be_had_leaves_its_days_open_until_the_next_run(
    settings: Settings, organisation: RunningSandbox, truth_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Bucket.fetch

    def fetch_all_but_one_part(bucket: Bucket, log: LogObject, path: Path) -> LogObject:
        if log.key.endswith("part_2.csv"):
            raise ReadingError("GetObject: the network is gone")
        return fetch(bucket, log, path)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "fetch", fetch_all_but_one_part)
        read(settings, organisation)

    reason = "1 of 2 log objects: GetObject: the network is gone"
    of_day = f"source = 'q_developer_activity' and account_id is not null and partition_date = '{YESTERDAY}'"
    assert statuses(settings, of_day) == [("production", None, "q_developer_activity", "failed", reason, None, 1 + 3)]
    assert differing(settings, truth_file, "q_developer_activity", f"usage_date < '{YESTERDAY}'") == []
    assert differing(settings, truth_file, "q_developer_prompts") == []

    read(settings, organisation)

    assert differing(settings, truth_file, "q_developer_activity") == []


def test_doctor_names_the_place_that_may_not_be_read(settings: Settings, organisation: RunningSandbox) -> None:
    organisation.set_faults(["denied:s3:111122223333:*"])

    with pointed_at(organisation):
        findings = examine(settings, Console(quiet=True))

    needed_for = {finding.remedy.split(". ")[0] for finding in findings if finding.place.startswith("production ")}
    assert {text for text in needed_for if "Amazon Q Developer" in text} == {
        "It is needed for which prompt logs of Amazon Q Developer there are",
        "It is needed for prompt logs of Amazon Q Developer",
        "It is needed for which activity reports of Amazon Q Developer there are",
        "It is needed for activity reports of Amazon Q Developer",
    }


def test_what_a_report_lacked_and_had_besides_is_with_its_rows_and_told(
    settings: Settings, organisation: RunningSandbox
) -> None:
    warnings = read(settings, organisation)["q_developer_activity"]["warnings"]

    assert "1 files: column 'TestGeneration_GeneratedTests' is missing; its values are unknown" in warnings
    assert "1 files: column 'Agentic_RequestCount' is not known here and was left out" in warnings


def test_without_a_place_nothing_is_asked_and_every_day_says_so(tmp_path: Path, organisation: RunningSandbox) -> None:
    settings = write_settings(tmp_path)

    assert {metadata["places"] for metadata in read(settings, organisation).values()} == {"none are named"}

    assert organisation.call_counts == {}
    assert {(name, status) for name, _, _, status, *_ in statuses(settings)} == {
        ("production", "empty"),
        ("research", "empty"),
    }
    by_day = "select partition_date, count(distinct (account_name, source)) from ops.source_status group by all"
    told = ask(settings, by_day)
    assert len(told) > 1
    assert {count for _, count in told} == {4}


def test_an_account_that_names_its_places_no_more_is_no_longer_denied(
    settings: Settings, organisation: RunningSandbox
) -> None:
    organisation.set_faults(["denied:s3:111122223333:*"])
    read(settings, organisation)
    assert "denied" in {status for *_, status, _, _, _ in statuses(settings)}

    read(write_settings(settings.data_folder.parent), organisation, TODAY)

    assert {status for *_, status, _, _, _ in statuses(settings)} == {"empty"}


def files_below(folder: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_no_words_of_a_prompt_are_anywhere(whole: Settings) -> None:
    assert [content for content in files_below(whole.data_folder) if MARKER.encode() in content] == []
