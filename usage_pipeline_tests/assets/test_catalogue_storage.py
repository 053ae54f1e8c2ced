import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest

from usage_pipeline.assets.catalogue_storage import store_snapshot
from usage_pipeline.aws.bedrock import CustomDeployment, InferenceProfile
from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.raw_tables import CUSTOM_DEPLOYMENTS, INFERENCE_PROFILES
from usage_pipeline_tests.empty_warehouse import empty_warehouse

SCOPE = Scope("111122223333", "production", "us-east-1", "aws")
YESTERDAY, TODAY = dt.date(2026, 11, 14), dt.date(2026, 11, 15)
DENIED = Shortfall("denied", "1 of 1 application inference profiles: ListTagsForResource: AccessDenied: no")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as con:
        yield con


def profile(name: str, tags: dict[str, str] | None) -> InferenceProfile:
    return InferenceProfile(name, f"arn:{name}", name, "APPLICATION", "ACTIVE", (), tags, None, None)


def read(*rows: object, shortfall: Shortfall | None = None) -> list[ScopeReading[Listing[object]]]:
    return [ScopeReading(SCOPE, "ok", Listing(rows, shortfall), len(rows), 1, None)]


REFUSED: list[ScopeReading[Listing[object]]] = [ScopeReading(SCOPE, "denied", None, None, 1, "no")]


def stored_tags(con: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return con.execute(
        "select snapshot_date, profile_id, tags from raw.inference_profiles order by snapshot_date, profile_id"
    ).fetchall()


def test_a_second_reading_of_a_day_replaces_the_first_and_leaves_other_days(con: duckdb.DuckDBPyConnection) -> None:
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", {})), YESTERDAY)
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", {}), profile("b", {})), TODAY)
    stored = store_snapshot(con, INFERENCE_PROFILES, read(profile("b", {"team": "search"})), TODAY)

    assert stored == 1
    assert stored_tags(con) == [(YESTERDAY, "a", {}), (TODAY, "b", {"team": "search"})]


def test_denied_tags_do_not_wipe_those_that_were_read_earlier_in_the_day(con: duckdb.DuckDBPyConnection) -> None:
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", {"team": "search"})), TODAY)
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", None), profile("new", None), shortfall=DENIED), TODAY)

    assert stored_tags(con) == [(TODAY, "a", {"team": "search"}), (TODAY, "new", None)]


def test_tags_that_were_removed_are_gone(con: duckdb.DuckDBPyConnection) -> None:
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", {"team": "search"})), TODAY)
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", {})), TODAY)

    assert stored_tags(con) == [(TODAY, "a", {})]


def test_a_base_model_that_is_denied_later_in_the_day_stays_known(con: duckdb.DuckDBPyConnection) -> None:
    def deployment(base_model: str | None) -> CustomDeployment:
        return CustomDeployment("arn:d", "d", "arn:m", base_model, "Active", None)

    store_snapshot(con, CUSTOM_DEPLOYMENTS, read(deployment("arn:base")), TODAY)
    store_snapshot(con, CUSTOM_DEPLOYMENTS, read(deployment(None)), TODAY)

    stored = con.execute("select deployment_arn, base_model_arn from raw.custom_deployments").fetchall()
    assert stored == [("arn:d", "arn:base")]


def test_a_refused_reading_leaves_the_earlier_snapshot_as_it_was(con: duckdb.DuckDBPyConnection) -> None:
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", {})), TODAY)

    assert store_snapshot(con, INFERENCE_PROFILES, REFUSED, TODAY) == 0
    assert stored_tags(con) == [(TODAY, "a", {})]


def test_an_empty_answer_is_an_empty_catalogue(con: duckdb.DuckDBPyConnection) -> None:
    store_snapshot(con, INFERENCE_PROFILES, read(profile("a", {})), TODAY)

    assert store_snapshot(con, INFERENCE_PROFILES, read(), TODAY) == 0
    assert stored_tags(con) == []
