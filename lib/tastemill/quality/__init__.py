"""What tables are expected to be like, measured in one pass each, and held against it."""
