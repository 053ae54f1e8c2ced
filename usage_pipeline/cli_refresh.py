"""The commands `usage-pipeline refresh …`: read one catalogue anew, and say what was found and what changed.

Not here: reading AWS (`assets/raw_catalogue.py`), the jobs (`schedules.py`), what counts as a change
(`catalogue_changes.py`), other commands (`cli.py`).
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from usage_pipeline.cli_console import ConfigOption, out, ready_to_run, say, say_outcome, settings_or_stop, stop, warn
from usage_pipeline.config import Settings

if TYPE_CHECKING:
    import duckdb

    from usage_pipeline.catalogue_changes import LegacyModel, RegionState
    from usage_pipeline.quota_mapping_changes import MappingSaid, MappingsHeld
    from usage_pipeline.runs import RunOutcome

MOST_LINES = 100
"""Lines of one table; what is beyond is counted."""

WIDTH_OF_A_FILE = 200
"""Characters of a line where the output is no terminal."""

refresh_app = typer.Typer(
    help="Read quotas, Regions or models anew, without metrics or logs, and say what changed.", no_args_is_help=True
)

Seen = TypeVar("Seen")
Known = TypeVar("Known")


@refresh_app.callback()
def refresh() -> None:
    """Read quotas, Regions or models anew, without metrics or logs, and say what changed."""


@refresh_app.command("quotas")
def refresh_quotas(config: ConfigOption = None) -> None:
    """Read every quota of every account and Region, and show those whose value changed."""
    from usage_pipeline.catalogue_changes import changes, quota_names, quotas_held
    from usage_pipeline.schedules import REFRESH_QUOTAS_JOB

    settings = settings_or_stop(config)
    before, after, names, outcome = _looked_before_and_after(settings, REFRESH_QUOTAS_JOB, quotas_held, quota_names)
    scopes = {(key.account_name, key.region) for key in after}
    found = changes(before, after)
    # All of a scope's quotas are new when it is read for the first time.
    known_scopes = {(key.account_name, key.region) for key in before}
    shown = [change for change in found if (change.key.account_name, change.key.region) in known_scopes]
    say(
        f"Found {len(after):,} quotas in {len(scopes)} accounts and Regions; {len(shown)} changed since the last "
        "reading."
    )
    _show(
        "Changed quotas",
        ("account", "Region", "code", "quota", "before", "now", "source"),
        [
            (
                change.key.account_name,
                change.key.region,
                change.key.quota_code,
                names.get(change.key.quota_code, ""),
                _amount(change.before.limit_value) if change.before else "not listed",
                _amount(change.after.limit_value) if change.after else "no longer listed",
                change.after.limit_source if change.after else "",
            )
            for change in shown
        ],
    )
    raise typer.Exit(say_outcome(settings, outcome))


@refresh_app.command("regions")
def refresh_regions(config: ConfigOption = None) -> None:
    """Ask every account which Regions with Bedrock it has enabled, and show which of them are read."""
    from usage_pipeline.catalogue_changes import changes, regions_known
    from usage_pipeline.schedules import REFRESH_REGIONS_JOB

    settings = settings_or_stop(config)
    before, after, _, outcome = _looked_before_and_after(settings, REFRESH_REGIONS_JOB, regions_known, lambda _: None)
    changed = {change.key: change.kind for change in changes(before, after)} if before else {}
    unread = sum(state.is_enabled is True and not state.is_configured for state in after.values())
    say(
        f"Found {sum(state.is_enabled is True for state in after.values())} enabled Regions with Bedrock in "
        f"{len({state.account_name for state in after.values()})} accounts; {unread} of them are not read."
    )
    _show(
        "Regions",
        ("account", "Region", "enabled", "read", "since the last reading"),
        [(*_region_words(state), changed.get(key, "")) for key, state in after.items()]
        + [(*key, "", "", "gone") for key, kind in changed.items() if kind == "gone"],
    )
    raise typer.Exit(say_outcome(settings, outcome))


@refresh_app.command("models")
def refresh_models(config: ConfigOption = None) -> None:
    """Read the models of every account and Region, show new and removed ones, and those in use that AWS ends."""
    from usage_pipeline.catalogue_changes import changes, legacy_models, models_offered
    from usage_pipeline.schedules import REFRESH_MODELS_JOB

    settings = settings_or_stop(config)
    before, after, legacy, outcome = _looked_before_and_after(
        settings, REFRESH_MODELS_JOB, models_offered, legacy_models
    )
    known_scopes = {key[:2] for key in before}
    shown = [change for change in changes(before, after) if change.key[:2] in known_scopes]
    used = sum(model.calls_30_days > 0 for model in legacy)
    say(
        f"Found {len({key[2] for key in after})} models in {len({key[:2] for key in after})} accounts and Regions; "
        f"{len(shown)} changed since the last reading; {used} in use have an end."
    )
    _show(
        "Changed models",
        ("account", "Region", "model", "change", "lifecycle", "end of life"),
        [
            (
                *change.key,
                change.kind,
                (change.after.lifecycle_status if change.after else None) or "",
                _day(change.after.end_of_life_at) if change.after else "",
            )
            for change in shown
        ],
    )
    _show(
        "Legacy models",
        ("account", "Region", "model", "legacy since", "end of life", "calls in 30 days", "last used"),
        [_legacy_words(model) for model in legacy],
    )
    raise typer.Exit(say_outcome(settings, outcome))


@refresh_app.command("quota-mappings")
def refresh_quota_mappings(
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="Region in which the language model is asked.")
    ] = None,
    llm_model: Annotated[
        str | None,
        typer.Option(
            "--llm-model", metavar="MODEL", help="Model id or inference profile to ask what rules leave open."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Read models and quotas, map them anew, and ask a language model what rules leave open, if one is named.

    The options stand in for `quota_mapping.llm_region` and `quota_mapping.llm_model` in this one call.
    """
    from usage_pipeline.catalogue_changes import changes
    from usage_pipeline.quota_mapping_changes import mappings_held
    from usage_pipeline.schedules import REFRESH_QUOTA_MAPPINGS_JOB

    settings = _with_mapper(settings_or_stop(config), region, llm_model)
    before, after, _, outcome = _looked_before_and_after(
        settings, REFRESH_QUOTA_MAPPINGS_JOB, mappings_held, lambda _: None
    )
    _say_mapped(settings, before, after)
    _show(
        "Changed mappings",
        ("account", "Region", "model", "endpoint", "kind", "mapped before", "mapped to", "by"),
        [
            (
                *astuple(change.key),
                _code(change.before),
                _code(change.after),
                change.after.method if change.after else "",
            )
            for change in (changes(before.mappings, after.mappings) if before.mappings else [])
        ],
    )
    _show(
        "Refused answers",
        ("account", "Region", "model", "endpoint", "kind", "answer", "why"),
        [
            (*astuple(key), answer.answered_code or "unreadable", answer.reason)
            for key, answer in after.answers.items()
            if answer.status == "refused"
        ],
    )
    raise typer.Exit(say_outcome(settings, outcome))


