"""The studio: a page in the browser on which a person colours photographs by hand."""
