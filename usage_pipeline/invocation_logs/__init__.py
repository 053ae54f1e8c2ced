"""Bytes of model invocation log objects to rows of `raw.invocations`, fast, without keeping a prompt or an answer.

Here: unpacking, decoding, taking counts and settings from every shape of record, setting unreadable records aside.
Not here: finding and fetching objects (`usage_pipeline/aws/`), writing to the warehouse (`usage_pipeline/assets/`).
Nothing here imports Dagster, DuckDB or boto3: worker processes must start at once.
"""
