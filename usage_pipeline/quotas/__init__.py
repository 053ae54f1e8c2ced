"""Which Service Quotas code limits which model, and whose word counts: names in, mappings with reasons out.

Here: pure parsers and rules, the question to a language model, people's file. Not here: asking AWS (`aws/`), storing
(`assets/`), facts with dates (`reference/`).
"""
