"""The report: one self-contained HTML file and its JSON twin, made from the published tables.

Here: reading the numbers, drawing the page, writing both files. Not here: formulas (`dbt_like_sql/`), Dagster assets.
"""
