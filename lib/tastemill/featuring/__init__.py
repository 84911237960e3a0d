"""How the features of a pass are made, measured and chosen: what has to read before it can go on.

The transforms are in `features/`.
"""
