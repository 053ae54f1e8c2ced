"""Times as AWS writes them in prompt logs and reports, to naive UTC."""

import datetime as dt

_DATE_CHARACTERS = len("2026-11-14")


def utc_time(text: str) -> dt.datetime | None:
    """A time of day in UTC, without its zone; None where the text is none.

    Digits after the sixth are cut off, not rounded: a nanosecond before midnight is still that day.
    """
    if len(text) <= _DATE_CHARACTERS:
        return None
    try:
        time = dt.datetime.fromisoformat(text)
        return time if time.tzinfo is None else time.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
