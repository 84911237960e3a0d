"""Models that need no network: what was liked, by whom, and how often."""
