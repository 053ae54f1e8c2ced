"""Bytes of model invocation log objects to rows of `raw.invocations`, fast, without keeping a prompt or an answer.

Here: decoding, and taking counts and settings from every shape of record. Not here: unpacking, quarantine and worker
processes (`log_files/`), finding and fetching objects (`aws/`), writing to the warehouse (`assets/`).
Nothing here imports Dagster, DuckDB or boto3: worker processes must start at once.
"""
