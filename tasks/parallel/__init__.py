"""Parallel text of any two languages: how it is stored, cut into symbols, divided and scored."""
