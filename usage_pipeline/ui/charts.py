"""Charts: bars, pies, stacked days or hours, lines with dashed limits, in colours that colour-blind people tell apart.

Here: numbers in, an Altair chart out; every axis names its unit, times are UTC. Not here: which numbers (`pages/`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from usage_pipeline.report.formats import moment, number

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#7A7A7A")
"""Okabe and Ito's colours (2008), the yellow darker, to be seen on white, and grey for black, to be seen on black."""

LIMIT_COLOUR = "#D55E00"

MOST_COLOURS = len(PALETTE)

OTHERS = "all others"

_HEIGHT = 340
_BAR_HEIGHT = 26

MINUTE_SECONDS = 60
MOST_BARS = 15

Number = int | float | Decimal


@dataclass(frozen=True)
class Point:
    """A value of one series at a UTC day or moment; `text` is how the value is written."""

    at: date | datetime
    series: str
    value: Number
    text: str


@dataclass(frozen=True)
class Part:
    """A part of a whole, and how its value is written."""

    name: str
    value: Number
    text: str = ""


def show(chart: alt.Chart | alt.LayerChart, name: str, description: str) -> None:
    """Draw the chart as wide as the page; `description` is read out to people who cannot see it."""
    st.altair_chart(chart, width="stretch", key=f"chart-{name}", alt=description)


def bars(parts: Sequence[Part], unit: str) -> alt.Chart:
    """The largest parts as bars, the first on top."""
    drawn = parts[:MOST_BARS]
    return (
        alt.Chart(_frame(drawn))
        .mark_bar(color=PALETTE[0])
        .encode(
            x=alt.X("value:Q", title=unit),
            y=alt.Y(
                "name:N",
                title=None,
                sort=[part.name for part in drawn],
                axis=alt.Axis(labelLimit=180, labelOverlap=False),
            ),
            tooltip=_TOOLTIP,
        )
        .properties(height=max(2, len(drawn)) * _BAR_HEIGHT + 40)
    )


def pie(parts: Sequence[Part], unit: str) -> alt.Chart:
    """The largest parts in colours of their own, the others as one."""
    shown = [part for part in _with_others(parts) if part.value > 0]
    names = [part.name for part in shown]
    return (
        alt.Chart(_frame(shown))
        .mark_arc(stroke="white", strokeWidth=1, innerRadius=50)
        .encode(
            theta=alt.Theta("value:Q", stack=True, title=unit),
            order=alt.Order("place:Q"),
            color=_colours("name", names),
            tooltip=_TOOLTIP,
        )
        .properties(height=_HEIGHT + 60)
    )


def stacked(points: Sequence[Point], series: Sequence[str], unit: str) -> alt.Chart:
    """Bars of UTC days, or of hours where points have a time, one series on the other in the given order."""
    times = [point.at for point in points]
    period, frequency = ("UTC hour", "h") if isinstance(times[0], datetime) else ("UTC day", "D")
    # Periods without use have their place too.
    every = [at.to_pydatetime() for at in pd.date_range(min(times), max(times), freq=frequency)]
    periods = [_period(at if frequency == "h" else at.date()) for at in every]
    return (
        alt.Chart(_timed(points))
        .mark_bar()
        .encode(
            x=alt.X(
                "period:O",
                title=period,
                scale=alt.Scale(domain=periods),
                axis=alt.Axis(labelOverlap=True, labelAngle=0, labelExpr="slice(datum.label, 5)"),
            ),
            y=alt.Y("value:Q", title=unit, stack="zero"),
            color=_colours("series", series),
            order=alt.Order("place:Q"),
            tooltip=_TIMED_TOOLTIP,
        )
        .properties(height=_HEIGHT)
    )


def _period(at: date | datetime) -> str:
    return f"{at:%Y-%m-%d %Hh}" if isinstance(at, datetime) else f"{at:%Y-%m-%d}"


def lines(points: Sequence[Point], series: Sequence[str], unit: str, limits: Sequence[Point] = ()) -> alt.LayerChart:
    """Lines over UTC time, each with dashes of its own."""
    drawn = (
        alt.Chart(_timed(points))
        .mark_line(point=alt.OverlayMarkDef(size=12))
        .encode(
            x=_TIME,
            y=alt.Y("value:Q", title=unit),
            color=_colours("series", series),
            strokeDash=alt.StrokeDash("series:N", sort=list(series), legend=None),
            tooltip=_TIMED_TOOLTIP,
        )
    )
    return alt.LayerChart(layer=[drawn, *_limit_layers(limits)]).properties(height=_HEIGHT)


def peaks(points: Sequence[Point], unit: str, limits: Sequence[Point]) -> alt.LayerChart:
    """A stem for each period with use, from nothing to its height; between stems, nothing was used."""
    stems = (
        alt.Chart(_timed(points))
        .mark_rule(color=PALETTE[0], strokeWidth=1.5)
        .encode(x=_TIME, y=alt.Y("value:Q", title=unit), y2=alt.Y2Datum(0), tooltip=_TIMED_TOOLTIP)
    )
    return alt.LayerChart(layer=[stems, *_limit_layers(limits)]).properties(height=_HEIGHT)


@dataclass(frozen=True)
class Span:
    """The middle and the high end of a distribution."""

    name: str
    middle: float
    high: float


