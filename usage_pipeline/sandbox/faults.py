"""Faults that can be switched on: denied, throttled and slow APIs, metric answers that lack points, broken log files.

Here: their text form and what is on at the moment. Not here: the answers (`aws_server.py`, `responses_cloudwatch.py`),
which log object breaks (`log_objects.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

FORMS = (
    "denied:<service>:<account>:<region>, throttled:<service>[:n], slow:<service>:<ms>, partial_data[:n], "
    "truncated_log, malformed_log_line, wrong_answer:<outside|metric|no_tool_call>"
)
"""Services are named as in boto3, account and region may be `*`; without n a fault lasts until it is switched off.

The account of AssumeRole is the role's, so `denied:sts:444455556666:*` closes that account.
"""

_LASTING = -1


class UnknownFaultError(ValueError):
    """The text of a fault has none of the known forms."""

    def __init__(self, text: str) -> None:
        super().__init__(f"There is no fault {text!r}; allowed: {FORMS}.")


@dataclass
class _Faults:
    denied: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    throttled: dict[str, int] = field(default_factory=dict[str, int])
    slow_ms: dict[str, int] = field(default_factory=dict[str, int])
    partial_data: int = 0
    damages: set[str] = field(default_factory=set[str])
    wrong_answer: str | None = None


class FaultSwitches:
    """The faults that are on. Safe to use from many threads; counted faults switch themselves off."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._lock = Lock()
        self.switch_to(texts)

    def switch_to(self, texts: Iterable[str]) -> None:
        """Switch on exactly these faults.

        Raises:
            UnknownFaultError: a text has none of the known forms; nothing is switched.
        """
        texts = tuple(texts)
        faults = _Faults()
        for text in texts:
            _add(faults, text)
        with self._lock:
            self.texts, self._faults = texts, faults

    def denies(self, service: str, account_id: str, region: str) -> bool:
        """Whether the service answers AccessDenied in this scope."""
        return any(
            service == denied and account in ("*", account_id) and where in ("*", region)
            for denied, account, where in self._faults.denied
        )

    def takes_throttle(self, service: str) -> bool:
        """Whether this call is throttled; a counted fault has one call less to go."""
        with self._lock:
            left = self._faults.throttled.get(service, 0)
            if left > 0:
                self._faults.throttled[service] = left - 1
            return left != 0

    def delay_seconds(self, service: str) -> float:
        """How long the service waits before it answers."""
        return self._faults.slow_ms.get(service, 0) / 1000

    @property
    def damages(self) -> frozenset[str]:
        """Which damage is done to the log objects that are planned for it."""
        return frozenset(self._faults.damages)

    @property
    def wrong_answer(self) -> str | None:
        """How the model that maps quotas errs: outside (a code that is no candidate), metric or no_tool_call."""
        return self._faults.wrong_answer

    def takes_partial_data(self) -> bool:
        """Whether this GetMetricData answer lacks points; a counted fault has one answer less to go."""
        with self._lock:
            left = self._faults.partial_data
            if left > 0:
                self._faults.partial_data = left - 1
            return left != 0


def _add(faults: _Faults, text: str) -> None:
    try:
        match text.split(":"):
            case ["denied", service, account, region] if service:
                faults.denied.add((service, account, region))
            case ["throttled", service]:
                faults.throttled[service] = _LASTING
            case ["throttled", service, count]:
                faults.throttled[service] = int(count)
            case ["slow", service, milliseconds]:
                faults.slow_ms[service] = int(milliseconds)
            case ["partial_data"]:
                faults.partial_data = _LASTING
            case ["partial_data", count]:
                faults.partial_data = int(count)
            case ["truncated_log" | "malformed_log_line" as damage]:
                faults.damages.add(damage)
            case ["wrong_answer", "outside" | "metric" | "no_tool_call" as wrong]:
                faults.wrong_answer = wrong
            case _:
                raise UnknownFaultError(text)
    except ValueError as error:
        raise UnknownFaultError(text) from error
