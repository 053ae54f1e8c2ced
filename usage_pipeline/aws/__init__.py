"""Reading AWS: one module per service, functions that take a client and give typed rows.

Here: credentials, calls to AWS, and the planning of calls. Not here: Dagster (`assets/`), DuckDB (`warehouse.py`),
the simulated account (`sandbox/`).
"""
