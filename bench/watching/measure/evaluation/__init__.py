"""Measures evaluations: how the model is used after training, and how it is scored."""
