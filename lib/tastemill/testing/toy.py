"""A made-up data set in MovieLens 100K's form: small, seeded, with tastes that can be learned."""

import random
from pathlib import Path

GENRES = 19


def write_movielens(folder: Path, *, users: int = 40, items: int = 30, seed: int = 1) -> int:
    """Write u.data, u.item and u.user; return the number of ratings.

    Half of the users like even items, half odd ones; each rates about half of the catalogue over
    a hundred days.
    """
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for user in range(1, users + 1):
        for item in draw.sample(range(1, items + 1), items // 2):
            stars = draw.choice((4, 5)) if item % 2 == user % 2 else draw.choice((1, 2, 3))
            # Most users stay to the end, so that the newest part knows them.
            day = draw.randrange(user // 2, 100)
            lines.append(f"{user}\t{item}\t{stars}\t{880_000_000 + day * 86_400 + len(lines)}")
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    (folder / "u.user").write_text(
        "".join(f"{u}|{20 + u}|{'MF'[u % 2]}|baker|00000\n" for u in range(1, users + 1))
    )
    (folder / "u.item").write_text(
        "".join(f"{i}|Film {i} (1990)|01-Jan-1990||url|{_flags(i)}\n" for i in range(1, items + 1)),
        encoding="latin-1",
    )
    return len(lines)


def _flags(item: int) -> str:
    """Even items are of one genre, odd ones of another."""
    return "|".join("1" if n == 1 + item % 2 else "0" for n in range(GENRES))
