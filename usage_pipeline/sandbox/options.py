"""What can be chosen about a sandbox. Not here: what the organisation holds (`organisation.py`)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from usage_pipeline.sandbox.faults import FaultSwitches


def this_minute() -> datetime:
    """Now, in UTC without a zone, cut to the minute."""
    return datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)


@dataclass(frozen=True)
class SandboxOptions:
    """One sandbox: its size, its seed, its clock and the faults that it starts with.

    `days` counts full UTC days before the day of `end`. `end` is the simulated now, UTC without a zone, cut to the
    minute: the sandbox knows nothing after it, and its clock stands still. `profiles_factor` multiplies the profiles
    for load tests; `pools`, where given, is how many quota pools are called, from every scope alike.
    `logs_throttles`: throttled attempts are in the invocation logs too; whether AWS logs them is not documented.

    Raises:
        ValueError: `days`, `pools` or one of `faults` is none that there is.
    """

    days: int = 30
    seed: int = 7
    end: datetime = field(default_factory=this_minute)
    faults: tuple[str, ...] = ()
    profiles_factor: int = 1
    pools: int | None = None
    logs_throttles: bool = False

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"days is {self.days}; allowed: 1 or more full days before today.")
        if self.pools is not None and self.pools < 1:
            raise ValueError(f"pools is {self.pools}; allowed: 1 or more quota pools, or None for all.")
        # Here, so that a mistyped one is refused before anything is written.
        FaultSwitches(self.faults)
        object.__setattr__(self, "end", self.end.replace(second=0, microsecond=0))
