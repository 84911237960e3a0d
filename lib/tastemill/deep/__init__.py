"""Networks and losses: pure torch, no Spark; tensors in, tensors out."""
