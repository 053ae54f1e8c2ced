"""Findings, and telling people of them: what is wrong with which thing since when, who was told, what was refused."""
