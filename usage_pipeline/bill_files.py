"""Reads the files of an AWS cost and usage report (CUR 2.0): Bedrock's lines, added up to rows of raw.bill.

DuckDB reads CSV, gzipped CSV and Parquet by column name, without loading a file whole. Here: which lines are Bedrock's,
what each needs, and what is said of files that cannot be used. Not here: storing (`assets/raw_bill.py`), what a usage
type means (`prices/usage_types.py`).
"""

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from usage_pipeline.aws.errors import cut

NEEDED_COLUMNS = (
    "bill_billing_period_start_date",
    "line_item_usage_account_id",
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_usage_amount",
    "line_item_unblended_cost",
    "product_region_code",
)
"""Columns without which a file cannot be used."""

OTHER_COLUMNS = (
    "bill_payer_account_id",
    "line_item_currency_code",
    "line_item_resource_id",
    "pricing_unit",
    "product",
    "product_servicecode",
)
"""Columns that are read where the export has them. `product` is a map, in CSV a JSON text; its product_name is read."""

CSV_ENDINGS = (".csv", ".csv.gz")
PARQUET_ENDING = ".parquet"

_MONEY = "decimal(38, 12)"
_MOST_TEXT = 300


class BillError(Exception):
    """The files cannot be used as a bill; the text names the file, what was read and what is allowed."""


@dataclass(frozen=True)
class BillFiles:
    """What the files say: rows of raw.bill, one for each of its keys."""

    paths: tuple[Path, ...]
    rows: pa.Table


@dataclass(frozen=True)
class _Layout:
    """The columns of a file, in order, with DuckDB's type of each; files of one layout are read together."""

    is_parquet: bool
    columns: tuple[tuple[str, str], ...]

    @property
    def types(self) -> dict[str, str]:
        """The type of each column by name."""
        return dict(self.columns)


def read_bill(files: str) -> BillFiles:
    """Bedrock's lines of all files that fit the path with wildcards, added up.

    Every file counts, so an export that was cut into several is whole. A month of a payer must lie in one folder,
    because each delivery of an export holds the whole month.

    Raises:
        BillError: no file fits, a file cannot be read or lacks a column, a value is not allowed, or a month is there
            twice.
    """
    paths = _paths(files)
    # Beyond its memory DuckDB works in a folder; by default that would be `.tmp` in the working directory.
    with (
        TemporaryDirectory() as spilled,
        duckdb.connect(":memory:", config={"memory_limit": "500MB", "temp_directory": spilled}) as con,
    ):
        # Times of Parquet files may have a zone; they are days of UTC.
        con.execute("set TimeZone = 'UTC'")
        by_layout: defaultdict[_Layout, list[str]] = defaultdict(list)
        for path in paths:
            by_layout[_layout(con, path)].append(str(path))
        try:
            con.execute(f"create temp table lines as {_lines(by_layout)}", _parameters(by_layout))
        except duckdb.Error as error:
            raise BillError(f"{files}: the export cannot be read: {cut(str(error), _MOST_TEXT)}") from error
        _refuse_wrong_values(con)
        _refuse_months_that_are_there_twice(con)
        rows = con.execute(_ADDED_UP).to_arrow_table()
    return BillFiles(paths, rows)


def _paths(files: str) -> tuple[Path, ...]:
    root = Path(Path(files).anchor)
    paths = tuple(sorted(path for path in root.glob(str(Path(files).relative_to(root))) if path.is_file()))
    if not paths:
        raise BillError(f"{files}: no file fits; allowed: files of the export, with * for what differs.")
    for path in paths:
        if not path.name.endswith((*CSV_ENDINGS, PARQUET_ENDING)):
            raise BillError(f"{path}: is no file of an export; allowed: names that end with .csv, .csv.gz or .parquet.")
    return paths


def _layout(con: duckdb.DuckDBPyConnection, path: Path) -> _Layout:
    is_parquet = path.name.endswith(PARQUET_ENDING)
    try:
        columns = _parquet_columns(con, path) if is_parquet else [(name, "VARCHAR") for name in _csv_header(path)]
    except (OSError, EOFError, ValueError, csv.Error, duckdb.Error) as error:
        raise BillError(f"{path}: cannot be read: {cut(str(error), _MOST_TEXT)}") from error
    names = [name for name, _ in columns]
    if missing := [name for name in NEEDED_COLUMNS if name not in names]:
        raise BillError(
            f"{path}: has no column {', '.join(missing)}; allowed: a CUR 2.0 export with {', '.join(NEEDED_COLUMNS)}."
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise BillError(f"{path}: has the column {repeated[0]} twice; allowed: each column once.")
    return _Layout(is_parquet, tuple(columns))


def _parquet_columns(con: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[str, str]]:
    query = "describe select * from read_parquet($path, hive_partitioning = false)"
    return [(name, type_name) for name, type_name, *_ in con.execute(query, {"path": str(path)}).fetchall()]


def _csv_header(path: Path) -> list[str]:
    with path.open("rb") as file:
        unpacked = gzip.GzipFile(fileobj=file) if path.name.endswith(".gz") else file
        return next(csv.reader(io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="")), [])


def _lines(layouts: Iterable[_Layout]) -> str:
    """The query for Bedrock's lines of all layouts, as text; each layout has its files in the parameter `files_<n>`."""
    selects = [_layout_lines(layout, f"$files_{number}") for number, layout in enumerate(layouts)]
    return "\nunion all by name\n".join(selects)


