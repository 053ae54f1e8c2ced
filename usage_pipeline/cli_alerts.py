"""The commands `usage-pipeline alerts …`: try the channels, list what is open; and telling people at a run's end.

Not here: what is due and how it is sent (`alerts/`), other commands (`cli.py`).
"""

import datetime as dt
import os
from typing import TYPE_CHECKING, Annotated

import typer

from usage_pipeline.cli_console import CHECKS_FAILED, ConfigOption, out, say, settings_or_stop, stop, warn
from usage_pipeline.config import Settings

if TYPE_CHECKING:
    from usage_pipeline.runs import RunOutcome

alerts_app = typer.Typer(help="Try the channels that alerts go to, and list what is open.", no_args_is_help=True)

_NO_CHANNEL = "No channel is configured: name one under alerts.channels (docs/alerts.md)."


@alerts_app.command("test")
def alerts_test(
    channel: Annotated[str | None, typer.Option("--channel", help="Only this one [default: every channel].")] = None,
    config: ConfigOption = None,
) -> None:
    """Send a test message to each channel, also with `dry_run` and in quiet hours, and say what came of it."""
    from usage_pipeline.alerts.channels import DeliveryError, open_channel
    from usage_pipeline.alerts.messages import trial_message

    settings = settings_or_stop(config)
    channels = [known for known in settings.alerts.channels if channel in (None, known.name)]
    if not channels:
        names = ", ".join(known.name for known in settings.alerts.channels)
        stop(f"There is no channel {channel!r}; the configuration has: {names}." if names else _NO_CHANNEL)
    failed = 0
    for known in channels:
        try:
            open_channel(known, os.environ).send(trial_message(known.name))
        except DeliveryError as error:
            failed += 1
            warn(f"{known.name}: not delivered: {error}", style="red")
        else:
            say(f"{known.name}: delivered")
    raise typer.Exit(1 if failed else 0)


@alerts_app.command("list")
def alerts_list(config: ConfigOption = None) -> None:
    """List the open findings of the newest run, errors first. Exit code 2 when one is an error."""
    from rich.table import Table
    from rich.text import Text

    from usage_pipeline.alerts.dispatch import open_findings
    from usage_pipeline.alerts.messages import clean, shown_value

    settings = settings_or_stop(config)
    if not settings.published_file.exists():
        stop(f"Nothing is published at {settings.published_file}; run `usage-pipeline run` first.")
    findings = open_findings(settings)
    table = Table("severity", "since (UTC)", "value", "limit", "finding")
    for finding in findings:
        has_limit = finding.threshold is not None
        cells = (
            finding.severity,
            f"{finding.opened_at:%Y-%m-%d %H:%M}",
            shown_value(finding.value, finding.unit),
            shown_value(finding.threshold, finding.unit) if has_limit else "",
            clean(f"{finding.check_name}: {finding.summary}", 300),
        )
        table.add_row(*(Text(cell) for cell in cells))
    if findings:
        out.print(table)
    errors = sum(finding.severity == "ERROR" for finding in findings)
    say(f"{len(findings)} open findings, {errors} of them errors, in ops.findings of {settings.published_file}")
    raise typer.Exit(CHECKS_FAILED if errors else 0)


def notify_channels(settings: Settings, outcome: "RunOutcome") -> int:
    """Tell the channels of a run that a command has just ended. Returns the exit code that this alone would give."""
    from usage_pipeline.alerts.deliveries import RunEnd, open_delivery_log
    from usage_pipeline.alerts.dispatch import dispatch

    if not settings.alerts.channels:
        warn(_NO_CHANNEL)
        return 0
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_delivery_log(settings.alerts_file) as log:
        log.note_run(RunEnd(outcome.run_id, now, outcome.succeeded, "usage-pipeline run", _reason(outcome)))
    sent = dispatch(settings, now)
    for title in sent.said:
        say(f"would tell {title}")
    for error in sent.errors:
        warn(f"not delivered: {error}", style="red")
    say(f"{'alerts':12} {sent.text or 'nothing new to tell'}")
    return CHECKS_FAILED if sent.errors else 0


def _reason(outcome: "RunOutcome") -> str:
    if outcome.succeeded:
        return ""
    errors = [f"{step.name}: {step.error}"[:300] for step in outcome.failed_steps[:3]]
    blocking = [f"check {check.check_name} failed and blocks" for check in outcome.failed_checks if check.blocking]
    return "; ".join([*blocking[:3], *errors]) or "no reason was recorded"
