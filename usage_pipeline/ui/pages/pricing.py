"""Pricing: what tokens cost, what they cost before, calls without a price, and the file of agreed prices.

Not here: queries (`price_queries.py`), editing the file (`price_editor.py`).
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from usage_pipeline.config import ConfigurationError, load_settings
from usage_pipeline.config_prices import DEFAULT_OVERRIDES_FILE
from usage_pipeline.prices.override_edits import HEADER
from usage_pipeline.ui.plain import plain
from usage_pipeline.ui.price_editor import show_agreed_prices
from usage_pipeline.ui.price_queries import PricedUse, read_history, read_prices_in_force, read_sources, read_unpriced
from usage_pipeline.ui.tables import Column, show_table
from usage_pipeline.ui.view import View

TITLE = "Pricing"
URL = "pricing"

_USE = (
    Column("model_name", "Model"),
    Column("endpoint_type", "Endpoint type"),
    Column("region", "Region"),
    Column("service_tier", "Tier"),
    Column("context_band", "Context"),
)
_KINDS = (
    Column("input", "Input", "price"),
    Column("output", "Output", "price"),
    Column("cache_read", "Cache read", "price"),
    Column("cache_write_5m", "Cache write, 5 min", "price"),
    Column("cache_write_1h", "Cache write, 1 h", "price"),
    Column("image", "Image", "price"),
)
_VALIDITY = (
    Column("valid_from", "Newest since (UTC)", "moment"),
    Column("source", "Source"),
    Column("context_threshold", "Long above, input tokens", missing="–"),
    Column("model_id", "Model id"),
)

_HISTORY = (
    Column("token_kind", "Kind of token"),
    Column("context_band", "Context"),
    Column("usd_per_million", "USD per million", "price"),
    Column("list_usd_per_million", "List price", "price"),
    Column("valid_from", "From (UTC)", "moment"),
    Column("valid_to", "To (UTC)", missing="holds"),
    Column("region", "Region"),
    Column("source", "Source"),
)

_UNPRICED = (
    Column("model_id", "Model id"),
    Column("endpoint_type", "Endpoint type"),
    Column("region", "Region"),
    Column("account_id", "Account"),
    Column("service_tier", "Tier"),
    Column("unpriced_calls", "Calls without a price", "integer"),
    Column("calls", "All calls", "integer"),
    Column("first_day", "First day", "day"),
    Column("last_day", "Last day", "day"),
    Column("reason", "Why"),
)

_SOURCES = (
    Column("price_source", "Source"),
    Column("last_answer", "Last answer (UTC)", "moment"),
    Column("last_asked", "Last asked (UTC)", "moment"),
    Column("status", "Status"),
    Column("row_count", "Prices", "integer"),
    Column("error_text", "What went wrong", missing="–"),
)


def show(view: View) -> None:
    """Draw the page."""
    uses = view.read(read_prices_in_force, view.filters.first_day, view.filters.last_day)
    st.subheader("Prices of what was used")
    st.caption(
        f"US dollars for a million tokens or images, as they hold at the end of {view.filters.last_day} (UTC), agreed "
        "prices and discounts included; of models that logged calls had on the days that are shown, the dearest first."
    )
    kinds = [column for column in _KINDS if any(getattr(use, column.key) is not None for use in uses)]
    show_table(
        uses,
        (*_USE, *kinds, *_VALIDITY),
        "prices",
        "No logged call of a model that is charged by the token on these days.",
    )
    if uses:
        _show_history(view, uses)
    st.subheader("Sources of list prices")
    show_table(view.read_all(read_sources), _SOURCES, "price-sources", "No source was asked yet.")
    st.subheader("Calls without a price")
    st.caption("Of the newest 30 logged days. They are in no sum of costs.")
    show_table(view.read(read_unpriced), _UNPRICED, "calls-without-a-price", "Every logged call has a price.")
    st.subheader("Agreed prices and discounts")
    if (file := _override_file(view)) is not None:
        show_agreed_prices(view, file, sorted({use.model_id for use in uses}))


def _show_history(view: View, uses: Sequence[PricedUse]) -> None:
    st.subheader("History of a price")
    labels = {_label(use): use.key for use in uses}
    chosen = st.selectbox(
        "Model, endpoint type, Region, tier", list(labels), key="pricing_of", bind="query-params", required=True
    )
    key = labels[chosen] if chosen in labels else uses[0].key
    st.caption("A price of Region * is that of every Region without a price of its own at the time.")
    show_table(view.read(read_history, key), _HISTORY, "price-history", "No price of it is known.")


def _label(use: PricedUse) -> str:
    return " · ".join([use.model_name, *use.key])


def _override_file(view: View) -> Path | None:
    """The file of agreed prices; None when there is none to edit, after the page has said how to get one."""
    if view.config is None:
        st.info(
            "The dashboard was opened with a published file alone, so nothing can be changed here. Start it with "
            "`usage-pipeline ui --config usage_pipeline.yaml` to see and edit agreed prices."
        )
        return None
    try:
        file = load_settings(view.config).price_settings.overrides
    except ConfigurationError as error:
        st.error(f"The configuration cannot be used: {plain(error)}")
        return None
    if file is None:
        st.info(
            f"There is no file of agreed prices yet. Write one with this line as `{DEFAULT_OVERRIDES_FILE}` beside the "
            f"configuration ({plain(view.config)}), or name another with `prices.overrides` in it."
        )
        st.code(HEADER.strip(), language=None, wrap_lines=True)
    return file
