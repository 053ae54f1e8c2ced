"""Editing the file of agreed prices: a form, what the edit would make of the last 30 days' cost, and saving it.

Here: the widgets, and the edit that waits to be saved. Not here: what an edit does (`prices/override_edits.py`), the
file and its lock (`prices/override_file.py`), the effect on costs (`price_effects.py`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import streamlit as st

from usage_pipeline.price_effects import EFFECT_DAYS, PriceEffect, between, effect_of
from usage_pipeline.prices.override_edits import (
    LONGEST_NAME,
    LONGEST_NOTE,
    Adding,
    Edit,
    Editor,
    Ending,
    OverrideEditError,
    Removing,
    checked_name,
    entered_by,
    row_of,
    rows_in_the_way,
)
from usage_pipeline.prices.override_file import (
    FileChangedError,
    OverrideFile,
    read_override_file,
    save_edits,
    text_after,
)
from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.prices.price_files import price_overrides_of, written
from usage_pipeline.prices.price_rows import ENDPOINT_TYPES, TOKEN_KINDS
from usage_pipeline.reference import ReferenceDataError
from usage_pipeline.report import formats
from usage_pipeline.ui.plain import plain
from usage_pipeline.ui.price_queries import not_taken_in, read_taken_in
from usage_pipeline.ui.reading import PublishedFile
from usage_pipeline.ui.tables import Column, show_table
from usage_pipeline.ui.view import View

_DRAFT = "pricing-draft"
_SAID = "pricing-said"
"""Names in the session: the edit that waits to be saved, and what the page says once after saving."""

_ADD, _END, _REMOVE = "Add a price", "End a price", "Remove a row"

_ROW = (
    Column("model_pattern", "Model id or pattern"),
    Column("endpoint_type", "Endpoint type"),
    Column("token_kind", "Kind of token"),
    Column("usd_per_million", "USD per million", missing="–"),
    Column("discount_percent", "Discount, %", missing="–"),
    Column("valid_from", "From (UTC)"),
    Column("valid_to", "To (UTC)", missing="open"),
)
_STORED_ROW = (
    *_ROW,
    Column("state", "Now"),
    Column("entered_by", "Entered by"),
    Column("changed_by", "Changed by", missing="–"),
    Column("changed_at", "Changed at (UTC)", missing="–"),
    Column("line", "Line", "integer"),
)
_EFFECT = (
    Column("model_id", "Model id"),
    Column("endpoint_type", "Endpoint type"),
    Column("calls", "Calls", "integer"),
    Column("before_usd", "With the file as it is, USD", "money"),
    Column("after_usd", "After this edit, USD", "money"),
    Column("difference_usd", "Difference, USD", "money"),
    Column("unpriced_before", "Without a price", "integer"),
    Column("unpriced_after", "Without a price then", "integer"),
)


@dataclass(frozen=True)
class Draft:
    """An edit that was asked for and waits to be saved, with the file that it is made on."""

    seen: OverrideFile
    edits: tuple[Edit, ...]
    editor: Editor


def show_agreed_prices(view: View, path: Path, model_ids: Sequence[str]) -> None:
    """The file's rows, the form for an edit, and the edit that waits; `model_ids` are there to choose from."""
    try:
        file = read_override_file(path)
    except ReferenceDataError as error:
        st.error(f"{plain(error)} Until it is mended by hand, runs fail at this file, and it cannot be edited here.")
        return
    said: tuple[bool, str] | None = st.session_state.pop(_SAID, None)
    if said is not None:
        is_saved, words = said
        (st.success if is_saved else st.warning)(words)
    st.caption(f"{plain(path)}. Of several rows that fit a call, the longest pattern wins.")
    show_table(_stored_rows(file, _now()), _STORED_ROW, "agreed-prices", "The file has no rows yet.")
    _say_what_waits(view, file)
    _ask_edit(view, file, model_ids)
    draft = st.session_state.get(_DRAFT)
    if draft is not None:
        _show_draft(view, draft)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _stored_rows(file: OverrideFile, now: datetime) -> list[dict[str, Any]]:
    return [_written(row) | {"line": line, "state": _state(row, now)} for line, row in file.rows]


def _written(row: PriceOverride) -> dict[str, Any]:
    """The row's values as the file has them; None where it has nothing."""
    return {column: written(value) or None for column, value in row.model_dump().items()}


def _state(row: PriceOverride, now: datetime) -> str:
    if row.valid_from > now:
        return "to come"
    return "holds" if row.valid_to is None or now < row.valid_to else "ended"


