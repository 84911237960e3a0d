"""Keeps a warehouse small: versions, files and folders that nothing needs any more."""
