"""The engine of a comparison: pictures of several colorizers in, figures with their intervals out."""
