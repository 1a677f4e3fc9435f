"""Writes rows as tables of text, which the terminal, exported files and reports share."""
