"""Warehouses of earlier versions keep what they hold."""

import datetime as dt

import duckdb
import pytest

from usage_pipeline.raw_tables import SERVICE_QUOTAS
from usage_pipeline.warehouse import prepare_tables

QUOTAS_BY_DAY = """
    create schema raw;
    create table raw.service_quotas (
        snapshot_date date,
        account_id varchar,
        region varchar,
        quota_code varchar,
        quota_name varchar,
        limit_value double,
        limit_source varchar,
        default_value double,
        unit varchar,
        adjustable boolean,
        quota_arn varchar
    );
    insert into raw.service_quotas by name
    select
        unnest(['2026-11-10', '2026-11-11', '2026-11-13', '2026-11-14'])::date as snapshot_date,
        '111122223333' as account_id,
        'us-east-1' as region,
        'L-1' as quota_code,
        'a quota' as quota_name,
        unnest([100.0, 100.0, 200.0, 100.0]) as limit_value,
        'applied' as limit_source,
        true as adjustable;
    insert into raw.service_quotas by name
    select * replace ('L-2' as quota_code, null as limit_value)
    from raw.service_quotas where snapshot_date in ('2026-11-10', '2026-11-13');
    insert into raw.service_quotas by name
    select * replace ('eu-west-1' as region)
    from raw.service_quotas where quota_code = 'L-1' and snapshot_date = '2026-11-11';
"""
"""A table with one row per day asked, as versions before 2026-11 wrote it."""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:")
    con.execute(QUOTAS_BY_DAY)
    return con


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 11, number)


def test_quotas_by_day_become_periods(con: duckdb.DuckDBPyConnection) -> None:
    prepare_tables(con)

    columns = "region, quota_code, limit_value, limit_source, adjustable, valid_from, valid_to"
    assert con.execute(f"select {columns} from raw.service_quotas order by all").fetchall() == [
        ("eu-west-1", "L-1", 100, "applied", True, day(11), None),
        ("us-east-1", "L-1", 100, "applied", True, day(10), day(13)),
        ("us-east-1", "L-1", 100, "applied", True, day(14), None),
        ("us-east-1", "L-1", 200, "applied", True, day(13), day(14)),
        # AWS did not list it on the 11th and the 14th.
        ("us-east-1", "L-2", None, "applied", True, day(10), day(11)),
        ("us-east-1", "L-2", None, "applied", True, day(13), day(14)),
    ]


def test_the_table_is_as_if_it_had_been_made_anew_and_stays_so(con: duckdb.DuckDBPyConnection) -> None:
    prepare_tables(con)
    prepare_tables(con)

    described = con.execute("describe raw.service_quotas").fetchall()
    assert [row[0] for row in described] == [column.name for column in SERVICE_QUOTAS.columns]
    tables = "select table_name, comment from duckdb_tables() where table_name like 'service_quotas%'"
    assert con.execute(tables).fetchall() == [("service_quotas", SERVICE_QUOTAS.description)]
    assert con.execute("select count(*) from raw.service_quotas").fetchone() == (6,)


def test_what_cannot_be_moved_leaves_the_table_as_it_was(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("alter table raw.service_quotas drop column unit")

    with pytest.raises(duckdb.BinderException, match="unit"):
        prepare_tables(con)
    assert con.execute("select count(*) from raw.service_quotas where snapshot_date is not null").fetchone() == (7,)
