"""The command `usage-pipeline replay`: what other settings would have done to a pool's stored calls.

Here: options, and where what is said. Not here: the replay (`replays.py`), its words (`replay_texts.py`).
"""

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usage_pipeline.cli_console import ConfigOption, err, out, say, settings_or_stop, stop

if TYPE_CHECKING:
    from rich.table import Table

    from usage_pipeline.replays import Changes, Replayed


def replay_command(
    pool: Annotated[str, typer.Option("--pool", help="A pool_id of marts.quota_pools.")],
    traffic: Annotated[float, typer.Option(help="Factor of the number of calls.")] = 1.0,
    max_tokens: Annotated[int | None, typer.Option(min=1, max=100_000_000, help="max_tokens of every call.")] = None,
    quota: Annotated[str | None, typer.Option(help="Tokens per minute, such as 2e6.")] = None,
    burndown: Annotated[str | None, typer.Option(help="What an output token counts, such as 5.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Endpoint type whose quotas hold: geo, global or on_demand.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Newest days to replay [default: 7].")] = None,
    first: Annotated[
        dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First UTC day.")
    ] = None,
    last: Annotated[
        dt.datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last UTC day.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print data for programs.")] = False,
    config: ConfigOption = None,
) -> None:
    """Send a pool's stored calls through its quota once more, with other traffic, max_tokens, quota or endpoint type.

    Estimates: AWS does not publish how its limiter measures a minute, so two shapes are shown.
    """
    from usage_pipeline.replays import ReplayError, as_data, changes_of

    try:
        changes = changes_of(traffic, max_tokens, quota, burndown, endpoint)
    except ReplayError as error:
        stop(str(error))
    if days is not None and (first or last):
        stop("--days counts back from the newest call, --from and --to name a range; give one or the other.")
    if bool(first) != bool(last):
        stop("--from and --to belong together; name both days.")
    if first and last and first > last:
        stop(f"--from {first.date()} is after --to {last.date()}.")
    published = settings_or_stop(config).published_file
    if not published.exists():
        stop(f"There is nothing to replay: {published} does not exist. Run `usage-pipeline run` first.")
    found = _replayed_or_stop(published, pool, changes, days, first, last)
    if as_json:
        typer.echo(json.dumps(as_data(found), indent=2))
    else:
        _show(found, published)


def _replayed_or_stop(
    published: Path,
    pool: str,
    changes: "Changes",
    count: int | None,
    first: dt.datetime | None,
    last: dt.datetime | None,
) -> "Replayed":
    from usage_pipeline.planning_inputs import Days
    from usage_pipeline.replays import DEFAULT_DAYS, replay_published

    days = Days(first.date(), last.date()) if first and last else count or DEFAULT_DAYS
    with err.status("Replaying the stored calls …"):
        try:
            return replay_published(published, pool, changes, days)
        except ValueError as error:
            stop(str(error))


def _show(found: "Replayed", published: Path) -> None:
    from usage_pipeline.replay_texts import ESTIMATES, filled_in_text
    from usage_pipeline.replays import as_data

    data = as_data(found)
    say(f"{found.asked.pool_id}, {found.asked.days.first} to {found.asked.days.last}: {data['calls']:,} calls")
    out.print(_table(found))
    say(filled_in_text(data))
    say(ESTIMATES)
    say(f"{'from':12} {published}")


def _table(found: "Replayed") -> "Table":
    """Today's and the changed settings side by side, each for both shapes."""
    from rich.table import Table

    from usage_pipeline.replay_texts import columns_of, lines_of

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    columns = columns_of(found)
    for column in columns:
        table.add_column(f"{column.label}\n{column.outcome.shape}", justify="right")
    for name, values in lines_of(columns):
        table.add_row(name, *values)
    return table
