"""Where daily peaks are going: trend, forecast with interval, the day on which a quota is reached, and backtests.

Here: robust trend lines of daily peaks and their resampled intervals. Not here: tokens to the end of a day
(`day_end.py`), cost to the end of a month (`month_end.py`), what follows for the quota (`recommendations.py`).
"""

import datetime as dt
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

WEEK = 7
LEAST_DAYS = 14
"""Days with data that a trend needs."""
LONGEST_FIT = 90
"""Days that a trend looks back, so that last year's growth does not count as today's."""
HORIZON = 180
"""Days ahead beyond which no date is given."""
DRAWS = 1000
LEAST_PAIRS = 10
"""Pairs of neighbouring known days from which on they tell how much of a day's chance the next one keeps."""
MOST_KEPT = 0.9
"""Share of a day's chance that the next day keeps at most; more would be a trend."""
RIVAL = 1.25
"""Times the median distance of the nearest line up to which the other scale counts too."""
LOW, HIGH = 10.0, 90.0
"""Percentiles of the draws that bound the 80 % interval."""

Scale = Literal["linear", "log"]
ExhaustionStatus = Literal["too_few_days", "reached", "no_upward_trend", "later", "dated"]


@dataclass(frozen=True)
class Trend:
    """A robust line through daily peaks, and lines through resampled ones.

    On scale `log` it is the logarithm that grows evenly. `slope` is per day; `now` is the newest weekly maximum, in the
    unit of the peaks. `slopes` and `levels` have one value per draw, levels as of the last day.
    `weekdays` is what each day of the week differs by, beginning with the weekday of the day after the last.
    `residuals` are by day, NaN where not known.
    """

    scale: Scale
    slope: float
    now: float
    days: int
    slopes: Floats
    levels: Floats
    weekdays: Floats
    residuals: Floats
    rival: "Trend | None" = None
    """The trend on the other scale, when the days fit it nearly as well."""

    def slope_at(self, percentile: float) -> float:
        """A percentile of the slope over the draws."""
        return float(np.percentile(self.slopes, percentile))

    @property
    def is_upward(self) -> bool:
        """Whether nine draws in ten grow."""
        return self.slope_at(LOW) > 0

    def daily_growth(self, percentile: float) -> float:
        """Growth per day as a share of the newest weekly peak: 0.01 is 1 % a day. 0 for a pool without use."""
        slope = self.slope_at(percentile)
        if self.scale == "log":
            return float(np.expm1(slope))
        return slope / self.now if self.now > 0 else 0.0


@dataclass(frozen=True)
class Forecast:
    """Daily peaks to come, first the day after the last: the middle and the 80 % interval of each day."""

    middle: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Exhaustion:
    """When a daily peak first reaches a share of the quota.

    reached: one of the last seven days did. dated: on `day`, in 80 of 100 cases between `earliest` and `latest`; None
    is later than 180 days. later: after 180 days, `earliest` may be nearer. no_upward_trend: the 10 % slope is not
    above zero.
    """

    status: ExhaustionStatus
    share: float
    day: dt.date | None = None
    earliest: dt.date | None = None
    latest: dt.date | None = None


@dataclass(frozen=True)
class BacktestRow:
    """One forecast of a day that has passed: made after day `origin`, for day `day` (positions in the peaks)."""

    origin: int
    day: int
    forecast: float
    low: float
    high: float
    truth: float

    @property
    def is_hit(self) -> bool:
        """Whether the truth lies in the 80 % interval."""
        return self.low <= self.truth <= self.high


@dataclass(frozen=True)
class Backtest:
    """Forecasts of days that have passed, against what happened.

    `hit_rate` should be near 0.8. `median_error` is the median of |forecast - truth| / truth, over days with use. Both
    are None when there was nothing to compare.
    """

    rows: tuple[BacktestRow, ...]
    hit_rate: float | None
    median_error: float | None


def weekly_maximum(peaks: Floats) -> Floats:
    """The largest peak of each day and the six before it, from the seventh day on; days are the last axis."""
    windows = np.lib.stride_tricks.sliding_window_view(peaks, WEEK, axis=-1)
    return np.fmax.reduce(windows, axis=-1)


def seasonal_slope(values: Floats) -> Floats:
    """Median slope between all pairs of days with the same weekday, for each row. NaN of row 0 is left out.

    Theil and Sen's slope in its seasonal form (Hirsch, Slack and Smith 1982). The weekly maximum has no weekdays
    either, but it stands still for days after each peak: over four weeks its slope is a fifth too low, with nearly
    twice the error (docs/planning.md).
    """
    rows = np.atleast_2d(values)
    at = np.flatnonzero(~np.isnan(rows[0]))
    first, second = np.triu_indices(len(at), 1)
    alike = (at[second] - at[first]) % WEEK == 0
    first, second = at[first[alike]], at[second[alike]]
    return np.median((rows[:, second] - rows[:, first]) / (second - first), axis=1)


