"""Files and pixels; knows no network."""
