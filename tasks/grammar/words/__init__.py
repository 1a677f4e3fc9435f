"""Words of the grammar in both languages: kinds of word, tables of them, and numbers."""
