"""Coloured films compared with the truth, frame by frame and over time."""
