"""The synthetic world's constants: topics with their words, kinds of items, steps of a visit."""

from collections.abc import Sequence
from dataclasses import dataclass

GOODS, FILM, MUSIC = range(3)
KINDS = ("goods", "film", "music")


@dataclass(frozen=True)
class Topic:
    """A latent topic: its category, the kind of its items, and its words."""

    category: str
    kind: int
    nouns: Sequence[str]


TOPICS = (
    Topic("kitchen", GOODS, ("skillet", "kettle", "grater", "casserole", "chopping board")),
    Topic("space films", FILM, ("Orbit", "Red Dust", "The Airlock", "Last Signal", "Far Side")),
    Topic("jazz", MUSIC, ("Blue Hour", "Slow Train", "Brushes", "After Closing", "Quartet")),
    Topic("gardening", GOODS, ("trowel", "seed tray", "watering can", "pruner", "cold frame")),
    Topic("comedies", FILM, ("The Wrong Hat", "Two Left Feet", "In-Laws", "Mistaken", "Encore")),
    Topic("cycling", GOODS, ("pannier", "saddle", "headlamp", "pump", "mudguard")),
    Topic("folk", MUSIC, ("Hillside", "The Miller", "Long Road", "Harbour", "Green Door")),
    Topic("crime films", FILM, ("The Ledger", "Cold Harbour", "Alibi", "Night Shift", "Motive")),
    Topic("toys", GOODS, ("building blocks", "puppet", "train set", "puzzle", "spinning top")),
    Topic("electronic", MUSIC, ("Pulse", "Grid", "Low Pass", "Night Bus", "Loop")),
    Topic("camping", GOODS, ("tent", "stove", "sleeping mat", "lantern", "rucksack")),
    Topic("documentaries", FILM, ("The Delta", "Glacier", "Salt", "Harvest", "Deep Water")),
    Topic("stationery", GOODS, ("notebook", "fountain pen", "ruler", "envelope set", "stamp pad")),
    Topic("classical", MUSIC, ("Nocturne", "Partita", "Serenade", "Trio", "Overture")),
    Topic("pets", GOODS, ("lead", "scratching post", "feeder", "basket", "aquarium")),
    Topic("romances", FILM, ("Letters", "The Ferry", "Late Spring", "Second Waltz", "Lindens")),
    Topic("sewing", GOODS, ("thread set", "pin cushion", "fabric roll", "thimble", "pattern")),
    Topic("hip-hop", MUSIC, ("Corner", "Rooftop", "Line by Line", "Ninth Street", "Echoes")),
    Topic("lighting", GOODS, ("desk lamp", "lampshade", "spotlight", "candle holder", "dimmer")),
    Topic("board games", GOODS, ("card game", "dice tower", "strategy game", "party game", "map")),
)
ADJECTIVES = ("plain", "bright", "quiet", "northern", "small", "early", "grand", "curious")
GENERIC_QUERIES = ("gift", "new", "best of", "sale", "for two", "something different")
LANGUAGES = ("en", "de", "fr")
LANGUAGE_CARDS = (0, 0, 0, 1, 1, 2)
"""Places in LANGUAGES as they are drawn: half, a third, a sixth."""
BRANDS_PER_TOPIC = 6
BRAND_NAMES = ("Ardent", "Bracken", "Corvid", "Dovetail", "Ember", "Fathom")

# What a visit to an item can go through, by kind. The first step is a view, and each step is
# reached by way of those before it.
FUNNELS = (
    ("view", "click", "cart", "purchase", "rating", "share"),
    ("view", "click", "watch", "like", "comment", "share"),
    ("view", "click", "listen", "like", "share", "comment"),
)
TAKES = ("purchase", "watch", "listen")
"""Event types that say that a user took an item: what a list is judged by."""

# Attributes that drive behaviour, and how; the rest of what the tables tell of users and items is
# noise. `truth.json` repeats this.
SIGNAL = {
    "users": {
        "age": "tells of the user's steady topic",
        "income": "the budget: items priced far from it are taken less",
        "language": "items in the user's own are taken more",
    },
    "items": {
        "categories": "the first is the topic's own for most items",
        "price": "against the user's income",
        "language": "against the user's",
        "brand": "belongs to a topic; some brands are better than others",
        "released_on": "novelty wears off; nothing happens before it",
        "kind": "follows from the topic; decides which steps a visit has",
    },
}
NOISE = {
    "users": ("gender", "occupation", "newsletter", "browser"),
    "items": ("colour", "packaging", "weight_grams"),
}
GENDERS = ("female", "male", "other")
OCCUPATIONS = ("baker", "clerk", "driver", "engineer", "nurse", "retired", "student", "teacher")
BROWSERS = ("Alder", "Birch", "Cedar", "Larch")
COLOURS = ("black", "blue", "green", "red", "white", "yellow")
PACKAGINGS = ("bag", "box", "sleeve", "tin")
INCOMES = ("low", "middle", "high")
