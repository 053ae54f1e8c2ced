"""The dashboard: a Streamlit app over the published DuckDB file, for colleagues.

Here: pages, filters, login. Not here: formulas (`dbt_like_sql/`), the report as one file (`report/`), the command that
starts it (`cli_ui.py`). Only this folder imports Streamlit, which comes with the extra `ui`.
"""
