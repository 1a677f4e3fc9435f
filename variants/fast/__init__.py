"""Fast forms of the parts: when they run, matrix products, and gradients made after a loop."""
