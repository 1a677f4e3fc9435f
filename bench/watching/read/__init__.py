"""Reads in the recorded calls what they mean: encoder, decoder, targets, evaluation."""
