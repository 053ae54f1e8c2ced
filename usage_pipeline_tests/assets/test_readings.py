import datetime as dt
from typing import Any

from usage_pipeline.assets.readings import Coverage, ReadingStamp, scope_rows, snapshot_rows, status_rows
from usage_pipeline.aws.bedrock import InferenceProfile
from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.scopes import ResolvedScopes, Scope, UnreachableAccount
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.raw_tables import INFERENCE_PROFILES, SOURCE_STATUS
from usage_pipeline.warehouse import arrow_schema

NOW = dt.datetime(2026, 11, 15, 10, 30)
YESTERDAY, TODAY = dt.date(2026, 11, 14), dt.date(2026, 11, 15)
STAMP = ReadingStamp("cloudwatch_metrics", "run-1", NOW)
VIRGINIA = Scope("111122223333", "production", "us-east-1", "aws")
TOKYO = Scope("111122223333", "production", "ap-northeast-1", "aws")
THROTTLED = Shortfall("throttled", "GetMetricData: Throttling: Rate exceeded")


def profile(profile_id: str, tags: dict[str, str] | None) -> InferenceProfile:
    return InferenceProfile(
        profile_id=profile_id,
        profile_arn=f"arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/{profile_id}",
        profile_name="chat",
        profile_type="APPLICATION",
        status="ACTIVE",
        model_arns=("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",),
        tags=tags,
        created_at=None,
        updated_at=None,
    )


def answered(scope: Scope, *rows: Any, shortfall: Shortfall | None = None, api_calls: int = 1) -> ScopeReading[Any]:
    value = Listing(rows, shortfall)
    status = shortfall.status if shortfall else "ok" if rows else "empty"
    return ScopeReading(scope, status, value, len(rows), api_calls, shortfall.text if shortfall else None)


def refused(scope: Scope) -> ScopeReading[Any]:
    return ScopeReading(scope, "denied", None, None, 1, "ListMetrics: AccessDenied: no")


def unreachable(
    name: str = "production", account_id: str | None = None, regions: tuple[str, ...] = ()
) -> UnreachableAccount:
    return UnreachableAccount(name, account_id, regions, "denied", "AssumeRole: AccessDenied: no")


def statuses(*readings: ScopeReading[Any], days: tuple[dt.date, ...] = (TODAY,), **others: Any) -> list[dict[str, Any]]:
    coverage = others.get("coverage", {})
    return status_rows(STAMP, days, readings, others.get("unreachable", ()), coverage).to_pylist()


