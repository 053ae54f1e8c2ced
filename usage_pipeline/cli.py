"""The command `usage-pipeline`: what each command takes and says. The work is done elsewhere and imported on demand.

Every command ends by saying where its output is. Exit codes: 0 well, 1 it could not be done, 2 it was done and a data
check of severity ERROR failed.
"""

import datetime as dt
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usage_pipeline.cli_alerts import alerts_app, notify_channels
from usage_pipeline.cli_console import (
    CHECKS_FAILED,
    ConfigOption,
    out,
    ready_to_run,
    run_until_stopped,
    say,
    say_outcome,
    settings_or_stop,
    stop,
)
from usage_pipeline.cli_export import export_app
from usage_pipeline.cli_refresh import refresh_app
from usage_pipeline.cli_replay import replay_command
from usage_pipeline.cli_ui import ui_command
from usage_pipeline.config import COMMENTED_EXAMPLE, CONFIG_VARIABLE, Settings
from usage_pipeline.garbage_collection import collect_seldom
from usage_pipeline.instance_folder import prepare_instance_folder

if TYPE_CHECKING:
    from usage_pipeline.sandbox.process import SandboxProcess

DEMO_DUCKDB_MB = 300
"""Megabytes for DuckDB in the demo: 140 MB less at the peak of 30 days' models, for about a second (November 2026)."""

app = typer.Typer(
    name="usage-pipeline",
    help="What your Amazon Bedrock models use, and how far their quotas are. Start with `usage-pipeline demo`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
sandbox_app = typer.Typer(
    help="A simulated AWS organisation over HTTP, with the truth beside it.", no_args_is_help=True
)
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(refresh_app, name="refresh")
app.add_typer(export_app, name="export")
app.add_typer(alerts_app, name="alerts")
app.command("replay")(replay_command)
app.command("ui")(ui_command)


def _day_option(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")


SimulatedNow = Annotated[
    dt.datetime | None,
    typer.Option(
        "--now",
        help="Where the simulated clock stands, UTC [default: this minute]. Equal clocks and seeds make equal traffic.",
        formats=["%Y-%m-%dT%H:%M"],
        metavar="YYYY-MM-DDTHH:MM",
    ),
]


@app.command()
def init(
    config: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("usage_pipeline.yaml"),
) -> None:
    """Write a commented configuration file to start from."""
    try:
        with config.open("x", encoding="utf-8") as file:
            file.write(COMMENTED_EXAMPLE)
    except FileExistsError:
        stop(f"{config} exists already and was left as it is; name another file: usage-pipeline init FILE")
    except OSError as error:
        stop(f"{config} could not be written: {error.strerror}")
    say(f"Wrote {config}. Name your accounts in it, then try `usage-pipeline doctor`.")


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Try every permission that the pipeline needs, in every account and Region, and say what is missing."""
    from usage_pipeline.doctor import examine

    settings = settings_or_stop(config)
    findings = examine(settings, out)
    raise typer.Exit(1 if findings else 0)


@app.command()
def run(
    date: Annotated[dt.datetime | None, _day_option("--date", help="One UTC day.")] = None,
    first: Annotated[dt.datetime | None, _day_option("--from", help="First UTC day of a range.")] = None,
    last: Annotated[dt.datetime | None, _day_option("--to", help="Last UTC day of a range [default: today].")] = None,
    restate: Annotated[
        bool,
        typer.Option(
            "--restate", help="Make the stored days anew after a changed price, rate or rule; ask AWS nothing."
        ),
    ] = False,
    notify: Annotated[
        bool, typer.Option("--notify", help="Tell the configured channels at the end; for cron, where no daemon does.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Read the days from AWS, rebuild what changed, check it, publish it and write the report.

    Without a day: the last days that the configuration looks back (3) and today so far; on an empty warehouse, the
    last 30 days. With --restate and without a day: every stored day.
    """
    settings = settings_or_stop(config)
    if restate:
        if not settings.warehouse_file.exists():
            stop(f"There is nothing to restate: {settings.warehouse_file} does not exist. Run without --restate first.")
        days = _days_to_run(settings, date, first, last) if date or first or last else (None, None)
        raise typer.Exit(_run_and_say(settings, *days, restate=True, tell=notify))
    raise typer.Exit(_run_and_say(settings, *_days_to_run(settings, date, first, last), tell=notify))


def _days_to_run(
    settings: Settings, date: dt.datetime | None, first: dt.datetime | None, last: dt.datetime | None
) -> tuple[dt.date, dt.date]:
    from usage_pipeline.partitions import FIRST_DAY
    from usage_pipeline.runs import any_day_was_asked
    from usage_pipeline.schedules import days_to_read

    today = settings.now().date()
    if date and (first or last):
        stop("--date names one day, --from and --to a range; give one or the other.")
    if last and not first:
        stop("--to needs --from; name the first day of the range.")
    if date:
        days = date.date(), date.date()
    elif first:
        days = first.date(), last.date() if last else today
    elif any_day_was_asked(settings):
        days = days_to_read(settings.now(), settings.lookback_days)
    else:
        days = days_to_read(settings.now(), settings.first_run_days)
    if days[0] > days[1]:
        stop(f"--from {days[0]} is after --to {days[1]}.")
    if days[1] > today:
        stop(f"{days[1]} is in the future; today is {today} (UTC).")
    if days[0] < FIRST_DAY:
        stop(f"{days[0]} is before {FIRST_DAY}, when Amazon Bedrock became available.")
    return days


def _run_and_say(
    settings: Settings, first: dt.date | None, last: dt.date | None, *, restate: bool = False, tell: bool = False
) -> int:
    """Run the days with a progress bar, then say what failed and where the output is. Returns the exit code."""
    from usage_pipeline.runs import restate_days, run_days

    with ready_to_run(settings, _days_text(first, last)) as (instance, progress):
        if restate or first is None or last is None:
            outcome = restate_days(settings, instance, first, last, progress)
        else:
            outcome = run_days(settings, instance, first, last, progress)
    exit_code = say_outcome(settings, outcome)
    told = notify_channels(settings, outcome) if tell else 0
    return exit_code or told


def _days_text(first: dt.date | None, last: dt.date | None) -> str:
    if first is None or last is None:
        return "every stored day"
    return f"{first}" if first == last else f"{first} to {last}"


OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for everything that is written.")]


@app.command()
def demo(
    folder: OutOption = Path("data/demo"),
    days: Annotated[int, typer.Option(min=1, max=60, help="Whole days of simulated traffic before today.")] = 30,
    seed: Annotated[int, typer.Option(help="Another seed makes other traffic.")] = 7,
    now: SimulatedNow = None,
) -> None:
    """Run the whole pipeline on a simulated AWS organisation: no credentials, no network, about a minute."""
    from usage_pipeline.sandbox.process import prepare_demo_folder

    if problem := prepare_demo_folder(folder):
        stop(problem)
    with _sandbox_or_stop(folder, days, seed, now) as sandbox:
        say(f"Simulated AWS at {sandbox.endpoint_url}; its traffic is made up.")
        os.environ.update(sandbox.environment)
        settings = beside_the_sandbox(settings_or_stop())
        exit_code = _run_and_say(settings, *_demo_days(settings, days))
    say(f"{'truth':12} {folder / 'truth.duckdb'}")
    # Checks that fail are part of the show: the simulated organisation has planned faults.
    raise typer.Exit(0 if exit_code == CHECKS_FAILED else exit_code)


@contextmanager
def _sandbox_or_stop(folder: Path, days: int, seed: int, now: dt.datetime | None = None) -> Generator["SandboxProcess"]:
    from usage_pipeline.sandbox.process import SandboxEndedError, sandbox_process

    try:
        with sandbox_process(folder, days=days, seed=seed, now=now) as running:
            yield running
    except SandboxEndedError as error:
        stop(str(error))


def beside_the_sandbox(settings: Settings) -> Settings:
    """The settings with less memory for DuckDB, unless somebody chose it: the simulated AWS has its share as well."""
    if "duckdb_memory_mb" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"duckdb_memory_mb": DEMO_DUCKDB_MB})


