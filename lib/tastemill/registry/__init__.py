"""Which model is the champion, and what MLflow is told of all of them."""
