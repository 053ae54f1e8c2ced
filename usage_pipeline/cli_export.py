"""The commands `usage-pipeline export …`: what is published, in files that people and programs read.

Not here: what the files say (`quotas/overrides.py`), other commands (`cli.py`).
"""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from usage_pipeline.cli_console import ConfigOption, say, settings_or_stop, stop
from usage_pipeline.config import Settings

export_app = typer.Typer(help="Write what is published as files.", no_args_is_help=True)


@export_app.callback()
def export() -> None:
    """Write what is published as files."""


@export_app.command("quota-index")
def export_quota_index(
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write [default: the terminal].")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write which quota code limits which model, as CSV to review; corrected, it serves as the file of overrides."""
    from usage_pipeline.quotas.overrides import UNMAPPED, index_text

    mappings = _published_mappings(settings_or_stop(config))
    text = index_text(mappings)
    if file is None:
        typer.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8", newline="") as opened:
            opened.write(text)
    except FileExistsError:
        stop(f"{file} exists already and was left as it is, for it may hold your decisions; name another file.")
    except OSError as error:
        stop(f"{file} could not be written: {error.strerror}")
    rows = list(csv.DictReader(text.splitlines()))
    still_open = sum(row["method"] == UNMAPPED for row in rows)
    say(f"Wrote {len(rows)} rows, {still_open} of them still open, to {file}")


def _published_mappings(settings: Settings) -> list[dict[str, Any]]:
    """The rows of `raw.quota_mappings` that readers see; ends the command when nothing is published."""
    import duckdb

    published = settings.published_file
    if not published.exists():
        stop(f"There is nothing to export: {published} does not exist. Run `usage-pipeline run` first.")
    with duckdb.connect(str(published), read_only=True) as con:
        return con.execute("select * from raw.quota_mappings").to_arrow_table().to_pylist()
