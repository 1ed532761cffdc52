"""Film in, film out: `colorize`, and `export_frames` for what is to be corrected by hand.

    from chromagan.film import colorize

    colorize("reel.mp4", "colour.mp4", references=["grandmother.jpg"])

Needs PyAV: `pip install "chromagan[film]"`.
"""

from chromagan.film.colorize import FilmOutcome, Progress, colorize, export_frames

__all__ = ["FilmOutcome", "Progress", "colorize", "export_frames"]
