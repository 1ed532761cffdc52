"""The version, in one place: the package, its build and every file that it writes read it here."""

__version__ = "0.2.0"
