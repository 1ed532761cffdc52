"""What colorizers do to skin, by group of skin tone."""