def brief(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


# snapshot_rows


def test_a_listing_becomes_rows_with_the_day_and_the_scope() -> None:
    table = snapshot_rows(INFERENCE_PROFILES, [answered(VIRGINIA, profile("abc", {"team": "search"}))], TODAY)

    assert table.schema == arrow_schema(INFERENCE_PROFILES)
    assert table.to_pylist() == [
        {
            "snapshot_date": TODAY,
            "account_id": "111122223333",
            "region": "us-east-1",
            "profile_id": "abc",
            "profile_arn": "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc",
            "profile_name": "chat",
            "profile_type": "APPLICATION",
            "status": "ACTIVE",
            "model_arns": ["arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"],
            "tags": [("team", "search")],
            "created_at": None,
            "updated_at": None,
        }
    ]


def test_tags_that_could_not_be_read_are_null_and_no_tags_are_an_empty_map() -> None:
    rows = snapshot_rows(INFERENCE_PROFILES, [answered(VIRGINIA, profile("a", None), profile("b", {}))], TODAY)

    assert rows.column("tags").to_pylist() == [None, []]


def test_a_scope_that_could_not_be_read_has_no_snapshot_rows() -> None:
    rows = snapshot_rows(INFERENCE_PROFILES, [refused(TOKYO), answered(VIRGINIA, profile("a", {}))], TODAY)

    assert rows.column("region").to_pylist() == ["us-east-1"]


# status_rows


def test_a_scope_has_a_row_for_every_day_with_what_is_stored_of_it() -> None:
    coverage = {
        ("111122223333", "us-east-1", YESTERDAY): Coverage(1440, dt.datetime(2026, 11, 15), 60),
        ("111122223333", "us-east-1", TODAY): Coverage(0, NOW, 60),
    }

    rows = status_rows(STAMP, [YESTERDAY, TODAY], [answered(VIRGINIA, api_calls=7)], [], coverage)

    shared = {
        "account_id": "111122223333",
        "account_name": "production",
        "region": "us-east-1",
        "source": "cloudwatch_metrics",
        "error_text": None,
        "resolution_seconds": 60,
        "api_calls": 7,
        "run_id": "run-1",
        "finished_at": NOW,
    }
    assert rows.schema == arrow_schema(SOURCE_STATUS)
    assert rows.to_pylist() == [
        {
            **shared,
            "partition_date": YESTERDAY,
            "status": "ok",
            "row_count": 1440,
            "covered_until": dt.datetime(2026, 11, 15),
        },
        {**shared, "partition_date": TODAY, "status": "empty", "row_count": 0, "covered_until": NOW},
    ]


def test_a_scope_that_could_not_be_read_has_its_error_on_every_day_and_no_counts() -> None:
    rows = statuses(refused(VIRGINIA), days=(YESTERDAY, TODAY))

    assert brief(rows, "partition_date", "status", "error_text", "row_count", "covered_until") == [
        (YESTERDAY, "denied", "ListMetrics: AccessDenied: no", None, None),
        (TODAY, "denied", "ListMetrics: AccessDenied: no", None, None),
    ]


def test_of_a_reading_that_broke_off_only_the_days_that_lack_something_are_failed() -> None:
    coverage = {
        ("111122223333", "us-east-1", YESTERDAY): Coverage(1440, dt.datetime(2026, 11, 15), 60),
        ("111122223333", "us-east-1", TODAY): Coverage(12, None, shortfall=THROTTLED),
    }

    rows = statuses(answered(VIRGINIA, shortfall=THROTTLED), days=(YESTERDAY, TODAY), coverage=coverage)

    assert brief(rows, "partition_date", "status", "error_text", "row_count", "covered_until") == [
        (YESTERDAY, "ok", None, 1440, dt.datetime(2026, 11, 15)),
        (TODAY, "throttled", "GetMetricData: Throttling: Rate exceeded", 12, None),
    ]


def test_an_account_that_cannot_be_reached_has_one_row_for_each_of_its_regions() -> None:
    rows = statuses(unreachable=[unreachable(regions=("us-east-1", "ap-northeast-1"))])

    assert brief(rows, "account_id", "account_name", "region", "status", "error_text", "row_count", "api_calls") == [
        (None, "production", "us-east-1", "denied", "AssumeRole: AccessDenied: no", None, 0),
        (None, "production", "ap-northeast-1", "denied", "AssumeRole: AccessDenied: no", None, 0),
    ]


def test_an_account_whose_regions_could_not_be_asked_has_one_row_without_a_region() -> None:
    rows = statuses(unreachable=[unreachable(account_id="444455556666")])

    assert brief(rows, "account_id", "account_name", "region", "status") == [
        ("444455556666", "production", None, "denied")
    ]


def test_an_account_that_is_configured_twice_has_its_id_on_the_rows_of_its_first_name_only() -> None:
    second = unreachable("same account again", "111122223333", ("us-east-1",))

    rows = statuses(answered(VIRGINIA, profile("a", {})), unreachable=[second])

    assert brief(rows, "account_id", "account_name", "status") == [
        ("111122223333", "production", "ok"),
        (None, "same account again", "denied"),
    ]


# scope_rows


def resolved(*scopes: Scope, missing: tuple[UnreachableAccount, ...] = ()) -> ResolvedScopes:
    return ResolvedScopes(scopes, missing, {})


def row(scope: Scope, is_configured: bool = True) -> dict[str, Any]:
    return {
        "account_id": scope.account_id,
        "region": scope.region,
        "account_name": scope.account_name,
        "aws_partition": scope.aws_partition,
        "is_configured": is_configured,
    }


def test_scopes_are_those_of_the_configuration_in_order() -> None:
    assert scope_rows(resolved(VIRGINIA, TOKYO), []) == [row(TOKYO), row(VIRGINIA)]


def test_a_scope_that_the_configuration_no_longer_names_stays_and_is_not_configured() -> None:
    assert scope_rows(resolved(VIRGINIA), [row(TOKYO), row(VIRGINIA)]) == [row(TOKYO, False), row(VIRGINIA)]


def test_a_scope_that_the_configuration_names_again_is_configured_again() -> None:
    assert scope_rows(resolved(VIRGINIA), [row(VIRGINIA, False)]) == [row(VIRGINIA)]


def test_an_account_with_a_new_name_keeps_one_row_for_each_scope() -> None:
    renamed = Scope("111122223333", "shop", "us-east-1", "aws")

    assert scope_rows(resolved(renamed), [row(VIRGINIA)]) == [row(renamed)]


def test_an_account_that_cannot_be_reached_keeps_its_known_scopes() -> None:
    known = [row(TOKYO), row(VIRGINIA, False)]

    assert scope_rows(resolved(missing=(unreachable(),)), known) == [row(TOKYO), row(VIRGINIA)]


def test_an_account_that_cannot_be_reached_keeps_only_the_regions_that_are_configured() -> None:
    missing = (unreachable(regions=("us-east-1",)),)

    assert scope_rows(resolved(missing=missing), [row(TOKYO), row(VIRGINIA)]) == [row(TOKYO, False), row(VIRGINIA)]


def test_an_account_that_was_never_reached_has_the_scopes_that_its_role_and_regions_name() -> None:
    missing = (unreachable("gov", "777788889999", ("us-gov-west-1",)),)

    assert scope_rows(resolved(missing=missing), []) == [
        row(Scope("777788889999", "gov", "us-gov-west-1", "aws-us-gov"))
    ]


def test_an_unreachable_account_does_not_take_over_the_scopes_of_another_that_had_its_name() -> None:
    missing = (unreachable("production", "777788889999"),)

    assert scope_rows(resolved(missing=missing), [row(VIRGINIA)]) == [row(VIRGINIA, False)]
