"""Film in, film out."""
