"""Files that this program keeps below an output, and what to do where one is damaged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from chromagan.apps.archive.order import OWN
from chromagan.errors import ChromaganError, DataError, words_of
from chromagan.files.stores import Place

ANEW = f"copy it back, or take the folder {OWN} away and run it again: outputs stay"


@contextlib.contextmanager
def reading(out: Place, name: str, mend: str = ANEW) -> Iterator[None]:
    """What is wrong with a file while it is read becomes a `DataError` that says what to do.

    Args:
        out: the output folder.
        name: of the file below it.
        mend: what to do.
    """
    try:
        yield
    except ChromaganError:
        raise
    except Exception as error:  # JSON, Parquet and stores raise many kinds
        raise DataError(f"{out.uri}/{name}: damaged, or cannot be read ({words_of(error)}); {mend}") from error
