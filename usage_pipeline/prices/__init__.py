"""Prices: what list prices and agreed prices say, as rows of raw.model_prices and raw.price_overrides.

This room turns price sources (the snapshot in `reference/`, users' CSV files, LiteLLM's JSON, AWS's Price List) into
rows, and keeps their history. It is pure: text and values in, rows out. Asking is in `aws/price_list.py` and
`downloads.py`, storing in `assets/raw_prices.py`; costs are computed in SQL.

The price of a request
----------------------
A request has a model, an endpoint type, a source Region, a tier, a number of input tokens (cached ones included) and a
moment. For each kind of token of which it has any, exactly one price is looked up:

1. `model_id` and `endpoint_type` are equal. No price of another endpoint type stands in: a model that is called
   through a geo profile has a price under `geo` or none. Calls of custom deployments, imported models and provisioned
   throughput have no price by token here.
2. `service_tier` is equal; a tier that the log does not state is `default`. A tier without a price has none: the
   default tier's price never stands in for `flex`, `priority` or `batch`, and `reserved` has no price by token. There
   is no exception. (Where a source gives a tier's input price and no cache price, the cache price at the same ratio is
   a row of its own, which says so in `source`.)
3. `context_band`: `long` when a `long` row that satisfies 1, 2, 4 and 5 exists for any kind and the request has more
   input tokens than its `context_threshold`; then every kind is priced from `long`. Otherwise `standard`.
4. `valid_from <= moment < valid_to`; an open `valid_to` is the end of time.
5. `region`: the request's Region where it has a row that satisfies the rest, else `*`. This is decided for each key
   (model, endpoint type, tier, band, kind) by itself.

If a kind of which the request has tokens finds no row, the request's cost is NULL, not the sum of the others. A kind
of which it has none needs no price. Written cache tokens that the log does not split by lifetime are `cache_write_5m`.
A model that is charged by the image has an `image` row and no `input` row; when the log has no count of its images,
the cost is NULL too. (If its log has input tokens, an override of 0 for `input` gives them their price.) Requests
that failed cost 0.

Overrides come after the list price is found: of the rows of raw.price_overrides that hold at the moment, whose
`model_pattern` fits the model (GLOB) and whose `endpoint_type` and `token_kind` are equal or `*`, the one with the
longest pattern wins; then an equal endpoint type before `*`, then an equal kind before `*`, then the pattern that sorts
first. `usd_per_million` replaces the list price in every Region, tier and band, also where there is no list price.
`discount_percent` is taken off the list price; without a list price it gives none.
"""
