"""What differs between two looks at a catalogue, and what the warehouse says of Regions and models."""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.catalogue_changes import (
    Change,
    QuotaKey,
    QuotaSaid,
    RegionState,
    Unanswered,
    changes,
    legacy_models,
    models_offered,
    quota_names,
    quotas_held,
    regions_known,
    unanswered_in,
)
from usage_pipeline_tests.empty_warehouse import empty_warehouse


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as con:
        con.execute("insert into raw.scopes values ('111122223333', 'us-east-1', 'production', 'aws', true)")
        yield con


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({}, {"a": 1}, [Change("a", "new", None, 1)]),
        ({"a": 1}, {"a": 2}, [Change("a", "changed", 1, 2)]),
        ({"a": 1}, {}, [Change("a", "gone", 1, None)]),
        ({"b": 1}, {"a": None}, [Change("a", "new", None, None), Change("b", "gone", 1, None)]),
    ],
)
def test_what_differs_is_new_changed_or_gone(
    before: dict[str, int], after: dict[str, int], found: list[Change[str, int]]
) -> None:
    assert changes(before, after) == found


_catalogue = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))


@given(_catalogue, _catalogue)
def test_the_changes_lead_from_one_look_to_the_other(before: dict[str, int], after: dict[str, int]) -> None:
    result = dict(before)
    for change in changes(before, after):
        if change.after is None:
            del result[change.key]
        else:
            result[change.key] = change.after

    assert result == after


def test_quotas_that_hold_are_named_by_account_and_have_the_newest_name_of_any_account(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute(
        """
        insert into raw.service_quotas by name
        select
            unnest(['111122223333', '111122223333', '999999999999']) as account_id,
            'us-east-1' as region,
            'L-1' as quota_code,
            unnest(['old name', 'name', 'older name']) as quota_name,
            unnest([1, 2, null]) as limit_value,
            'applied' as limit_source,
            unnest(['2026-11-01', '2026-11-02', '2026-10-01'])::timestamp as valid_from,
            unnest(['2026-11-02', null, null])::timestamp as valid_to,
        """
    )

    assert quotas_held(con) == {
        QuotaKey("999999999999", "us-east-1", "L-1"): QuotaSaid(None, "applied"),
        QuotaKey("production", "us-east-1", "L-1"): QuotaSaid(2, "applied"),
    }
    assert quota_names(con) == {"L-1": "name"}


def test_a_region_is_enabled_not_enabled_or_not_known_because_nobody_asked(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into raw.scopes values
            ('111122223333', 'eu-west-1', 'production', 'aws', true),
            ('111122223333', 'eu-north-1', 'production', 'aws', false),
            ('444455556666', 'us-east-1', 'research', 'aws', true);
        insert into raw.enabled_regions values
            ('111122223333', 'production', 'us-east-1', '2026-11-15'),
            ('111122223333', 'production', 'us-west-2', '2026-11-15');
        """
    )

    assert list(regions_known(con).values()) == [
        RegionState("production", "eu-west-1", is_enabled=False, is_configured=True),
        RegionState("production", "us-east-1", is_enabled=True, is_configured=True),
        RegionState("production", "us-west-2", is_enabled=True, is_configured=False),
        RegionState("research", "us-east-1", is_enabled=None, is_configured=True),
    ]


def test_models_are_those_of_each_scopes_newest_catalogue(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into raw.foundation_models by name
        select
            unnest(['2026-11-14', '2026-11-15'])::date as snapshot_date,
            '111122223333' as account_id,
            'us-east-1' as region,
            unnest(['old', 'new']) as model_id,
            'LEGACY' as lifecycle_status,
        """
    )

    assert list(models_offered(con)) == [("production", "us-east-1", "new")]
    assert legacy_models(con) == [], "the SQL models were never built"


def test_what_a_run_could_not_read_is_that_runs_alone(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into ops.source_status by name
        select
            'service_quotas' as source,
            'production' as account_name,
            unnest(['us-east-1', null, 'eu-west-1', 'eu-west-1']) as region,
            unnest(['denied', 'failed', 'empty', 'denied']) as status,
            unnest(['no', null, null, 'earlier']) as error_text,
            unnest(['run', 'run', 'run', 'other']) as run_id,
        """
    )

    assert unanswered_in(con, "run") == [
        Unanswered("service_quotas", "production", "us-east-1", "no"),
        Unanswered("service_quotas", "production", None, "failed"),
    ]
