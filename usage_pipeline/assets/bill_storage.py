"""Stores the bill: a month of a payer is replaced whole, because AWS delivers it whole each time.

Not here: reading the files (`bill_files.py`), when that is done (`raw_bill.py`).
"""

import duckdb
import pyarrow as pa

from usage_pipeline.raw_tables import BILL
from usage_pipeline.warehouse import arrow_schema, note_changed_days, transaction

_SAME_MONTH = """
    exists (
        from incoming_bill as incoming
        where
            incoming.billing_month = stored.billing_month
            and incoming.payer_account_id is not distinct from stored.payer_account_id
    )
"""


def replace_months(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> int:
    """Replace the rows of every month and payer that the rows are of, in one transaction; other months stay.

    Days whose rows really changed are noted in `ops.day_changes`. Returns the number of rows written.
    """
    name = BILL.qualified_name
    con.register("incoming_bill", rows.cast(arrow_schema(BILL)))
    try:
        with transaction(con):
            stored = f"from {name} as stored where {_SAME_MONTH}"
            changed = con.execute(
                f"""
                select usage_date from (select * {stored} except all select * from incoming_bill)
                union
                select usage_date from (select * from incoming_bill except all select * {stored})
                """
            ).fetchall()
            con.execute(f"delete {stored}")
            con.execute(f"insert into {name} by name select * from incoming_bill")
            note_changed_days(con, name, {day for (day,) in changed})
    finally:
        con.unregister("incoming_bill")
    return rows.num_rows
