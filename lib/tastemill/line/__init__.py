"""The line: its stages in order, and the runner that does or skips them."""
