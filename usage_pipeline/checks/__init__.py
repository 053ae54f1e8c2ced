"""Data checks: statements about the warehouse that must be true, and how Dagster evaluates them."""
