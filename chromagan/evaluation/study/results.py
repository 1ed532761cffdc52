"""Result files of a study: read and checked, participants excluded by rule, fool rates with intervals."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from chromagan.errors import DataError, ReadError, UsageError
from chromagan.evaluation.study.agreement import krippendorff_alpha, percent_agreement, wilson_interval
from chromagan.metrics.figure import Figure, bootstrap_sums, interval

FORMAT = "chromagan-study-result"
MIN_ATTENTION = 0.75
_ANSWERS = {"pairs": ("left", "right"), "single": ("real", "colorized")}


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
    """One result file, practice trials left out.

    Attributes:
        file: its path.
        number: of the participant, from the address or drawn by the page.
        session: the page's own random name for this run.
        study, mode, methods: of the study that was answered.
        answers: all trials after the practice.
        excluded: why none of them counts; empty for a participant who counts.
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
        rate: with Wilson's 95 % interval over trials (`count` of them).
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
        alpha: Krippendorff's alpha of the answers over (photo, method) judged by two people or more.
        agreement: share of pairs of people who gave the same answer there.
        shared: how many (photo, method) that are.
        left_out: trials of participants who count that were not shown in time.
        pictures: by (photo, method), whether each who judged it took it for real; method None is the real photo alone.
        min_attention: the exclusion rule.
        chance: the rate of a picture that cannot be told from a real one: 0.5 in pairs; in single mode the rate of the
            real photos.
    """

    study: str
    mode: str
    methods: list[MethodFoolRate]
    participants: list[Participant]
    alpha: float
    agreement: float
    shared: int
    left_out: int
    min_attention: float
    chance: float
    pictures: dict[tuple[str, str | None], list[bool]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def included(self) -> list[Participant]:
        """The participants whose answers count."""
        return [participant for participant in self.participants if not participant.excluded]


def find_result_files(places: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Files as they are, folders as the `.json` files directly in them, sorted.

    Raises:
        ReadError: a place does not exist, or a folder holds no `.json` file.
    """
    files: list[Path] = []
    for place in map(Path, places):
        found = sorted(place.glob("*.json")) if place.is_dir() else [place]
        if not found:
            raise ReadError(f"{place}: no result files (.json) there")
        files += found
    return files


def read_participant(path: str | os.PathLike[str]) -> Participant:
    """Read one result file that the page handed out.

    Raises:
        ReadError: it cannot be read, is no result file, or is damaged; one line that says where.
    """
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
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReadError(f"{path}: damaged result file ({_first_line(error)}); ask for it again") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _participant(path: str, content: dict[str, Any]) -> Participant:
    mode, methods, trials = content["mode"], content["methods"], content["trials"]
    if mode not in _ANSWERS or not all(isinstance(name, str) for name in methods):
        raise ValueError(f"mode {mode!r}, methods {methods!r}")
    if content["finished"] is None or len(trials) != content["trials_planned"]:
        raise ValueError(f"{len(trials)} of {content['trials_planned']} trials")
    window = (content["exposure_ms"] - content["tolerance_ms"], content["exposure_ms"] + content["tolerance_ms"])
    answers = [_answer(trial, mode, methods, window) for trial in trials if trial["phase"] == "test"]
    return Participant(
        path, int(content["participant"]), str(content["session"]), str(content["study"]), mode, list(methods), answers,
        content["participant_source"] == "address",
    )  # fmt: skip


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
    exposures = [float(value) for value in trial["exposures_ms"]]
    in_time = bool(exposures) and all(window[0] <= value <= window[1] for value in exposures)
    fooled = given != shown if pairs else given == "real"
    return Answer(
        str(trial["photo"]), method, kind == "attention", fooled, in_time and not trial["interrupted"],
        float(trial["reaction_ms"]),
    )  # fmt: skip


def analyse_study(participants: Sequence[Participant], min_attention: float = MIN_ATTENTION) -> StudyResult:
    """Fool rates, intervals and agreement.

    A participant is excluded whole who passed fewer than `min_attention` of the attention checks, or to whom none of
    them was shown in time. Trials that were not shown in time are left out one by one.

    Args:
        participants: from `read_participant`.
        min_attention: share of the checks that must be passed; 0 excludes nobody who saw one.

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
    units: dict[tuple[str, str | None], list[bool]] = {}
    for participant in included:
        for answer in participant.measured:
            units.setdefault((answer.photo, answer.method), []).append(answer.fooled)
    result = StudyResult(
        first.study,
        first.mode,
        methods,
        list(participants),
        krippendorff_alpha(units.values()),
        percent_agreement(units.values()),
        sum(len(values) > 1 for values in units.values()),
        sum(not answer.counts for participant in included for answer in participant.answers),
        min_attention,
        0.5 if first.mode == "pairs" else methods[-1].rate.value,
        units,
    )
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
    counts = np.array([
        (sum(answer.fooled for answer in theirs), len(theirs))
        for one in included
        if (theirs := [answer for answer in one.measured if answer.method == name])
    ]).reshape(-1, 2)  # fmt: skip
    fooled, count = (int(total) for total in counts.sum(0))
    low, high = wilson_interval(fooled, count)
    rate = Figure(fooled / count if count else math.nan, low, high, count)
    p_value = float(binomtest(fooled, count).pvalue) if count and mode == "pairs" else math.nan
    return MethodFoolRate(name or "real", rate, fooled, _resampled(counts), p_value, len(counts))


def _resampled(counts: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of the rate when participants, rows of (fooled, trials), are drawn again."""
    if len(counts) < 5:
        return math.nan, math.nan
    fooled, trials = bootstrap_sums(counts.astype(np.float64)).T
    return interval(fooled / trials)
