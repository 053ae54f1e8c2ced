"""The one daily partitions definition. Every partitioned asset uses it; days are UTC days."""

import datetime as dt

import dagster as dg

FIRST_DAY = dt.date(2023, 9, 28)
"""Amazon Bedrock became generally available on 2023-09-28; there is no usage before."""

daily_partitions = dg.DailyPartitionsDefinition(
    start_date=FIRST_DAY.isoformat(),
    timezone="UTC",
    # Today is a partition too: it is read up to the last whole minute and read again tomorrow.
    end_offset=1,
)


def partition_days(keys: list[str]) -> list[dt.date]:
    """The UTC days of partition keys such as `2026-11-15`, in order."""
    return sorted(dt.date.fromisoformat(key) for key in keys)
