"""Result files of a study: read and checked, participants excluded by rule, fool rates with intervals."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from chromagan.errors import DataError, ReadError, UsageError
from chromagan.files.find import special_kind
from chromagan.metrics.figure import Figure, bootstrap_sums, interval

FORMAT = "chromagan-study-result"
MIN_ATTENTION = 0.75
_ANSWERS = {"pairs": ("left", "right"), "single": ("real", "colorized")}
_IDENTITY = {"participant": int, "session": str, "study": str}


@dataclass(frozen=True)
class Answer:
    """One trial of one participant.

    Attributes:
        photo: its name.
        method: whose picture was judged; None for the real photo alone, and in attention checks.
        attention: whether it is a check.
        fooled: whether a picture was taken for real: the colorized one of a pair, or (single mode) the one shown,
            be it colorized or real.
        counts: whether the exposures were measured in time and without disturbance.
        reaction_ms: from the end of the exposure to the answer.
    """

    photo: str
    method: str | None
    attention: bool
    fooled: bool
    counts: bool
    reaction_ms: float


@dataclass
class Participant:
    """One result file: its path, what it says, the answers after the practice, and why none of them counts, if so.

    `session` is the page's own random name for this run; `numbered` says that the number came from the address.
    """

    file: str
    number: int
    session: str
    study: str
    mode: str
    methods: list[str]
    answers: list[Answer]
    numbered: bool = False
    excluded: str = ""

    @property
    def checks(self) -> tuple[int, int]:
        """Attention checks that were passed, and that were shown in time."""
        shown = [answer for answer in self.answers if answer.attention and answer.counts]
        return sum(not answer.fooled for answer in shown), len(shown)

    @property
    def measured(self) -> list[Answer]:
        """The answers that figures are made of."""
        return [answer for answer in self.answers if answer.counts and not answer.attention]


@dataclass(frozen=True)
class MethodFoolRate:
    """How often a method's pictures were taken for real.

    Attributes:
        name: of the method; in single mode also "real", the real photos.
        rate: with the 95 % score interval over trials (Wilson, 1927; `count` of them).
        fooled: trials in which the picture was taken for real.
        over_participants: 95 % interval from resampling participants, which holds where answers of one person hang
            together; NaN below 5 participants.
        p_value: pairs only, two-sided exact binomial test against 50 %; NaN otherwise.
        participants: how many judged it.
    """

    name: str
    rate: Figure
    fooled: int
    over_participants: tuple[float, float]
    p_value: float
    participants: int


@dataclass
class StudyResult:
    """What a study found.

    Attributes:
        study, mode: of the files.
        methods: fool rates; in single mode "real" comes last.
        participants: all, the excluded ones too.
        min_attention: the exclusion rule.
        pictures: by (photo, method), whether each who judged it took it for real; method None is the real photo alone.
        left_out: trials of participants who count that were not shown in time.
    """

    study: str
    mode: str
    methods: list[MethodFoolRate]
    participants: list[Participant]
    min_attention: float
    pictures: dict[tuple[str, str | None], list[bool]]
    left_out: int
    warnings: list[str] = field(default_factory=list)

    @property
    def included(self) -> list[Participant]:
        """The participants whose answers count."""
        return [participant for participant in self.participants if not participant.excluded]

    @property
    def chance(self) -> float:
        """The rate of a picture that cannot be told from a real one: half in pairs, else that of the real photos."""
        return 0.5 if self.mode == "pairs" else self.methods[-1].rate.value

    @property
    def alpha(self) -> float:
        """Krippendorff's alpha of the answers over the pictures that two people or more judged."""
        return krippendorff_alpha(self.pictures.values())

    @property
    def agreement(self) -> float:
        """Share of pairs of people who gave the same answer there."""
        return percent_agreement(self.pictures.values())

    @property
    def shared(self) -> int:
        """How many pictures that are."""
        return sum(len(values) > 1 for values in self.pictures.values())


