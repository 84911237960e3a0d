"""Looks at a folder of unknown files and drafts the mapping that would read it; no Spark."""