@dataclass(frozen=True)
class _Line:
    """A fitted line: slope per day, level on the last day, and what weekdays differ by (that of the last day first).

    Each residual is what the other days of its weekday would have missed it by: as wide as the error of a forecast.
    """

    scale: Scale
    slope: float
    level: float
    weekdays: Floats
    residuals: Floats

    def course(self, days: int) -> Floats:
        """The line over the last `days` days, without weekdays and on its scale."""
        return self.level + self.slope * _days(days)


def fit_trend(peaks: Floats, seed: int = 0, draws: int = DRAWS) -> Trend | None:
    """The trend of one peak per day (NaN = not known), the newest last; None with fewer than 14 known days.

    The scale is the one whose line is nearer to the peaks, by the median of the distances; `log` only when every peak
    is above zero. A scale that is nearly as near is the `rival`: the days cannot tell growth by a share from growth by
    an amount, and months later that is most of the doubt.
    """
    peaks = peaks[-LONGEST_FIT:]
    if np.count_nonzero(~np.isnan(peaks)) < LEAST_DAYS:
        return None
    scales: tuple[Scale, ...] = ("log", "linear") if np.nanmin(peaks) > 0 else ("linear",)
    lines = sorted((_line(peaks, scale) for scale in scales), key=lambda line: _distance(peaks, line))
    nearest = _distance(peaks, lines[0])
    rivals = [_trend(peaks, line, seed, draws) for line in lines[1:] if _distance(peaks, line) <= RIVAL * nearest]
    return replace(_trend(peaks, lines[0], seed, draws), rival=rivals[0] if rivals else None)


def _trend(peaks: Floats, line: _Line, seed: int, draws: int) -> Trend:
    """The line with lines through peaks in which the residuals are drawn again."""
    known = ~np.isnan(peaks)
    residuals = line.residuals - np.median(line.residuals[known])
    noise = _chance(residuals, len(peaks), draws, np.random.default_rng(seed))
    noise[:, ~known] = np.nan
    drawn = _peaks(line.scale, line.course(len(peaks)), line.weekdays[_weekday(len(peaks))] + noise)
    slopes, levels = _slopes_and_levels(np.log(drawn) if line.scale == "log" else drawn)
    weekly = weekly_maximum(peaks)
    now = float(weekly[~np.isnan(weekly)][-1])
    return Trend(line.scale, line.slope, now, int(known.sum()), slopes, levels, np.roll(line.weekdays, -1), residuals)


def _distance(peaks: Floats, line: _Line) -> float:
    course = _peaks(line.scale, line.course(len(peaks)), line.weekdays[_weekday(len(peaks))])
    return float(np.nanmedian(np.abs(peaks - course)))


def _days(length: int) -> Floats:
    """Number of each day; 0 is the last, -1 the one before."""
    return np.arange(1.0 - length, 1.0)


def _weekday(length: int) -> Integers:
    """Weekday of each day, counted from that of the last."""
    return np.arange(1 - length, 1) % WEEK


def _slopes_and_levels(values: Floats) -> tuple[Floats, Floats]:
    rows = np.atleast_2d(values)
    slopes = seasonal_slope(rows)
    known = ~np.isnan(rows[0])
    return slopes, np.median((rows - slopes[:, None] * _days(rows.shape[1]))[:, known], axis=1)


def _line(peaks: Floats, scale: Scale) -> _Line:
    values = np.log(peaks) if scale == "log" else peaks
    slopes, levels = _slopes_and_levels(values)
    course: Floats = levels[0] + slopes[0] * _days(len(peaks))
    # What weekdays and chance change is a share of the level, not so many tokens.
    rest = values - course if scale == "log" else values / _positive(course) - 1
    weekdays, residuals = np.zeros(WEEK), np.full(len(rest), np.nan)
    for weekday in range(WEEK):
        at = np.flatnonzero((_weekday(len(peaks)) == weekday) & ~np.isnan(rest))
        # A handful of numbers, thousands of times: NumPy takes twenty times as long for each.
        alike = rest[at].tolist()
        if alike:
            weekdays[weekday] = median(alike)
        for position, day in enumerate(at):
            others = alike[:position] + alike[position + 1 :]
            residuals[day] = alike[position] - (median(others) if others else 0.0)
    return _Line(scale, float(slopes[0]), float(levels[0]), weekdays, residuals)


def _peaks(scale: Scale, course: Floats, differences: Floats) -> Floats:
    """Peaks from the line's course on its scale and what weekday and chance change, a share or a logarithm."""
    if scale == "log":
        return np.exp(course + differences)
    return _positive(course) * np.maximum(1 + differences, 0)


def _positive(course: Floats) -> Floats:
    """A line that falls does not fall below a twentieth of its middle."""
    return np.maximum(course, max(float(np.median(course)) / 20, 1e-9))


