"""What raw.model_prices holds after a refresh: the dated base, and over it what network sources said and say.

The base (the snapshot that ships with this package, or a user's file) is dated and always taken as it is now, so that
correcting a row of a file restates costs. What a network source said is kept: it tells the present only. Pure functions
over rows. Not here: asking (`downloads.py`, `aws/price_list.py`), and merging in time (`history.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from usage_pipeline.prices.history import ended, merge_prices, overlaid
from usage_pipeline.prices.price_rows import ModelPrice, NetworkSource
from usage_pipeline.prices.price_sheets import filled_from_everywhere

TIME_BETWEEN_QUESTIONS = timedelta(days=7)
"""A network source that answered is not asked again for so long; one that failed is asked in the next run."""

NETWORK_SOURCES: tuple[NetworkSource, ...] = ("litellm_json", "aws_price_list")


def is_due(last_answer: datetime | None, now: datetime) -> bool:
    """Whether a network source is to be asked; `last_answer` is when it last answered, None for never."""
    return last_answer is None or now - last_answer >= TIME_BETWEEN_QUESTIONS


def kept_prices(
    stored: Iterable[ModelPrice], base: Iterable[ModelPrice], sources: Sequence[NetworkSource], now: datetime
) -> list[ModelPrice]:
    """What is known before any source is asked: the base, and over it what network sources said.

    The open rows of a source that is no longer configured end at `now`; those of its time stay.
    """
    said = [row for row in stored if row.origin in NETWORK_SOURCES]
    still_configured = [row for row in said if row.origin in sources]
    no_longer = ended((row for row in said if row.origin not in sources), now)
    return overlaid([*still_configured, *no_longer], base)


def refreshed_prices(
    known: Sequence[ModelPrice],
    answers: Mapping[NetworkSource, Sequence[ModelPrice]],
    sources: Sequence[NetworkSource],
    now: datetime,
) -> list[ModelPrice]:
    """What is known after the sources that were asked answered; a later one of `sources` wins over an earlier one.

    A source that was not asked or that failed changes nothing, and what it once said is not undone by a source that it
    wins over.
    """
    for rank, source in enumerate(sources):
        if source in answers:
            winning = {row.price_key for row in known if row.holds_at(now) and row.origin in sources[rank + 1 :]}
            fresh = [row for row in answers[source] if row.price_key not in winning]
            known = merge_prices(known, filled_from_everywhere(fresh, [r for r in known if r.holds_at(now)]), now)
    return list(known)
