"""How fast a training learns, step by step."""

import math


def learning_rate(base: float, step: int, steps: int, *, warmup: float, decay: str) -> float:
    """Of one step: it rises over the first share of all steps, then falls as a cosine, or stays.

    Args:
        base: The highest.
        step: From 0, over all epochs.
        steps: Of all epochs.
        warmup: Share of the steps.
        decay: `none` or `cosine`.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return base * (step + 1) / rising
    if decay == "none":
        return base
    return base * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))
