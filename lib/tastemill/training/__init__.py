"""From a pinned table version to a trained network: materialize ▶ feed ▶ loop, run by launch."""
