"""What a model can learn from: values as of just before each example, counted, judged, chosen."""
