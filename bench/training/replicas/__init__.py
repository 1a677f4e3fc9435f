"""Trains runs that differ only in seed or learning rate as one stacked model."""
