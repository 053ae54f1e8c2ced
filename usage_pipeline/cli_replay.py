"""The command `usage-pipeline replay`: what other settings would have done to a pool's stored calls.

Here: options, the table and the JSON. Not here: the replay (`replays.py`), the limiters (`planning/limiter.py`).
"""

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usage_pipeline.cli_console import ConfigOption, err, out, say, settings_or_stop, stop

if TYPE_CHECKING:
    from rich.table import Table

    from usage_pipeline.planning.replay import Outcome, Settings
    from usage_pipeline.replays import Changes, Replayed


MEMORY_LIMIT = "400MB"
"""Memory for sorting the calls; more of them are sorted in temporary files."""

MOST_TRAFFIC = 100
"""Times today's calls; more would take gigabytes and says nothing of callers that are like today's."""


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
    from usage_pipeline.replays import as_data

    if not 0 < traffic <= MOST_TRAFFIC:
        stop(f"--traffic is {traffic}; it is a factor of today's calls, above 0 and at most {MOST_TRAFFIC}.")
    if quota is not None and endpoint is not None:
        stop("--endpoint takes the quotas of another pool, and --quota names one; give one or the other.")
    if days is not None and (first or last):
        stop("--days counts back from the newest call, --from and --to name a range; give one or the other.")
    if bool(first) != bool(last):
        stop("--from and --to belong together; name both days.")
    if first and last and first > last:
        stop(f"--from {first.date()} is after --to {last.date()}.")
    published = settings_or_stop(config).published_file
    if not published.exists():
        stop(f"There is nothing to replay: {published} does not exist. Run `usage-pipeline run` first.")
    changes = _changes_or_stop(traffic, max_tokens, quota, burndown, endpoint)
    found = _replayed_or_stop(published, pool, changes, days, first, last)
    if as_json:
        typer.echo(json.dumps(as_data(found), indent=2))
    else:
        _show(found, published)


def _changes_or_stop(
    traffic: float, max_tokens: int | None, quota: str | None, burndown: str | None, endpoint: str | None
) -> "Changes":
    from usage_pipeline.replays import Changes, ReplayError, quota_of, rate_of

    try:
        return Changes(
            traffic=traffic,
            max_tokens=max_tokens,
            quota=None if quota is None else quota_of(quota),
            burndown_rate=None if burndown is None else rate_of(burndown),
            endpoint_type=endpoint,
        )
    except ReplayError as error:
        stop(str(error))


def _replayed_or_stop(
    published: Path,
    pool: str,
    changes: "Changes",
    count: int | None,
    first: dt.datetime | None,
    last: dt.datetime | None,
) -> "Replayed":
    import duckdb

    from usage_pipeline.planning_inputs import Days
    from usage_pipeline.replays import DEFAULT_DAYS, ask, newest_days, replayed

    with err.status("Replaying the stored calls …"), tempfile.TemporaryDirectory() as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
        }
        try:
            with duckdb.connect(str(published), read_only=True, config=config) as con:
                named = Days(first.date(), last.date()) if first and last else None
                asked = ask(con, pool, changes, named or newest_days(con, pool, count or DEFAULT_DAYS))
            return replayed(asked)
        except ValueError as error:
            stop(str(error))


def _show(found: "Replayed", published: Path) -> None:
    from usage_pipeline.replays import as_data

    data = as_data(found)
    say(f"{found.asked.pool_id}, {found.asked.days.first} to {found.asked.days.last}: {data['calls']:,} calls")
    out.print(_table(found))
    say(
        f"Filled in: the latency of {data['calls_without_latency']:,} calls, max_tokens of "
        f"{data['calls_without_max_tokens']:,}. Left out: {data['calls_left_out']:,} calls without counts."
    )
    say("Estimates: AWS does not publish how its limiter measures a minute; it may lie between both shapes, or beside.")
    say(f"{'from':12} {published}")


def _table(found: "Replayed") -> "Table":
    """Today's and the changed settings side by side, each for both shapes."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    columns: list[tuple[Settings, Outcome]] = []
    for label, settings, outcomes in (
        ("today", found.asked.today, found.today),
        ("changed", found.asked.changed, found.changed),
    ):
        for outcome in outcomes or ():
            if settings is not None:
                table.add_column(f"{label}\n{outcome.shape}", justify="right")
                columns.append((settings, outcome))
    for name, values in _lines(columns):
        table.add_row(name, *values)
    return table


def _lines(columns: "list[tuple[Settings, Outcome]]") -> list[tuple[str, list[str]]]:
    settings = [each for each, _ in columns]
    outcomes = [each for _, each in columns]
    return [
        ("tokens per minute", [f"{each.limits.tokens:,}" for each in settings]),
        ("requests per minute", [_count(each.limits.requests) for each in settings]),
        ("burndown rate", [f"{float(each.burndown_rate):g}" for each in settings]),
        ("max_tokens", ["as called" if each.max_tokens is None else f"{each.max_tokens:,}" for each in settings]),
        ("traffic", [f"x {each.traffic:g}" for each in settings]),
        ("requests", [f"{each.requests:,}" for each in outcomes]),
        ("throttled requests", [_with_share(each) for each in outcomes]),
        ("attempts", [f"{each.attempts:,}" for each in outcomes]),
        ("lost requests", [f"{each.lost_requests:,}" for each in outcomes]),
        ("minutes with throttles", [f"{each.throttled_minutes:,}" for each in outcomes]),
        ("wait P99", [_seconds(each.wait_p99) for each in outcomes]),
        ("longest wait", [_seconds(each.wait_max) for each in outcomes]),
        ("answers that are cut", [f"{each.cut_answers:,}" for each in outcomes]),
    ]


def _count(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "none served" if value is None else f"{value:.1f} s"


def _with_share(outcome: "Outcome") -> str:
    share = outcome.throttled_share
    return f"{outcome.throttled_requests:,}" + ("" if share is None else f" ({share:.2%})")
