"""Which Service Quotas code limits which model: names in, mappings with reasons out.

Here: pure parsers and rules. Not here: asking AWS (`aws/`), storing (`assets/`), facts with dates (`reference/`).
"""
