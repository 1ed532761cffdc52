"""PyAV, which reads and writes films, or one line that says how to get it."""

from __future__ import annotations

from chromagan.errors import UsageError

try:
    import av
except ImportError as error:
    raise UsageError('films need PyAV, which is not installed; run: pip install "chromagan[film]"') from error

__all__ = ["av"]
