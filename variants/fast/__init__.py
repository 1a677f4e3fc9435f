"""Fast forms: when they are used, matrix products, gradients computed late."""
