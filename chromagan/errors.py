"""The exception family: one line each that says what, which file and what to do."""


class ChromaganError(Exception):
    """Base of every error that a user can cause and mend; the message is one line."""


class UsageError(ChromaganError):
    """Options that are unknown, contradictory or out of range."""


class ReadError(ChromaganError):
    """A photograph that cannot be read: missing, empty, truncated, not an image, too large."""


class WriteError(ChromaganError):
    """An output that cannot be written: no permission, full disk, name taken."""


class ModelError(ChromaganError):
    """A model name or configuration that does not exist."""


class LeftGray(ModelError):  # noqa: N818 (an answer rather than a mistake)
    """A network that answered gray for the whole of a photo."""


class WeightsError(ChromaganError):
    """A weights file that is missing, corrupt, an unknown pickle or made for another network."""


class DeviceError(ChromaganError):
    """A device that was asked for and is not there, or ran out of memory."""


class UnknownNameError(ModelError, WeightsError, UsageError):
    """A network, or weights, asked for by a name that nobody knows, or by a path where there are none."""


class NoDeviceError(DeviceError, UsageError):
    """A device that this machine has not."""


class DataError(ChromaganError):
    """Training or evaluation photographs that are missing or unusable."""


class TrainingError(ChromaganError):
    """A training run that cannot go on: another configuration's folder, a loss that is not finite."""


class MetricUnavailable(ChromaganError):  # noqa: N818 (a state of the machine rather than a mistake)
    """A metric whose network cannot be had here; the message names the metric, the file and the option for it."""


def loading_failure(error: BaseException) -> str:
    """Why a part that the program stands on, such as PyTorch, could not be loaded, and what helps; one line."""
    said = words_of(error) or type(error).__name__
    scarce = isinstance(error, MemoryError) or any(
        sign in said.lower() for sign in ("failed to map segment", "cannot allocate memory", "not enough memory")
    )
    if scarce:
        return f"there is too little memory ({said}); close other programs"
    return f"a library cannot be loaded ({said}); install chromagan again"


def describe(error: BaseException) -> str:
    """An error that nobody foresaw, in one line."""
    return f"unexpected {type(error).__name__}: {words_of(error)}".removesuffix(": ")


def words_of(error: BaseException) -> str:
    """What an error says, in one line; empty where it says nothing, or where saying it fails."""
    try:
        return " ".join(str(error).split())
    except Exception:  # whatever a stranger's __str__ raises; the error itself is what is told
        return ""
