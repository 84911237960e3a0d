"""Synthetic data: behaviours that no public log has, with a truth that models can be held against.

`params` says what is made, `draws` makes every random number a hash, `topics` names the world,
`users`, `items`, `relations` and `events` make the tables (`sessions` and `choice` are the events'
first two steps), `write` puts them into a folder, `show` does so for a person, `margin`
measures what the truth is worth.
"""
