"""Metrics of whole sets of pictures (FID, KID, a classifier), streamed, resumable, with intervals."""
