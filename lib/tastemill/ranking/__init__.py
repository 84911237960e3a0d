"""Models that tell of a user and an item, by their features, how likely it is taken."""
