"""From scores to short lists: the exact top-k kernel, the scorers, the Spark path around them."""
