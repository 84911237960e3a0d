"""One module per foreign format: files in a folder become events, users and items."""