def _say_what_waits(view: View, file: OverrideFile) -> None:
    new, gone = not_taken_in([row for _, row in file.rows], view.read_all(read_taken_in))
    if new or gone:
        st.info(
            f"The published costs do not know the file as it is now (rows that are new: {new}; rows that are gone: "
            f"{gone}). The next run takes it in; `usage-pipeline run --restate` does so at once and asks AWS nothing."
        )


# ---------------------------------------------------------------------------------------------------------------------
# Asking


def _ask_edit(view: View, file: OverrideFile, model_ids: Sequence[str]) -> None:
    actions = [_ADD, _END, _REMOVE] if file.rows else [_ADD]
    action = st.segmented_control("Edit", actions, default=_ADD, required=True, key="pricing_action")
    with st.form(f"pricing-{action}", width=720):
        try:
            edits, name = _ask_new(view, file, model_ids) if action == _ADD else _ask_about(view, file, action or _END)
        except (OverrideEditError, ReferenceDataError) as error:
            st.error(plain(error))
            return
    if not edits:
        return
    draft = Draft(file, edits, Editor(name, _now()))
    try:
        text_after(draft.seen, draft.edits, draft.editor)
    except (OverrideEditError, ReferenceDataError) as error:
        st.session_state.pop(_DRAFT, None)
        st.error(plain(error))
        return
    st.session_state[_DRAFT] = draft


def _ask_name(view: View) -> str:
    if view.user is not None:
        st.caption(f"Entered by {plain(view.user)}")
        return view.user
    return st.text_input("Your name", max_chars=LONGEST_NAME, key="pricing_name") or ""


def _ask_new(view: View, file: OverrideFile, model_ids: Sequence[str]) -> tuple[tuple[Edit, ...], str]:
    """The edits of a new price, and who asks for them; none until the form is sent.

    Raises:
        OverrideEditError, ReferenceDataError: something in the form is not allowed.
    """
    models, patterns = st.columns(2)
    model = models.selectbox("Model id", list(model_ids), index=None, placeholder="choose one", key="pricing_model")
    pattern = patterns.text_input(
        "Pattern, if not one model id",
        help="* stands for anything: anthropic.claude-sonnet-4-5-* is every version of Sonnet 4.5.",
        key="pricing_pattern",
    )
    endpoint, kind = st.columns(2)
    price, discount = st.columns(2)
    start, end = st.columns(2)
    values = {
        "model_pattern": model or pattern,
        "endpoint_type": endpoint.selectbox("Endpoint type", ["*", *ENDPOINT_TYPES], key="pricing_endpoint"),
        "token_kind": kind.selectbox("Kind of token", ["*", *TOKEN_KINDS], key="pricing_kind"),
        "usd_per_million": price.text_input("Price, USD per million tokens or images", key="pricing_usd"),
        "discount_percent": discount.text_input(
            "Discount off the list price in %, if not a price", key="pricing_percent"
        ),
        "valid_from": start.text_input("From (UTC)", f"{_now():%Y-%m-%d}", key="pricing_from"),
        "valid_to": end.text_input("To (UTC), empty while it holds", key="pricing_to"),
    }
    takes_over = st.checkbox("End the row of the same models that holds then", value=True, key="pricing_takes_over")
    note = st.text_input("Why, such as the contract", max_chars=LONGEST_NOTE, key="pricing_note")
    name = _ask_name(view)
    if not st.form_submit_button("Preview", key="pricing_preview"):
        return (), name
    if model and pattern:
        raise OverrideEditError("Both a model id and a pattern are given; allowed is one of them.")
    new = row_of({key: value or "" for key, value in values.items()} | {"entered_by": entered_by(name, note or "")})
    before = rows_in_the_way([row for _, row in file.rows], new) if takes_over else []
    return (*(Ending(row.key(), new.valid_from) for row in before), Adding(new)), checked_name(name)


