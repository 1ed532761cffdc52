"""Which file of a method belongs to which true photo: matched by name across extensions, or refused with a list."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chromagan.errors import DataError, UsageError
from chromagan.files.find import find_photo_files
from chromagan.images.read_header import open_file, read_header

BASELINES = ("gray", "mean ab", "truth")
"""Rows that stand in every table; no method may take their names."""
_SHOWN = 10


@dataclass(frozen=True)
class Pairs:
    """True photos and what each method made of them."""

    images: list[str]  # names below the truth folder, sorted
    truth: list[Path]  # files, in that order
    predictions: dict[str, list[Path]]  # by method, files in that order
    left_out: list[str] = field(default_factory=list)  # photos that are not to be measured, by their names


def parse_methods(
    words: Sequence[str], option: str = "--pred", reserved: Sequence[str] = BASELINES, files_too: bool = False
) -> dict[str, Path]:
    """Folders by name from `NAME=DIR` or `DIR`, whose name is the folder's; messages name the option that gave them.

    With `files_too` they may be files, called by their names without extension.

    Raises:
        UsageError: a name twice, empty, or reserved for rows of the program's own; a folder that is not there.
    """
    methods: dict[str, Path] = {}
    for word in words:
        name, separator, folder = word.partition("=")
        there = Path.exists if files_too else Path.is_dir
        if not separator or there(Path(word)):  # a folder may have an equals sign in its name
            name, folder = Path(word).resolve().name, word
            name = Path(name).stem if files_too and Path(word).is_file() else name
        if not name or name in reserved:
            raise UsageError(f"{option} {word}: the name {name!r} is {'taken by our own rows' if name else 'empty'}; "
                             "write NAME=DIR with another one")  # fmt: skip
        if name in methods:
            raise UsageError(f"{option} {word}: two folders are called {name!r}; write NAME=DIR with another name")
        if not folder or not there(Path(folder)):
            kind, made = ("there", "film or folder") if files_too else ("a folder", "folder of colorized pictures")
            raise UsageError(f"{option} {word}: {folder or 'nothing'} is not {kind}; give the {made}")
        methods[name] = Path(folder)
    return methods


def match_pairs(
    truth: Path | Sequence[Path],
    methods: dict[str, Path],
    select: Callable[[Sequence[str]], Sequence[str]] = lambda names: names,
    limit: int | None = None,
) -> Pairs:
    """Find every method's picture of every true photo, below folders of any depth (or of one photo).

    Names below several folders begin with their folder's; Unicode's two ways of writing an accent are one name.

    Names are compared as paths below the folder without extension. Where a folder does not match so as a whole, its
    file names alone are tried, provided that none occurs twice. `select` keeps the names of true photos that are to be
    measured, such as `Protocol.select`, and `limit` the first so many of them.

    Raises:
        DataError: no photos; or missing, extra or doubled names, all in one message.
    """
    places = [truth] if isinstance(truth, Path) else list(truth)
    named = _named_photos(places)
    selected = sorted(select(list(named)))
    images, where = selected[:limit], " and ".join(map(str, places))
    if not images:
        raise DataError(f"{where}: none of its {len(named)} photos belongs to the protocol; give its images")
    problems = [f"{where}: {problem}" for problem in _by_key({name: named[name] for name in images}, _whole)[1]]
    others = set(named) - set(images)
    predictions: dict[str, list[Path]] = {}
    for method, folder in methods.items():
        made = {_name(path, folder): path for path in find_photo_files(folder)}
        found, wrong = _match(images, others, made)
        predictions[method] = found
        problems += [f"{method} ({folder}): {problem}" for problem in wrong]
    if problems:
        raise DataError(f"pictures and truths do not match: {'; '.join(problems)}; mend the folders and run again")
    left_out = sorted(set(named) - set(selected))
    return Pairs(images, [named[name] for name in images], predictions, left_out)


def _named_photos(places: Sequence[Path]) -> dict[str, Path]:
    """The photos of folders by their names below them; those of several folders begin with the folder's."""
    if len(places) == 1:
        root = places[0] if places[0].is_dir() else places[0].parent
        return {_name(path, root): path for path in find_photo_files(places[0])}
    named: dict[str, Path] = {}
    heads: Counter[str] = Counter()
    known: set[Path] = set()  # each photo counts once
    for place in places:
        found = {name: path for name, path in _named_photos([place]).items() if path.resolve() not in known}
        known |= {path.resolve() for path in found.values()}
        head = (place if place.is_dir() else place.parent).resolve().name
        heads[head] += bool(found)
        head += f" {heads[head]}" if heads[head] > 1 else ""
        named |= {f"{head}/{name}": path for name, path in found.items()}
    return named