def _demo_days(settings: Settings, days: int) -> tuple[dt.date, dt.date]:
    today = settings.now().date()
    return today - dt.timedelta(days=days), today


@app.command()
def dev(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Put a simulated AWS organisation behind it.")] = False,
    folder: OutOption = Path("data/demo"),
    port: Annotated[int, typer.Option(help="Port of Dagster's UI.")] = 3000,
    config: ConfigOption = None,
) -> None:
    """Open Dagster's UI, schedule and sensors, with the pool limit that the warehouse needs."""
    with ExitStack() as stack:
        if sandbox:
            running = stack.enter_context(_sandbox_or_stop(folder, days=30, seed=7))
            os.environ.update(running.environment)
            say(f"Simulated AWS at {running.endpoint_url}.")
        settings = settings_or_stop(config)
        home = Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home).resolve()
        os.environ["DAGSTER_HOME"] = str(prepare_instance_folder(home))
        os.environ[CONFIG_VARIABLE] = str(Path(os.environ.get(CONFIG_VARIABLE, "usage_pipeline.yaml")).resolve())
        say(f"Dagster at http://127.0.0.1:{port}; stop with Ctrl-C.")
        command = [sys.executable, "-m", "dagster", "dev", "-m", "usage_pipeline.definitions", "--port", str(port)]
        exit_code = run_until_stopped(command)
    raise typer.Exit(exit_code)


@sandbox_app.command("serve")
def sandbox_serve(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    days: Annotated[int, typer.Option(min=1, max=455, help="Whole days of traffic before today.")] = 30,
    seed: Annotated[int, typer.Option(help="Another seed makes other traffic.")] = 7,
    now: SimulatedNow = None,
    folder: OutOption = Path("data/sandbox"),
    fault: Annotated[
        list[str] | None,
        typer.Option(help="denied:SERVICE:ACCOUNT:REGION, throttled:SERVICE[:N], slow:SERVICE:MS or partial_data[:N]."),
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve a simulated AWS organisation for any AWS program; prints the environment to set when it is ready."""
    from usage_pipeline.sandbox.process import serve_until_stopped

    if problem := serve_until_stopped(
        folder, port=port, days=days, seed=seed, now=now, faults=fault or [], until_stdin_closes=until_stdin_closes
    ):
        stop(problem)


def main() -> None:
    """Entry point of the console script."""
    collect_seldom()
    app()


if __name__ == "__main__":
    main()
