"""Dagster assets: a window in, one call of a plain function, a result with its numbers out."""
