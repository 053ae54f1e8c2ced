"""`usage-pipeline doctor`: can everything that a run needs be done from here, and if not, what is to be mended.

Here: what is examined, in which order, and the words. Not here: the calls that try permissions (`aws/permissions.py`).
"""

import os
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from usage_pipeline.aws.bedrock_runtime import place_to_ask
from usage_pipeline.aws.errors import ReadingError
from usage_pipeline.aws.permissions import Permission, probe, probe_mapping_model, probe_q_developer
from usage_pipeline.aws.scopes import ResolvedScopes, resolve_scopes
from usage_pipeline.aws.source_reading import Listing, read_scopes
from usage_pipeline.config import Settings


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a run from being whole: where, what was seen, what to do."""

    place: str
    problem: str
    remedy: str


def examine(settings: Settings, console: Console) -> list[Finding]:
    """Try everything, print what works and what does not; returns what does not."""
    findings = [*folder_findings(settings.data_folder), *instance_findings(_instance_folder(settings))]
    with console.status("Asking AWS who you are and what you may read …"):
        resolved = resolve_scopes(settings)
        permissions = [
            *_probe_all(settings, resolved),
            *_probe_q_developer(resolved),
            *_probe_mapping_model(settings, resolved),
        ]
    findings += [
        Finding(account.account_name, account.error_text, "Check the credentials, role and external id of the account.")
        for account in resolved.unreachable
    ]
    findings += [
        Finding(
            f"{permission.scope.account_name} {permission.scope.region}",
            f"{permission.action} is {permission.status}: {permission.text}",
            f"It is needed for {permission.needed_for}."
            + (" Allow it; deploy/iam has the whole policy." if permission.status == "denied" else ""),
        )
        for permission in permissions
        if permission.status != "ok"
    ]
    _print_permissions(console, permissions)
    _print_findings(console, findings)
    return findings


def folder_findings(folder: Path) -> list[Finding]:
    """The data folder, or the nearest one above it that exists, must let us write."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return []
    return [
        Finding(str(folder), f"{existing} cannot be written.", "Name another place: `warehouse:` in the configuration.")
    ]


def instance_findings(home: Path) -> list[Finding]:
    """Dagster's settings must limit the pool that guards the one DuckDB writer; none yet is well, a run writes them."""
    file = home / "dagster.yaml"
    if not file.exists():
        return []
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        return [Finding(str(file), f"It is not YAML: {' '.join(str(error).split())}", "Mend it or remove it.")]
    limit = ((read.get("concurrency") or {}).get("pools") or {}).get("default_limit")
    if limit == 1:
        return []
    return [
        Finding(
            str(file),
            f"concurrency.pools.default_limit is {limit!r}; two runs at once would wait for the warehouse file's lock.",
            "Set `concurrency: {pools: {default_limit: 1, granularity: op}}`.",
        )
    ]


def _instance_folder(settings: Settings) -> Path:
    return Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home)


def _probe_all(settings: Settings, resolved: ResolvedScopes) -> list[Permission]:
    readings = read_scopes(
        resolved.scopes,
        lambda scope: Listing(tuple(probe(resolved.session(scope), scope, settings.now()))),
        settings.max_concurrent_scopes,
    )
    return [permission for reading in readings if reading.value is not None for permission in reading.value.rows]


def _probe_q_developer(resolved: ResolvedScopes) -> list[Permission]:
    """Whether each account's prompt logs and activity reports may be read, where it names their places."""
    first = {scope.account_id: scope for scope in reversed(resolved.scopes)}
    scopes = [scope for scope in resolved.scopes if first[scope.account_id] is scope]
    return [permission for scope in scopes for permission in probe_q_developer(resolved.session(scope), scope)]


def _probe_mapping_model(settings: Settings, resolved: ResolvedScopes) -> list[Permission]:
    """Whether the model that maps quotas may be asked; nothing when none is configured or its account is away."""
    if settings.quota_mapping.llm_model is None:
        return []
    try:
        place = place_to_ask(resolved, settings.quota_mapping)
    except ReadingError:
        return []
    return [probe_mapping_model(resolved.sessions[place.account_name], place, settings.quota_mapping.llm_model)]


def _print_permissions(console: Console, permissions: list[Permission]) -> None:
    table = Table("account", "Region", "allowed", "not allowed")
    scopes = dict.fromkeys(permission.scope for permission in permissions)
    for scope in scopes:
        own = [permission for permission in permissions if permission.scope == scope]
        refused = [permission.action for permission in own if permission.status != "ok"]
        table.add_row(
            Text(scope.account_name),
            scope.region,
            f"{len(own) - len(refused)} of {len(own)}",
            ", ".join(refused) or "–",
        )
    console.print(table)


def _print_findings(console: Console, findings: list[Finding]) -> None:
    for finding in findings:
        console.print(Text(f"{finding.place}: {finding.problem} {finding.remedy}", style="red"), soft_wrap=True)
    if not findings:
        console.print("Everything that a run needs is allowed. Next: usage-pipeline run")