def files_by_name(folder: Path) -> dict[str, Path]:
    """The photos of a folder, or one photo, by path below the folder without extension, in the order of their names.

    Raises:
        DataError: there is none, or names that differ in their extension alone.
    """
    pairs = match_pairs(folder, {})
    return dict(zip(map(without_suffix, pairs.images), pairs.truth, strict=True))


def list_digest(names: Sequence[str]) -> str:
    """SHA-256 of the sorted names, one a line: two measurements with the same digest used the same list of photos."""
    return hashlib.sha256(os.fsencode("\n".join(sorted(names)))).hexdigest()  # not every name is Unicode


def check_sizes(pairs: Pairs, workers: int = 4) -> None:
    """Refuse pictures whose size is not their truth's, from the files' headers, all in one message.

    Raises:
        DataError: sizes differ.
        ReadError: a header cannot be read.
    """
    with ThreadPoolExecutor(workers) as pool:
        sizes = list(pool.map(picture_size, pairs.truth))
        problems = []
        for method, files in pairs.predictions.items():
            wrong = [
                f"{image} {size[0]} x {size[1]} instead of {expected[0]} x {expected[1]}"
                for image, size, expected in zip(pairs.images, pool.map(picture_size, files), sizes, strict=True)
                if size != expected
            ]
            problems += [f"{method}: {_some(wrong, 'of another size')}"] if wrong else []
    if problems:
        raise DataError(f"pictures and truths do not match (height x width): {'; '.join(problems)}; "
                        "give pictures of the truths' size, or a protocol that resizes both")  # fmt: skip


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of a photo as it is shown (upright), from its header alone.

    Raises:
        ReadError: not a photo, or a broken one.
    """
    with open_file(path) as file:
        header = read_header(file, str(path))
    size = header.height, header.width
    return size[::-1] if header.orientation >= 5 else size


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def without_suffix(name: str) -> str:
    """A file's name without its extension, its folders with it."""
    return str(PurePosixPath(name).with_suffix(""))


def _whole(name: str) -> str:
    """What whole names are compared by."""
    return unicodedata.normalize("NFC", without_suffix(name))


def _stem(name: str) -> str:
    """What file names alone are compared by."""
    return unicodedata.normalize("NFC", PurePosixPath(name).stem)


def _by_key(named: dict[str, Path], key: Callable[[str], str]) -> tuple[dict[str, Path], list[str]]:
    """Files by key, and what is wrong with them: keys that several files share."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in named:
        groups[key(name)].append(name)
    doubled = [" and ".join(sorted(names)) for names in groups.values() if len(names) > 1]
    return {k: named[names[0]] for k, names in groups.items()}, [_some(doubled, "doubled")] if doubled else []


def _match(images: Sequence[str], others: set[str], made: dict[str, Path]) -> tuple[list[Path], list[str]]:
    """The pictures of the images in their order, or what is wrong; by whole names or, failing that, by stems."""
    first: list[str] | None = None
    for key in (_whole, _stem):
        wanted = [key(image) for image in images]
        if key is _stem and len(set(wanted)) < len(wanted):
            break
        found, problems = _by_key(made, key)
        missing = [image for image, k in zip(images, wanted, strict=True) if k not in found]
        known = set(wanted) | {key(name) for name in others}
        extra = sorted(name for name in made if key(name) not in known)
        problems += [_some(missing, "missing")] if missing else []
        problems += [_some(extra, "extra")] if extra else []
        if not problems:
            return [found[k] for k in wanted], []
        first = first or problems
    return [], first or []


def listed(names: Sequence[str]) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _some(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what} ({listed(names)})"
