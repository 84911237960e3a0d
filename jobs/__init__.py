"""The jobs of the line: one file, one verb and noun, one Delta table or two."""
