"""How good lists and predictions are, per user, and how sure one can be of it."""