# ---------------------------------------------------------------------------------------------------------------------
# Running


def _with_mapper(settings: Settings, region: str | None, llm_model: str | None) -> Settings:
    """The settings with the options of this call in place of the configured ones."""
    from usage_pipeline.config_values import checked_region

    given = {"llm_region": region, "llm_model": llm_model}
    try:
        if region is not None:
            checked_region(region)
    except ValueError as error:
        stop(f"--region: {error}")
    if llm_model == "":
        stop("--llm-model: read nothing; allowed: a model id or inference profile.")
    options = settings.quota_mapping.model_copy(update={name: value for name, value in given.items() if value})
    return settings.model_copy(update={"quota_mapping": options})


def _looked_before_and_after(
    settings: Settings,
    job: str,
    look: "Callable[[duckdb.DuckDBPyConnection], Seen]",
    look_after: "Callable[[duckdb.DuckDBPyConnection], Known]",
) -> "tuple[Seen, Seen, Known, RunOutcome]":
    """Run the job, and look at the warehouse before and after it; says which scopes did not answer."""
    from usage_pipeline.catalogue_changes import unanswered_in
    from usage_pipeline.runs import refresh as run_refresh
    from usage_pipeline.warehouse import Warehouse

    warehouse = Warehouse.of(settings)
    with ready_to_run(settings, job.replace("_", " ")) as (instance, progress):
        with warehouse.connect() as con:
            before = look(con)
        outcome = run_refresh(settings, instance, job, progress)
        with warehouse.connect() as con:
            after, known, unanswered = look(con), look_after(con), unanswered_in(con, outcome.run_id)
    for scope in unanswered:
        place = f"{scope.account_name} {scope.region}" if scope.region else scope.account_name
        warn(f"{scope.source.replace('_', ' ')} of {place} were not read: {scope.error_text}")
    return before, after, known, outcome


