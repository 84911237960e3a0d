"""Who a user is and what an item is, as of a moment: only events strictly before it are seen."""
