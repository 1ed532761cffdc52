"""A comparison on paper: the offline page, tables for LaTeX and Markdown, the files beside them."""
