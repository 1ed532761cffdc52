"""What went wrong with a photo, in one line that names it."""

from __future__ import annotations

from chromagan.errors import ChromaganError, DeviceError, WriteError
from chromagan.inference.plan import Job


def explain(job: Job, error: Exception) -> Exception:
    """The same error with the photo's name, and words for what Python and PyTorch say in their own."""
    from chromagan.inference.device import is_out_of_memory

    if isinstance(error, ChromaganError):
        named = any(str(path) in str(error) for path in (job.source, *job.outputs))
        told: Exception = error if named else type(error)(f"{job.source}: {error}")
    elif is_out_of_memory(error):
        told = DeviceError(
            f"{job.source}: memory ran out; use --batch-size 1, a smaller --size, or a photo of fewer pixels"
        )
    elif isinstance(error, OSError):
        told = WriteError(f"{job.source}: {error.strerror or error}; check the file and the output folder")
    else:
        text = " ".join(str(error).split())
        told = ChromaganError(f"{job.source}: unexpected {type(error).__name__}: {text}; --debug shows where")
    if told is not error:
        told.__cause__ = error
    return told
