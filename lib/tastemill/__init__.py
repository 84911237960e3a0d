"""Tastemill: behaviour logs in, scored and explained recommendations in Delta out."""

__version__ = "0.1.0"
