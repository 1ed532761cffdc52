"""What went wrong with a photo, in one line that names it."""

from __future__ import annotations

import sys

from chromagan.errors import ChromaganError, DeviceError, WriteError, describe
from chromagan.inference.batch_plan import Job


def explain(job: Job, error: BaseException) -> Exception:
    """The same error with the photo's name, and words for what Python and PyTorch say in their own."""
    told: Exception
    if isinstance(error, ChromaganError):
        named = any(str(path) in str(error) for path in (job.source, *job.outputs))
        told = error if named else type(error)(f"{job.source}: {error}")
    elif _is_out_of_memory(error):
        told = DeviceError(
            f"{job.source}: memory ran out; use --batch-size 1, a smaller --size, or a photo of fewer pixels"
        )
    elif isinstance(error, OSError):
        told = WriteError(f"{job.source}: {error.strerror or error}; check the file and the output folder")
    else:
        told = ChromaganError(f"{job.source}: {describe(error)}; --debug shows where")
    if told is not error:
        told.__cause__ = error
    return told


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or "torch" not in sys.modules:  # for which most unreadable photos do not wait
        return isinstance(error, MemoryError)
    try:
        from chromagan.compute.device import is_out_of_memory
    except Exception:  # PyTorch could not be loaded, which ends the batch with a line of its own
        return False
    return is_out_of_memory(error)
