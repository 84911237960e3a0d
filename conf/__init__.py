"""Default settings as package data, read with importlib.resources."""