def find_result_files(places: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Files as they are, folders as the `.json` files directly in them, sorted; `ReadError` for one without any."""
    files: list[Path] = []
    for place in map(Path, places):
        found = sorted(place.glob("*.json")) if place.is_dir() else [place]
        if not found:
            raise ReadError(f"{place}: no result files (.json) there")
        files += found
    return files


def read_participant(path: str | os.PathLike[str]) -> Participant:
    """Read one result file that the page handed out; `ReadError` says in one line what is wrong with it."""
    if kind := special_kind(path):
        raise ReadError(f"{path}: {kind}, not a file; give the files that participants saved")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path}: not a result file, or cut short; ask for it again ({_first_line(error)})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ReadError(f"{path}: not a result file of `chromagan study`; give the files that participants saved")
    if content.get("format_version") != 1:
        raise ReadError(f"{path}: format version {content.get('format_version')!r} is not known; update chromagan")
    try:
        return _participant(str(path), content)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ReadError(f"{path}: damaged result file ({_first_line(error)}); ask for it again") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def _typed(content: dict[str, Any], key: str, kind: type) -> Any:
    """A value of exactly this type, a text without halves of characters; for `float` any finite number from 0 up."""
    value = content[key]
    number = kind is float and type(value) in (int, float)
    if not (0 <= value < math.inf if number else type(value) is kind):
        raise ValueError(f"{key} {value!r}")
    if kind is str:
        value.encode()
    return float(value) if number else value


def _participant(path: str, content: dict[str, Any]) -> Participant:
    mode, methods, trials = content["mode"], _typed(content, "methods", list), _typed(content, "trials", list)
    if mode not in _ANSWERS or not all(isinstance(name, str) and name.encode() for name in methods):
        raise ValueError(f"mode {mode!r}, methods {methods!r}")
    if content["finished"] is None or len(trials) != content["trials_planned"]:
        raise ValueError(f"{len(trials)} of {content['trials_planned']} trials")
    exposure, tolerance = (_typed(content, key, float) for key in ("exposure_ms", "tolerance_ms"))
    window = exposure - tolerance, exposure + tolerance
    answers = [_answer(trial, mode, methods, window) for trial in trials if trial["phase"] == "test"]
    number, session, study = (_typed(content, k, t) for k, t in _IDENTITY.items())
    numbered = content["participant_source"] == "address"
    return Participant(path, number, session, study, mode, methods, answers, numbered)


def _answer(trial: dict[str, Any], mode: str, methods: list[str], window: tuple[float, float]) -> Answer:
    """Judged from what was shown and pressed and measured, not from what the page concluded of it."""
    given, kind, method = trial["answer"], trial["kind"], trial["method"]
    pairs = mode == "pairs"
    shown = trial["colorized_side"] if pairs else trial["shown"]
    if given not in _ANSWERS[mode] or shown not in _ANSWERS[mode] or kind not in ("test", "attention"):
        raise ValueError(f"answer {given!r} to {shown!r} of kind {kind!r}")
    has_method = kind == "test" and (pairs or shown == "colorized")
    if (method in methods) != has_method or (method is not None) != has_method:
        raise ValueError(f"method {method!r} in a trial of kind {kind!r}")
    exposures = [_typed({"exposures_ms": one}, "exposures_ms", float) for one in _typed(trial, "exposures_ms", list)]
    in_time = bool(exposures) and all(window[0] <= value <= window[1] for value in exposures)
    return Answer(
        photo=_typed(trial, "photo", str),
        method=method,
        attention=kind == "attention",
        fooled=given != shown if pairs else given == "real",
        counts=in_time and not _typed(trial, "interrupted", bool),
        reaction_ms=_typed(trial, "reaction_ms", float),
    )


def analyse_study(participants: Sequence[Participant], min_attention: float = MIN_ATTENTION) -> StudyResult:
    """Fool rates, intervals and agreement.

    A participant is excluded whole who passed a smaller share than `min_attention` (0 excludes nobody who saw one) of
    the attention checks, or to whom none of them was shown in time. Trials that were not shown in time are left out one
    by one.

    Raises:
        DataError: no file; files of different studies; a session or a numbered participant twice; nobody left.
        UsageError: `min_attention` outside [0, 1].
    """
    if not 0 <= min_attention <= 1:
        raise UsageError(f"--min-attention lies between 0 and 1, not {min_attention:g}")
    _refuse_mixtures(participants)
    for participant in participants:
        participant.excluded = _reason_to_exclude(participant, min_attention)
    included = [participant for participant in participants if not participant.excluded]
    if not included:
        raise DataError(f"all {len(participants)} participants failed the attention checks; nothing is left to measure")
    first = participants[0]
    names: list[str | None] = [*first.methods, *([None] if first.mode == "single" else [])]
    methods = [_fool_rate(name, included, first.mode) for name in names]
    pictures: dict[tuple[str, str | None], list[bool]] = {}
    for participant in included:
        for answer in participant.measured:
            pictures.setdefault((answer.photo, answer.method), []).append(answer.fooled)
    left_out = sum(not answer.counts for participant in included for answer in participant.answers)
    result = StudyResult(first.study, first.mode, methods, list(participants), min_attention, pictures, left_out)
    if result.left_out:
        result.warnings.append(f"{result.left_out} trials were not shown for 0.9 to 1.1 s and are left out")
    if not any(answer.attention for participant in participants for answer in participant.answers):
        result.warnings.append("the study has no attention checks, so nobody could be excluded")
    return result


def _refuse_mixtures(participants: Sequence[Participant]) -> None:
    if not participants:
        raise DataError("no result files; give the files that participants saved")
    sessions: dict[str, str] = {}
    numbers: dict[int, str] = {}
    first = participants[0]
    for one in participants:
        if one.study != first.study:
            raise DataError(f"{one.file} answers study {one.study}, {first.file} {first.study}; analyse each alone")
        if (one.mode, one.methods) != (first.mode, first.methods):
            raise DataError(f"{one.file}: its mode and methods are not those of {first.file}; one of them was altered")
        if one.session in sessions:
            raise DataError(f"{one.file} and {sessions[one.session]} hold the same session; remove one")
        if one.numbered and one.number in numbers:
            raise DataError(f"{one.file} and {numbers[one.number]} are both of participant {one.number}; remove one")
        sessions[one.session] = one.file
        if one.numbered:
            numbers[one.number] = one.file


def _reason_to_exclude(participant: Participant, min_attention: float) -> str:
    if not any(answer.attention for answer in participant.answers):
        return ""
    passed, shown = participant.checks
    if not shown:
        return "no attention check was shown in time"
    return f"passed {passed} of {shown} attention checks" if passed < min_attention * shown else ""


def _fool_rate(name: str | None, included: Sequence[Participant], mode: str) -> MethodFoolRate:
    judged = ([answer.fooled for answer in one.measured if answer.method == name] for one in included)
    counts = np.array([(sum(theirs), len(theirs)) for theirs in judged if theirs]).reshape(-1, 2)
    fooled, count = (int(total) for total in counts.sum(0))
    low, high, p_value = 0.0, 1.0, math.nan  # without a trial nothing is known
    if count:
        test = binomtest(fooled, count)
        low, high = test.proportion_ci(method="wilson")
        p_value = float(test.pvalue) if mode == "pairs" else math.nan
    over_participants = math.nan, math.nan
    if len(counts) >= 5:
        drawn, trials = bootstrap_sums(counts.astype(np.float64)).T
        over_participants = interval(drawn / trials)
    rate = Figure(fooled / count if count else math.nan, float(low), float(high), count)
    return MethodFoolRate(name or "real", rate, fooled, over_participants, p_value, len(counts))


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float:
    """Agreement of any number of people over units that not all of them judged, for nominal values.

    alpha = 1 - observed / expected disagreement (Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011): 1
    is full agreement, 0 what chance gives, below 0 more disagreement than chance; NaN where no unit was judged twice,
    or all values are the same. A unit is the values that it was given; one with fewer than two says nothing.
    """
    judged = [Counter(values) for values in units if len(values) > 1]
    totals: Counter[Hashable] = sum(judged, Counter())
    n = totals.total()
    observed = sum(_disagreeing_pairs(values) / (values.total() - 1) for values in judged)
    expected = _disagreeing_pairs(totals) / (n - 1) if n > 1 else 0.0
    return 1 - observed / expected if expected else math.nan


def _disagreeing_pairs(values: Counter[Hashable]) -> int:
    """Ordered pairs of different values."""
    return values.total() ** 2 - sum(count * count for count in values.values())


def percent_agreement(units: Iterable[Sequence[Hashable]]) -> float:
    """Share of the pairs of people who gave the same value, over all units together; NaN without a pair."""
    judged = [Counter(values) for values in units]
    pairs = sum(values.total() * (values.total() - 1) for values in judged)
    return (pairs - sum(map(_disagreeing_pairs, judged))) / pairs if pairs else math.nan
