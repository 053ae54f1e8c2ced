"""Planning: percentiles with confidence, forecasts, recommended quota and `max_tokens`, replay, causes of throttles.

Here: pure functions over NumPy arrays and small dataclasses. Not here: Dagster, DuckDB, AWS, texts of the report.
The formulas, their sources and what is an estimate: `docs/planning.md`.
"""
