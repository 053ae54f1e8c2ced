"""Amazon Q Developer's and Kiro's prompt logs and activity reports: bytes of objects to Arrow rows, without their text.

Here: which object is which, counting the tokens of prompts and answers, and dropping their text on the spot. Not here:
unpacking, quarantine and worker processes (`log_files/`), finding and fetching objects (`aws/`), writing to the
warehouse (`assets/`). Nothing here imports Dagster, DuckDB or boto3: worker processes must start at once.
"""