# ---------------------------------------------------------------------------------------------------------------------
# Showing


def _show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of what AWS said, as text without markup; nothing when there are no rows."""
    listed = list(rows)
    if not listed:
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in _NUMBERS else "left")
    for row in listed[:MOST_LINES]:
        table.add_row(*(Text(cell) for cell in row))
    if len(listed) > MOST_LINES:
        table.caption = f"and {len(listed) - MOST_LINES:,} more"
    console = out if out.is_terminal else Console(width=WIDTH_OF_A_FILE)
    console.print(table)


def _say_mapped(settings: Settings, before: "MappingsHeld", after: "MappingsHeld") -> None:
    """How many quotas are mapped by whom, and what asking took."""
    from usage_pipeline.catalogue_changes import changes
    from usage_pipeline.quota_mapping_changes import cost_of

    mapped = Counter(one.method for one in after.mappings.values() if one.status == "mapped")
    still_open = sum(one.status == "unmapped" for one in after.mappings.values())
    by_whom = ", ".join(f"{count:,} by {method}" for method, count in sorted(mapped.items())) or "none"
    say(f"Mapped {mapped.total():,} quotas ({by_whom}); {still_open:,} are open.")
    if settings.quota_mapping.llm_model is None:
        say("No language model was asked: quota_mapping.llm_model is not set, and --llm-model was not given.")
        return
    said = [change.after for change in changes(before.answers, after.answers) if change.after is not None]
    took = cost_of([answer for answer in said if answer.mapper_model_id == settings.quota_mapping.llm_model])
    cost = "at a price that is not known" if took.cost_usd is None else f"for US${took.cost_usd:.6f} at list prices"
    if took.questions:
        questions = "1 question" if took.questions == 1 else f"{took.questions} questions"
        say(f"{settings.quota_mapping.llm_model} answered {questions}, {took.tokens:,} tokens {cost}.")
    else:
        say(f"Nothing new was answered by {settings.quota_mapping.llm_model}.")


def _code(said: "MappingSaid | None") -> str:
    return "" if said is None else said.quota_code or said.status.replace("_", " ")


_NUMBERS = ("before", "now", "calls in 30 days")


def _amount(value: float | None) -> str:
    """A limit as people write it; a value that AWS does not give is unknown."""
    return "unknown" if value is None else f"{value:,.0f}"


def _day(moment: dt.datetime | dt.date | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"


def _region_words(state: "RegionState") -> tuple[str, str, str, str]:
    enabled = "unknown" if state.is_enabled is None else "yes" if state.is_enabled else "no"
    return state.account_name, state.region, enabled, "yes" if state.is_configured else "no"


def _legacy_words(model: "LegacyModel") -> tuple[str, ...]:
    return (
        model.account_name,
        model.region,
        model.model_id,
        _day(model.legacy_at),
        _day(model.end_of_life_at) or "unknown",
        f"{model.calls_30_days:,}",
        _day(model.last_used_on) or "never",
    )
