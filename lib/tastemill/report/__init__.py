"""The report: one self-contained page on what a run did and how good it is."""