def kept_share(residuals: Floats) -> float:
    """How much of a day's chance the next day keeps: busy days follow busy days. From 0 to 0.9; NaN is not known.

    It is the first autocorrelation, corrected for the line that was fitted through the same days: that makes it too low
    by (2 + 4 × share) / days (Shaman and Stine 1988), over four weeks by 0.07 to 0.2.
    """
    known = residuals[~np.isnan(residuals)]
    products = residuals[1:] * residuals[:-1]
    products = products[~np.isnan(products)]
    if len(products) < LEAST_PAIRS or not np.any(known):
        return 0.0
    days = len(known)
    seen = float(products.mean() / np.mean(known**2))
    return min(max((days * seen + 2) / (days - 4), 0.0), MOST_KEPT)


def _chance(residuals: Floats, length: int, draws: int, rng: np.random.Generator) -> Floats:
    """What chance makes of so many days, one row per draw: a share of the day before and what a drawn day added to it.

    Each day varies as much as the residuals do; they are known by day, NaN where not.
    """
    kept = kept_share(residuals)
    known = residuals[~np.isnan(residuals)]
    added = residuals[1:] - kept * residuals[:-1] if kept else known
    added = added[~np.isnan(added)]
    if kept and (spread := float(np.std(added))) > 0:
        added *= float(np.std(known)) * (1 - kept**2) ** 0.5 / spread
    found = added[rng.integers(0, len(added), (draws, length))]
    before = known[rng.integers(0, len(known), draws)]
    if kept:
        for day in range(length):
            found[:, day] += kept * before
            before = found[:, day]
    return found


def forecast_peaks(trend: Trend, days: int, seed: int = 0) -> Forecast:
    """The peaks of the next `days` days."""
    low, middle, high = np.percentile(_courses(trend, days, seed), (LOW, 50, HIGH), axis=0)
    return Forecast(middle, low, high)


def _courses(trend: Trend, days: int, seed: int) -> Floats:
    """Peaks of the next days, one row per draw: its own line, the weekday, and chance like that of the past.

    Draws of a rival count as much as those of the trend itself.
    """
    if trend.rival:
        return np.concatenate([_courses(replace(trend, rival=None), days, seed), _courses(trend.rival, days, seed)])
    ahead = np.arange(1, days + 1)
    noise = _chance(trend.residuals, days, len(trend.slopes), np.random.default_rng([seed, 2]))
    course = trend.levels[:, None] + trend.slopes[:, None] * ahead
    return _peaks(trend.scale, course, trend.weekdays[(ahead - 1) % WEEK] + noise)


def exhaustion(trend: Trend | None, limit: float, share: float, last_day: dt.date, seed: int = 0) -> Exhaustion:
    """When a daily peak first reaches `share` of the limit.

    The dates are percentiles over the draws of the first day that reaches it. Dividing the distance by the slope alone
    would give dates that are too late, and far too sure: the first day is one on which noise and weekday help.
    """
    goal = share * limit
    if trend is None:
        return Exhaustion("too_few_days", share)
    if trend.now >= goal:
        return Exhaustion("reached", share, last_day)
    if not trend.is_upward:
        return Exhaustion("no_upward_trend", share)
    reached = _courses(trend, HORIZON, seed) >= goal
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, HORIZON + 1)
    earliest, day, latest = (
        last_day + dt.timedelta(days=int(after)) if after <= HORIZON else None
        for after in np.percentile(first, (LOW, 50, HIGH), method="inverted_cdf").tolist()
    )
    return Exhaustion("dated" if day else "later", share, day, earliest, latest)


def backtest(peaks: Floats, days: int, horizon: int, seed: int = 0, draws: int = DRAWS) -> Backtest:
    """Forecast each of the last `days` days as if they were still to come, up to `horizon` days ahead."""
    rows: list[BacktestRow] = []
    for origin in range(len(peaks) - days - 1, len(peaks) - 1):
        trend = fit_trend(peaks[: origin + 1], seed, draws) if origin >= 0 else None
        if trend is None:
            continue
        ahead = min(horizon, len(peaks) - 1 - origin)
        found = forecast_peaks(trend, ahead, seed)
        columns = (found.middle.tolist(), found.low.tolist(), found.high.tolist(), peaks[origin + 1 :][:ahead].tolist())
        for step, (middle, low, high, truth) in enumerate(zip(*columns, strict=True), start=1):
            if not np.isnan(truth):
                rows.append(BacktestRow(origin, origin + step, middle, low, high, truth))
    errors = [abs(row.forecast - row.truth) / row.truth for row in rows if row.truth > 0]
    hit_rate = sum(row.is_hit for row in rows) / len(rows) if rows else None
    return Backtest(tuple(rows), hit_rate, float(np.median(errors)) if errors else None)
