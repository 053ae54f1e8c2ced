"""Many log files of any kind to Arrow rows and Parquet parts, in worker processes, with what cannot be read set aside.

Here: unpacking, quarantine, dividing files among processes. Not here: what is in the files (`invocation_logs/`,
`q_developer/`), finding and fetching them (`usage_pipeline/aws/`), writing to the warehouse (`usage_pipeline/assets/`).
Nothing here imports Dagster, DuckDB or boto3: worker processes must start at once.
"""
