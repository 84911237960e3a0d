"""SplitMix64 (Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014)."""

import numpy as np
from numpy.typing import NDArray

GAMMA = np.uint64(0x9E3779B97F4A7C15)  # what a stream is ahead by after each number


def mixed(states: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The number of each state, uniform over 64 bits."""
    z = (states ^ (states >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
