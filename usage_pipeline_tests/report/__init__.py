"""Tests of the report: its numbers, its escaping and its behaviour in a browser."""
