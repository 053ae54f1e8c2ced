"""The way into AWS of one run: the configured scopes, asked for once, and one reading over all of them.

Here: what the assets share of a run. Not here: how scopes are found (`scopes.py`) or readings run
(`source_reading.py`).
"""

import threading
from collections.abc import Callable, Collection
from contextlib import suppress

from usage_pipeline.aws.scopes import ResolvedScopes, Scope, resolve_scopes
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.aws.source_reading import ScopeReading, Value, read_scopes
from usage_pipeline.config import Settings


class AwsAccess:
    """Resolves the configured scopes on first use and keeps them for the run. Makes no call before it is asked to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._resolved: ResolvedScopes | None = None

    @property
    def resolved(self) -> ResolvedScopes:
        """The configured scopes and the accounts that could not be reached."""
        with self._lock:
            if self._resolved is None:
                self._resolved = resolve_scopes(self._settings)
            return self._resolved

    def begin(self) -> None:
        """Ask for the scopes now, while the caller has other work; whoever needs them waits for the answer."""
        threading.Thread(target=self._begin, name="scopes", daemon=True).start()

    def _begin(self) -> None:
        # Whoever needs the scopes asks again and hears of it.
        with suppress(Exception):
            _ = self.resolved

    def read(self, read: Callable[[AccountSession, Scope], Value]) -> list[ScopeReading[Value]]:
        """Run one reading in every scope that can be reached, several at a time."""
        resolved = self.resolved
        return read_scopes(
            resolved.scopes, lambda scope: read(resolved.session(scope), scope), self._settings.max_concurrent_scopes
        )

    def read_accounts(
        self, read: Callable[[AccountSession, Scope], Value], names: Collection[str] | None = None
    ) -> list[ScopeReading[Value]]:
        """Run one reading in every account that can be reached, or in those of these names, with its first scope."""
        resolved = self.resolved
        first = {scope.account_id: scope for scope in reversed(resolved.scopes)}
        scopes = [scope for scope in resolved.scopes if first[scope.account_id] is scope]
        return read_scopes(
            [scope for scope in scopes if names is None or scope.account_name in names],
            lambda scope: read(resolved.session(scope), scope),
            self._settings.max_concurrent_scopes,
        )
