"""Fetches and prepares corpora and word vectors."""