def spans(found: Sequence[Span], unit: str) -> alt.LayerChart:
    """For each name a dot at the middle, and a line to the high end."""
    frame = pd.DataFrame(
        {
            "name": [span.name for span in found],
            "middle": [span.middle for span in found],
            "high": [span.high for span in found],
            "text": [f"{number(span.middle, '')} to {number(span.high, '')} {unit}" for span in found],
        }
    )
    names = alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=180, labelOverlap=False))
    base = alt.Chart(frame).encode(y=names, tooltip=_TOOLTIP)
    line = base.mark_rule(color=PALETTE[4], strokeWidth=4).encode(x=alt.X("middle:Q", title=unit), x2="high:Q")
    dot = base.mark_circle(color=PALETTE[0], size=80, opacity=1).encode(x=alt.X("middle:Q", title=unit))
    height = max(2, len(found)) * _BAR_HEIGHT + 40
    return alt.LayerChart(layer=[line, dot]).properties(height=height)


@dataclass(frozen=True)
class Band:
    """What is expected at a UTC moment, and between which values most cases lie."""

    at: datetime
    low: float
    middle: float
    high: float


def forecast(bands: Sequence[Band], unit: str, limits: Sequence[Point]) -> alt.LayerChart:
    """A line in a band."""
    frame = pd.DataFrame(
        {
            "at": pd.Series([band.at for band in bands], dtype="datetime64[ms]"),
            "when": [f"{band.at:%Y-%m-%d}" for band in bands],
            "low": [band.low for band in bands],
            "middle": [band.middle for band in bands],
            "high": [band.high for band in bands],
            "text": [
                f"{number(band.middle, '')} ({number(band.low, '')} to {number(band.high, '')})" for band in bands
            ],
        }
    )
    tooltip = [alt.Tooltip("when:N", title="UTC day"), alt.Tooltip("text:N", title="expected")]
    base = alt.Chart(frame).encode(x=_TIME)
    band = base.mark_area(color=PALETTE[4], opacity=0.35).encode(y=alt.Y("low:Q", title=unit), y2="high:Q")
    line = base.mark_line(color=PALETTE[0], point=True).encode(y=alt.Y("middle:Q", title=unit), tooltip=tooltip)
    return alt.LayerChart(layer=[band, line, *_limit_layers(limits)]).properties(height=_HEIGHT)


def _limit_layers(limits: Sequence[Point]) -> list[alt.Chart]:
    if not limits:
        return []
    return [
        alt.Chart(_timed(limits))
        .mark_line(interpolate="step-after", strokeDash=[10, 5], color=LIMIT_COLOUR, strokeWidth=2)
        .encode(x=_TIME, y=alt.Y("value:Q"), detail="series:N", tooltip=_TIMED_TOOLTIP)
    ]


_TIME = alt.X("at:T", title="UTC", scale=alt.Scale(type="utc"))

_TOOLTIP = [alt.Tooltip("name:N", title=" "), alt.Tooltip("text:N", title="value")]
_TIMED_TOOLTIP = [
    alt.Tooltip("when:N", title="UTC"),
    alt.Tooltip("series:N", title=" "),
    alt.Tooltip("text:N", title="value"),
]


def _colours(field: str, names: Sequence[str]) -> alt.Color:
    return alt.Color(
        f"{field}:N",
        sort=list(names),
        scale=alt.Scale(domain=list(names), range=list(PALETTE[: len(names)])),
        legend=alt.Legend(title=None, orient="bottom", columns=2, labelLimit=170) if len(names) > 1 else None,
    )


def _with_others(parts: Sequence[Part]) -> list[Part]:
    if len(parts) <= MOST_COLOURS:
        return list(parts)
    kept = list(parts[: MOST_COLOURS - 1])
    rest = sum((Decimal(part.value) for part in parts[MOST_COLOURS - 1 :]), Decimal(0))
    return [*kept, Part(OTHERS, rest, f"{number(float(rest), '')}, {len(parts) - len(kept)} of them")]


def _frame(parts: Sequence[Part]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": [part.name for part in parts],
            "value": [float(part.value) for part in parts],
            "text": [part.text for part in parts],
            "place": list(range(len(parts))),
        }
    )


def _timed(points: Sequence[Point]) -> pd.DataFrame:
    places: dict[str, int] = {}
    for point in points:
        places.setdefault(point.series, len(places))
    return pd.DataFrame(
        {
            "at": pd.Series([point.at for point in points], dtype="datetime64[ms]"),
            "period": [_period(point.at) for point in points],
            "when": [moment(point.at, "") for point in points],
            "series": [point.series for point in points],
            "value": [float(point.value) for point in points],
            "text": [point.text for point in points],
            "place": [places[point.series] for point in points],
        }
    )


def series_with_others(
    values: Sequence[tuple[date | datetime, str, Number]], write: Callable[[Decimal], str]
) -> tuple[list[Point], list[str]]:
    """Points, and the order of their series: the largest first, those beyond the colours added up as one."""
    totals: dict[str, Decimal] = {}
    for _, name, value in values:
        totals[name] = totals.get(name, Decimal(0)) + Decimal(value)
    order = sorted(totals, key=lambda name: (-totals[name], name))
    kept = order if len(order) <= MOST_COLOURS else order[: MOST_COLOURS - 1]
    sums: dict[tuple[date | datetime, str], Decimal] = {}
    for at, name, value in values:
        key = (at, name if name in kept else OTHERS)
        sums[key] = sums.get(key, Decimal(0)) + Decimal(value)
    series = [*kept, *([OTHERS] if len(kept) < len(order) else [])]
    points = [Point(at, name, value, write(value)) for (at, name), value in sums.items()]
    return sorted(points, key=lambda point: (series.index(point.series), point.at)), series
