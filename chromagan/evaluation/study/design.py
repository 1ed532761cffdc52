"""Design of a colorization Turing test: who sees which photo, colorized by what, on which side, in which order.

The protocol is the forced choice of Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016), section 3.1;
`docs/study.md` says what is taken from it and what differs. The schedules of all participants are made here, ahead of
time, so that their balance can be counted; the page only follows them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from chromagan.errors import DataError, UsageError

MODES = ("pairs", "single")
PRESENTATIONS = ("sequential", "together")
EXPOSURE_MS = 1000
TOLERANCE_MS = 100
"""A trial counts if every exposure measured in it lies within this of `EXPOSURE_MS`."""

PRACTICE, TEST, ATTENTION = "practice", "test", "attention"


@dataclass(frozen=True)
class StudyOptions:
    """What a study is; the defaults are the published protocol.

    Attributes:
        mode: "pairs": a real photo and its colorized version, which is the colorized one? "single": one picture, real
            or colorized?
        presentation: of pairs: "sequential", left for one second and then right for one second, or "together".
        practice, trials: how many trials with feedback, never analysed, and how many after them.
        attention: how many of `trials` show blatantly wrong colours, not a method's; None for a tenth, at least 1.
        participants: how many schedules there are; a participant beyond them gets one of these again.
        seed: decides photos, schedules and the colours of the attention checks.
        size: side of the square pictures in CSS pixels.
    """

    mode: str = "pairs"
    presentation: str = "sequential"
    practice: int = 10
    trials: int = 40
    attention: int | None = None
    participants: int = 40
    seed: int = 0
    size: int = 256

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"the mode of a study is {' or '.join(MODES)}, not {self.mode}")
        if self.presentation not in PRESENTATIONS:
            raise UsageError(f"pairs are presented {' or '.join(PRESENTATIONS)}, not {self.presentation}")
        if self.practice < 0 or self.trials < 1 or not 1 <= self.participants <= 10_000:
            raise UsageError("a study has 0 or more practice trials, at least 1 trial and 1 to 10000 participants")
        if not 64 <= self.size <= 1024:
            raise UsageError(f"pictures are shown at 64 to 1024 pixels, not {self.size}")
        if not 0 <= self.checks < self.trials:
            raise UsageError(f"{self.checks} attention checks leave no other trial among {self.trials}; give fewer")

    @property
    def checks(self) -> int:
        """How many attention checks there are."""
        if self.attention is not None:
            return self.attention
        return max(1, round(self.trials / 10)) if self.trials > 1 else 0

    @property
    def measured(self) -> int:
        """How many trials of a session are neither practice nor attention checks."""
        return self.trials - self.checks

    @property
    def photos_needed(self) -> int:
        """A participant sees each photo once, so there must be as many photos as trials."""
        return self.practice + self.trials


@dataclass(frozen=True)
class Trial:
    """One trial of a schedule; photo and method by their indices."""

    phase: str  # "practice" or "test"
    kind: str  # "test" for a method's picture, "attention" for a check; practice trials are of kind "test"
    photo: int
    method: int | None  # None in a check and where the real photo is shown alone
    colorized_left: bool | None  # None in single mode
    shows_real: bool | None  # None in pairs


@dataclass(frozen=True)
class PhotoRoles:
    """Which photos serve for what; indices. A photo has one role for all participants."""

    practice: tuple[int, ...]
    attention: tuple[int, ...]
    test: tuple[int, ...]


def assign_roles(options: StudyOptions, suitable_checks: Sequence[int], photos: int) -> PhotoRoles:
    """Deal so many photos out to practice, attention checks and test by the seed.

    `suitable_checks` are those whose false colours are blatant, in the order of preference; `DataError` where they or
    the photos are too few.
    """
    if photos < options.photos_needed:
        raise DataError(
            f"the study needs {options.photos_needed} photos ({options.practice} practice + {options.trials} trials, "
            f"each seen once) and there are {photos}: give more, or lower --practice and --trials"
        )
    if len(suitable_checks) < options.checks:
        raise DataError(
            f"only {len(suitable_checks)} of {photos} photos are bright enough for the false colours of "
            f"{options.checks} attention checks: give other photos, or lower --attention"
        )
    attention = tuple(suitable_checks[: options.checks])
    others = [index for index in range(photos) if index not in set(attention)]
    random.Random(f"roles {options.seed}").shuffle(others)
    return PhotoRoles(tuple(others[: options.practice]), attention, tuple(others[options.practice :]))


def design_session(options: StudyOptions, roles: PhotoRoles, methods: int, index: int) -> list[Trial]:
    """The schedule of participant number `index`, from 0, for so many methods.

    Participants come in blocks of 2 x `methods` who see the same photos. In a block each photo is shown with each
    method twice, once on either side (single mode: by each method once, and `methods` times as it is). Within a
    session the methods' counts differ by at most 1, and so do left and right (single mode: real and colorized), in
    all and for each method. Blocks move on through the photos, so that these differ by at most one block's showing.
    """
    turn, flip, block = index % methods, (index // methods) % 2, index // (2 * methods)
    start = block * options.measured

    def measured(phase: str, j: int, photo: int) -> Trial:
        even = (j // methods + j % methods + flip) % 2 == 0
        return _trial(options, phase, TEST, photo, (j + turn) % methods, even)

    tests = [measured(TEST, j, roles.test[(start + j) % len(roles.test)]) for j in range(options.measured)]
    checks = [
        _trial(options, TEST, ATTENTION, photo, None, (k + index) % 2 == 0) for k, photo in enumerate(roles.attention)
    ]
    practice = [measured(PRACTICE, k, photo) for k, photo in enumerate(roles.practice)]
    order = random.Random(f"session {options.seed} {index}")
    for trials in (tests, checks, practice):
        order.shuffle(trials)
    return practice + _spread(tests, checks, order)


def _trial(options: StudyOptions, phase: str, kind: str, photo: int, method: int | None, even: bool) -> Trial:
    if options.mode == "pairs":
        return Trial(phase, kind, photo, method, even, None)
    # A check shown alone is always the false one: a real photo checks nobody's attention.
    real = even and kind != ATTENTION
    return Trial(phase, kind, photo, None if real else method, None, real)


def _spread(tests: list[Trial], checks: list[Trial], order: random.Random) -> list[Trial]:
    """One check at a random place in each of as many equal stretches of the session as there are checks."""
    trials: list[Trial] = []
    for k, check in enumerate(checks):
        stretch = tests[k * len(tests) // len(checks) : (k + 1) * len(tests) // len(checks)]
        stretch.insert(order.randint(0, len(stretch)), check)
        trials += stretch
    return trials or tests


def design_sessions(options: StudyOptions, roles: PhotoRoles, methods: int) -> list[list[Trial]]:
    """The schedules of all participants; see `design_session`."""
    return [design_session(options, roles, methods, index) for index in range(options.participants)]
