"""Folders in any store that fsspec knows: a disk, S3, Google's, memory. A file appears in them whole, or not at all."""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path
from typing import Any

from chromagan.errors import DataError, WriteError, words_of
from chromagan.files.atomic import write_atomically

RETRY_AFTER = (1.0, 4.0)  # seconds before each new attempt to read
_LOCAL = {"file", "local"}
# Stores in which an upload has its name when it is complete, and nothing before.
_UPLOADS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"}
_FINAL = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def filesystem(uri: str, extra: str = "remote") -> tuple[Any, str]:
    """The file system of a URI or path, by its own cache, which knows about forks; and the path in it.

    Args:
        uri: such as `s3://BUCKET/photos`, or a path.
        extra: of this package, which brings fsspec.

    Raises:
        DataError: fsspec, or its part for this store, is not installed; or there is no such store.
    """
    try:
        import fsspec
    except ImportError as error:
        raise DataError(f'{uri}: URLs need fsspec; pip install "chromagan[{extra}]"') from error
    try:
        fs, path = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        raise DataError(f'{uri}: {error}; pip install "chromagan[{extra}]", or s3fs, gcsfs, ...') from error
    except (ValueError, OSError) as error:
        raise DataError(
            f"{uri}: no store that can be opened ({words_of(error)}); write s3://BUCKET/..., or a path"
        ) from error
    return fs, path


def kinds(fs: Any) -> set[str]:
    """The protocols that a file system answers to."""
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def is_local(fs: Any) -> bool:
    """Whether a file system is that of this machine."""
    return bool(kinds(fs) & _LOCAL)


def named(fs: Any, path: str) -> str:
    """The URI of a path, or the plain path of this machine."""
    return path if is_local(fs) else str(fs.unstrip_protocol(path))


def read_uri(uri: str) -> bytes:
    """A file's content; what fails for a while is tried again.

    Raises:
        OSError: and what else the store raises: it cannot be read.
    """
    fs, path = filesystem(uri, "archive")
    for wait in (*RETRY_AFTER, None):
        try:
            return bytes(fs.cat_file(path))
        except _FINAL:
            raise
        except OSError:
            if wait is None:
                raise
            time.sleep(wait)
    raise AssertionError  # pragma: no cover


class Place:
    """A folder in a store, made when something is put there.

    Args:
        uri: a URI or a path.
    """

    def __init__(self, uri: str) -> None:
        self.fs, root = filesystem(uri, "archive")
        self.root = root.rstrip("/")
        self.uri = named(self.fs, self.root)

    def path(self, name: str) -> str:
        """Of a file below, for the file system."""
        return f"{self.root}/{name}"

    def read(self, name: str) -> bytes:
        """A file's content; see `read_uri`."""
        return read_uri(f"{self.uri}/{name}")

    def read_if_there(self, name: str) -> bytes | None:
        """A file's content, None where there is none.

        Raises:
            DataError: the store does not say.
        """
        try:
            return self.read(name)
        except FileNotFoundError:
            return None
        except Exception as error:  # stores raise kinds of their own, as for credentials that are missing
            raise DataError(
                f"{self.uri}: cannot be used ({words_of(error)}); check its name, and who may use it"
            ) from error

    def names(self, folder: str) -> list[str]:
        """The files that a folder below holds now, sorted; none where there is no folder."""
        self.fs.invalidate_cache(self.path(folder))
        try:
            found = self.fs.ls(self.path(folder), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name.rsplit("/", 1)[-1] for name in found if not name.endswith(".tmp"))

    def put(self, name: str, data: bytes, replace: bool = True) -> bool:
        """Write a file: it stands there whole, or not at all.

        Args:
            name: below the folder.
            data: all of it.
            replace: what stands there. Otherwise it stays; who comes first wins, where the store can tell.

        Returns:
            Whether it was written.

        Raises:
            WriteError: the store refuses.
        """
        path = self.path(name)
        try:
            if kinds(self.fs) & _UPLOADS:
                self.fs.pipe_file(path, data, mode="overwrite" if replace else "create")
                return True
            if not replace and self.fs.exists(path):
                return False
            self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            if is_local(self.fs):
                write_atomically(Path(path), lambda file: file.write(data))
            else:
                self._move_into_place(path, data)
        except FileExistsError:
            return False
        except OSError as error:
            raise WriteError(f"{self.uri}/{name}: cannot be written ({words_of(error)}); check the store") from error
        return True

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def _move_into_place(self, path: str, data: bytes) -> None:
        temporary = f"{path.rsplit('/', 1)[0]}/.chromagan-{secrets.token_hex(8)}.tmp"
        try:
            self.fs.pipe_file(temporary, data)
            self.fs.mv(temporary, path)
        except BaseException:
            if self.fs.exists(temporary):
                self.fs.rm_file(temporary)
            raise