def _parameters(by_layout: dict[_Layout, list[str]]) -> dict[str, list[str]]:
    return {f"files_{number}": paths for number, paths in enumerate(by_layout.values())}


def _layout_lines(layout: _Layout, files: str) -> str:
    """Bedrock's lines of the files of one layout, added up by file, day and all that tells rows of raw.bill apart."""
    types = layout.types
    texts = {name: _text(name) if name in types else "null::varchar" for name in (*NEEDED_COLUMNS, *OTHER_COLUMNS)}
    product_name = _product_name(types.get("product"))
    amount, cost = texts.pop("line_item_usage_amount"), texts.pop("line_item_unblended_cost")
    for day in ("bill_billing_period_start_date", "line_item_usage_start_date"):
        texts[day] = f"left({texts[day]}, 10)"
    del texts["product"]
    return f"""
        select
            filename,
            {product_name} as product_name,
            {", ".join(f"{text} as {name}" for name, text in texts.items())},
            sum(try_cast({amount} as {_MONEY})) as usage_amount,
            sum(try_cast({cost} as {_MONEY})) as billed_usd,
            min({amount}) filter (where try_cast({amount} as {_MONEY}) is null) as line_item_usage_amount,
            min(coalesce({cost}, '')) filter (where try_cast({cost} as {_MONEY}) is null) as line_item_unblended_cost,
        from {_source(layout, files)}
        where
            starts_with({texts["line_item_product_code"]}, 'AmazonBedrock')
            or starts_with({texts["product_servicecode"]}, 'AmazonBedrock')
            or {product_name} ilike '%(Amazon Bedrock Edition)'
        group by all
    """


def _source(layout: _Layout, files: str) -> str:
    if layout.is_parquet:
        return f"read_parquet({files}, filename = true, hive_partitioning = false)"
    # Nothing is guessed from the content: all is text, and the header has said which columns there are.
    columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name, _ in layout.columns)
    return (
        f"read_csv({files}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{columns}}}, filename = true, hive_partitioning = false)"
    )


def _text(name: str) -> str:
    """The column as text; NULL where it is empty. A float's shortest text is what AWS wrote, its bits are not."""
    return f"nullif(trim({name}::varchar), '')"


def _product_name(type_name: str | None) -> str:
    if type_name is None:
        return "null::varchar"
    if type_name.startswith("MAP"):
        return "nullif(product['product_name']::varchar, '')"
    return "nullif(if(json_valid(product::varchar), product::varchar ->> '$.product_name', null), '')"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_WRONG_VALUES = {
    "bill_billing_period_start_date": ("try_cast({0} as date) is null", "a day such as 2026-11-01"),
    "line_item_usage_start_date": ("try_cast({0} as date) is null", "a day such as 2026-11-14"),
    "line_item_usage_account_id": ("not regexp_full_match(coalesce({0}, ''), '[0-9]{{12}}')", "twelve digits"),
    "line_item_line_item_type": ("{0} is null", "a type such as Usage"),
    "line_item_unblended_cost": ("{0} is not null", "an amount of US dollars"),
    "line_item_usage_amount": ("{0} is not null", "a number, or nothing"),
    "line_item_currency_code": ("{0} <> 'USD'", "USD, in which prices are"),
}
"""For each column that must not hold just any text: which of `lines` are wrong, and what is allowed."""


def _refuse_wrong_values(con: duckdb.DuckDBPyConnection) -> None:
    for name, (is_wrong, allowed) in _WRONG_VALUES.items():
        query = f"select filename, {name} from lines where {is_wrong.format(name)} order by all limit 1"
        found = con.execute(query).fetchone()
        if found is not None:
            read = repr(cut(found[1], _MOST_TEXT)) if found[1] else "nothing"
            raise BillError(f"{found[0]}: {name}: read {read}; allowed: {allowed}.")


def _refuse_months_that_are_there_twice(con: duckdb.DuckDBPyConnection) -> None:
    found = con.execute(
        """
        select
            left(bill_billing_period_start_date, 7) as month,
            list(distinct parse_dirpath(filename) order by parse_dirpath(filename)) as folders,
        from lines
        group by month, bill_payer_account_id
        having len(folders) > 1
        order by month
        limit 1
        """
    ).fetchone()
    if found is not None:
        month, folders = found
        raise BillError(
            f"The bill of {month} lies in {' and in '.join(folders[:2])}; allowed: one folder, because each delivery "
            "holds the whole month. Let the export overwrite its files, or name one folder."
        )


_ADDED_UP = """
    select
        date_trunc('month', bill_billing_period_start_date::date)::date as billing_month,
        bill_payer_account_id as payer_account_id,
        line_item_usage_start_date::date as usage_date,
        line_item_usage_account_id as account_id,
        coalesce(
            product_region_code,
            nullif(split_part(line_item_resource_id, ':', 4), '')
        ) as region,
        line_item_product_code as product_code,
        product_name,
        line_item_usage_type as usage_type,
        line_item_resource_id as resource_id,
        line_item_line_item_type as line_type,
        pricing_unit as unit,
        sum(usage_amount)::decimal(38, 12) as usage_amount,
        sum(billed_usd)::decimal(38, 12) as billed_usd,
    from lines
    group by all
    order by all
"""