def _ask_about(view: View, file: OverrideFile, action: str) -> tuple[tuple[Edit, ...], str]:
    """The edit that ends or removes a row, and who asks for it; none until the form is sent.

    Raises:
        OverrideEditError, ReferenceDataError: something in the form is not allowed.
    """
    labels = {f"line {line}: {_label(row)}": row for line, row in file.rows}
    label = st.selectbox("Row", list(labels), key=f"pricing_{action}_row", required=True)
    end = None
    if action == _END:
        end = st.text_input("To (UTC)", f"{_now():%Y-%m-%d}", key="pricing_end_to")
    else:
        st.caption("A row that is removed counts as never agreed, for past calls too. To stop a price, end it.")
    name = _ask_name(view)
    if not st.form_submit_button("Preview", key=f"pricing_{action}_preview"):
        return (), name
    if label not in labels:
        raise OverrideEditError("The row is gone; choose one that is there.")
    chosen = labels[label]
    if end is None:
        return (Removing(chosen.key()),), checked_name(name)
    values = {column: written(value) for column, value in chosen.model_dump().items()}
    ended = row_of(values | {"valid_to": end})
    if ended.valid_to is None:
        raise OverrideEditError("To (UTC) is empty; give the moment at which the price ends, such as 2026-11-15.")
    return (Ending(chosen.key(), ended.valid_to),), checked_name(name)


def _label(row: PriceOverride) -> str:
    price = f"{written(row.discount_percent)} % off" if row.usd_per_million is None else written(row.usd_per_million)
    until = f" to {written(row.valid_to)}" if row.valid_to else ""
    models = f"{row.model_pattern} · {row.endpoint_type} · {row.token_kind}"
    return f"{models} · {price} · from {written(row.valid_from)}{until}"


# ---------------------------------------------------------------------------------------------------------------------
# What waits to be saved


def _show_draft(view: View, draft: Draft) -> None:
    st.markdown("#### This edit")
    try:
        text = text_after(draft.seen, draft.edits, draft.editor)
    except (OverrideEditError, ReferenceDataError) as error:
        st.error(f"The edit does not fit the file as it is now: {plain(error)}")
        _offer_discarding()
        return
    text, name = text.removeprefix("\ufeff"), draft.seen.path.name
    rows = [row for _, row in price_overrides_of(text, name)]
    show_table(_changed_rows(draft.seen, rows), (Column("change", "Change"), *_ROW), "edit")
    now, after = _effect(view.file, draft.seen.text.removeprefix("\ufeff"), name), _effect(view.file, text, name)
    _show_effect(None if now is None or after is None else between(now, after))
    if st.button("Save", type="primary", key="pricing_save"):
        _save(draft)
    _offer_discarding()


def _changed_rows(seen: OverrideFile, after: Sequence[PriceOverride]) -> list[dict[str, Any]]:
    before = [row for _, row in seen.rows]
    changed = [("−", row) for row in before if row not in after] + [("+", row) for row in after if row not in before]
    return [{"change": sign} | _written(row) for sign, row in changed]


@st.cache_data(max_entries=20, show_spinner="Computing the cost of the last 30 days …")
def _effect(file: PublishedFile, text: str, name: str) -> PriceEffect | None:
    return effect_of(Path(file.path), [row for _, row in price_overrides_of(text, name)])


def _show_effect(effect: PriceEffect | None) -> None:
    if effect is None:
        st.caption("No call is logged, so there is no cost to compare.")
        return
    days = f"{effect.first_day} to {effect.last_day}"
    if not effect.models:
        st.info(f"The edit changes the cost of no logged call from {days}.")
        return
    st.markdown(
        f"**Cost of the logged calls, {days} ({EFFECT_DAYS} days)**: {_dollars(effect.total_before_usd)} with the file "
        f"as it is, {_dollars(effect.total_after_usd)} after this edit; calls without a price: "
        f"{effect.unpriced_before:,}, then {effect.unpriced_after:,}."
    )
    show_table([asdict(row) | {"difference_usd": _difference(row)} for row in effect.models], _EFFECT, "effect")


def _dollars(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"US\\${formats.money(amount, '')}"


def _difference(row: Any) -> Decimal | None:
    return None if row.before_usd is None or row.after_usd is None else row.after_usd - row.before_usd


def _offer_discarding() -> None:
    if st.button("Discard", key="pricing_discard"):
        st.session_state.pop(_DRAFT, None)
        st.rerun()


def _save(draft: Draft) -> None:
    try:
        saved = save_edits(draft.seen, draft.edits, replace(draft.editor, at=_now()))
    except FileChangedError as error:
        st.session_state[_SAID] = (False, plain(error))
        # The edit waits on, held against the file as it is now, so nothing that was typed is lost.
        with suppress(ReferenceDataError):
            st.session_state[_DRAFT] = replace(draft, seen=read_override_file(draft.seen.path))
        st.rerun()
    except (OverrideEditError, ReferenceDataError) as error:
        st.error(plain(error))
        return
    st.session_state.pop(_DRAFT, None)
    st.session_state[_SAID] = (True, f"Saved: {plain(saved.path.name)} has {len(saved.rows)} rows now.")
    st.rerun()
