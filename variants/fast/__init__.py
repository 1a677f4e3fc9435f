"""Fast forms of the parts: the decoder in a loop, matrix products, gradients made after a loop."""
