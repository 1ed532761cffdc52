"""Result files of simulated participants: known rates come back, the rules exclude, wrong files are refused."""

import csv
import json
import math
import os
from xml.etree import ElementTree

import pytest
from scipy.stats import binomtest

from chromagan.apps.cli.main import main
from chromagan.errors import DataError, ReadError, UsageError
from chromagan.evaluation.study.report import as_markdown, plot_fool_rates, write_study_report
from chromagan.evaluation.study.results import analyse_study, find_result_files, krippendorff_alpha, read_participant

METHODS = ["ours", "them & co|"]


def trial(photo, method, fooled, mode="pairs", kind="test", shown=None, left=True, exposures=(1000.1, 999.8), **more):
    if mode == "pairs":
        side = "left" if left else "right"
        answer = {"left": "right", "right": "left"}[side] if fooled else side
    else:
        side, shown, answer = None, shown or "colorized", "real" if fooled else "colorized"
    return {
        "phase": "test", "kind": kind, "photo": photo, "method": method, "colorized_side": side, "shown": shown,
        "answer": answer, "reaction_ms": 640.5, "input": "key", "exposures_ms": list(exposures), "interrupted": False,
        "valid": True, "layout": "row", "shown_px": 256, **more,
    }  # fmt: skip


def check(fooled, number=0, **more):
    return trial(f"check{number}", None, fooled, kind="attention", **more)


def content(number, trials, mode="pairs", **more):
    practice = {**trial("p", "ours", True, mode), "phase": "practice"}
    return {
        "format": "chromagan-study-result", "format_version": 1, "study": "abc", "mode": mode, "methods": METHODS,
        "exposure_ms": 1000, "tolerance_ms": 100, "session": f"session{number}", "participant": number,
        "participant_source": "address", "finished": "2026-01-01T00:00:00Z", "trials_planned": len(trials) + 1,
        "trials": [practice, *trials], **more,
    }  # fmt: skip


def save(folder, *contents):
    paths = []
    for index, one in enumerate(contents):
        path = folder / f"{index}.json"
        path.write_text(json.dumps(one))
        paths.append(path)
    return paths


def study(folder, *contents, **options):
    return analyse_study([read_participant(path) for path in save(folder, *contents)], **options)


def attentive(number, fooled_by_ours, of=10, them=5):
    trials = [trial(f"photo{i}", "ours", i < fooled_by_ours, left=i % 2 == 0) for i in range(of)]
    trials += [trial(f"other{i}", METHODS[1], i < them, left=i % 2 == 0) for i in range(of)]
    return content(number, [*trials, *(check(False, k, left=k % 2 == 0) for k in range(4))])


def wilson(successes, count, z=1.959963984540054):
    """The formula of Wilson (1927)."""
    share, slack = successes / count, z * z / count
    spread = z * math.sqrt(share * (1 - share) / count + slack / (4 * count))
    return (share + slack / 2 - spread) / (1 + slack), (share + slack / 2 + spread) / (1 + slack)


@pytest.mark.parametrize(("fooled", "count"), [(0, 1), (1, 1), (0, 40), (40, 40), (13, 40), (1, 7)])
def test_intervals_are_wilsons_and_nothing_is_known_without_a_trial(tmp_path, fooled, count):
    trials = [trial(f"photo{i}", "ours", i < fooled) for i in range(count)]
    ours, other = study(tmp_path, content(1, [*trials, check(False)])).methods
    assert (ours.rate.low, ours.rate.high) == pytest.approx(wilson(fooled, count), abs=1e-12)
    assert (other.rate.low, other.rate.high) == (0, 1)
    assert math.isnan(other.rate.value)


def test_known_rates_come_back_with_wilsons_intervals(tmp_path):
    result = study(tmp_path, attentive(1, 3), attentive(2, 4), attentive(3, 2))
    ours, them = result.methods
    assert (ours.name, ours.fooled, ours.rate.count, ours.participants) == ("ours", 9, 30, 3)
    assert (ours.rate.value, them.rate.value) == (0.3, 0.5)
    assert (ours.rate.low, ours.rate.high) == pytest.approx(wilson(9, 30), abs=1e-12)
    assert ours.p_value == pytest.approx(binomtest(9, 30).pvalue)
    assert them.p_value == 1
    assert all(math.isnan(bound) for bound in ours.over_participants), "three people are too few to resample"
    units = [[i < k for k in (3, 4, 2)] for i in range(10)] + [[i < 5] * 3 for i in range(10)]
    assert result.alpha == pytest.approx(krippendorff_alpha(units))
    assert result.shared == 20
    assert result.chance == 0.5


def test_people_who_differ_widen_the_interval_over_participants(tmp_path):
    same = study(tmp_path, *(attentive(n, 5) for n in range(1, 9)))
    assert same.methods[0].over_participants == (0.5, 0.5)
    apart = study(tmp_path, *(attentive(n, 10 * (n % 2)) for n in range(1, 9)))
    low, high = apart.methods[0].over_participants
    assert low < apart.methods[0].rate.low < apart.methods[0].rate.high < high


def test_who_fails_the_checks_is_excluded_whole(tmp_path):
    tests = [trial(f"photo{i}", "ours", True) for i in range(4)]
    passes = content(1, [*tests, check(True), check(False, 1), check(False, 2), check(False, 3)])
    fails = content(2, [*tests, check(True), check(True, 1), check(False, 2), check(False, 3)])
    unseen = content(3, [*tests, check(False, exposures=(1400.0, 1000.0))])
    result = study(tmp_path, passes, fails, unseen)
    assert [one.excluded for one in result.participants] == [
        "", "passed 2 of 4 attention checks", "no attention check was shown in time",
    ]  # fmt: skip
    assert result.methods[0].rate.count == 4
    assert math.isnan(result.methods[1].rate.value)
    assert len(study(tmp_path, passes, fails, min_attention=0.5).included) == 2
    with pytest.raises(DataError, match="all 1 participants failed"):
        study(tmp_path, fails)
    with pytest.raises(UsageError):
        study(tmp_path, passes, min_attention=75)


@pytest.mark.parametrize(
    ("bad", "counts"),
    [
        ({"exposures": (1000.0, 1100.1)}, False),
        ({"exposures": (899.9, 1000.0)}, False),
        ({"exposures": ()}, False),
        ({"interrupted": True}, False),
        ({"exposures": (1100.0, 900.0)}, True),
        # What the page concluded of its measurements is not believed.
        ({"exposures": (1000.0,), "valid": False}, True),
    ],
)
def test_trials_that_were_not_shown_for_a_second_are_left_out(tmp_path, bad, counts):
    result = study(tmp_path, content(1, [check(False), trial("a", "ours", True, **bad), trial("b", "ours", False)]))
    assert result.methods[0].rate.count == 1 + counts
    assert result.left_out == 1 - counts
    assert bool(result.warnings) == (not counts)


def test_single_pictures_are_compared_with_real_ones(tmp_path):
    trials = [trial(f"a{i}", "ours", i < 2, "single") for i in range(4)]
    trials += [trial(f"r{i}", None, i < 3, "single", shown="real") for i in range(4)]
    result = study(tmp_path, content(1, [*trials, check(False, mode="single")], "single"))
    assert [method.name for method in result.methods] == [*METHODS, "real"]
    assert [method.fooled for method in result.methods] == [2, 0, 3]
    assert result.chance == 0.75
    assert math.isnan(result.methods[0].p_value)
    assert "called real" in as_markdown(result)


def test_the_files_that_are_written(tmp_path, capsys):
    contents = [attentive(n, n) for n in range(1, 7)] + [content(9, [trial("x", "ours", True), check(True)])]
    (tmp_path / "answers").mkdir()
    save(tmp_path / "answers", *contents)
    assert main(["study", "--results", str(tmp_path / "answers"), "-o", str(tmp_path / "out")]) == 0
    assert "6 of 7 participants count" in capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["participants"], results["included"]) == (7, 6)
    assert results["methods"][0]["rate"]["value"] == pytest.approx(21 / 60)
    with open(tmp_path / "out" / "participants.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[6]["excluded"] == "passed 0 of 1 attention checks"
    assert [int(row["fooled"]) for row in rows[:6]] == [n + 5 for n in range(1, 7)]
    assert {row["median reaction ms"] for row in rows} == {"640"}
    with open(tmp_path / "out" / "pictures.csv", newline="") as file:
        pictures = list(csv.DictReader(file))
    # other0 fooled all six people, photo5 only the one who was fooled by six photos.
    assert pictures[0] == {"photo": "other0", "method": METHODS[1], "fooled": "6", "trials": "6"}
    assert {"photo": "photo5", "method": "ours", "fooled": "1", "trials": "6"} in pictures
    assert main(["study", "--results", str(tmp_path / "answers"), "-o", str(tmp_path / "out")]) == 1
    assert "a report stands there; choose another -o, or --overwrite" in capsys.readouterr().err
    again = ["study", "--results", str(tmp_path / "answers"), "-o", str(tmp_path / "out"), "--overwrite"]
    assert main(again) == 0
    text = (tmp_path / "out" / "results.md").read_text()
    assert ["ours", "35.0 %"] in [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines()]
    assert "them & co\\|" in text


def test_the_plot_puts_dots_where_the_rates_are(tmp_path):
    result = study(tmp_path, attentive(1, 3))
    root = ElementTree.fromstring(plot_fool_rates(result))
    space = "{http://www.w3.org/2000/svg}"
    first, second = (float(dot.get("cx")) for dot in root.iter(f"{space}circle"))
    ticks = {text.text: float(text.get("x")) for text in root.iter(f"{space}text")}
    assert first == pytest.approx(ticks["30"])
    assert second == pytest.approx(ticks["50"])
    write_study_report(result, tmp_path / "out")
    assert (tmp_path / "out" / "fool_rate.svg").read_text() == plot_fool_rates(result)


def test_hostile_names_are_text_in_plot_and_tables(tmp_path):
    name = """<script>x & 'y'"|</script>"""
    content = {**attentive(1, 3), "methods": [name[:20], METHODS[1]]}
    for one in content["trials"]:
        one["method"] = name[:20] if one["method"] == "ours" else one["method"]
    result = study(tmp_path, content)
    texts = [text.text for text in ElementTree.fromstring(plot_fool_rates(result)).iter() if text.text]
    assert name[:20] in texts
    assert "<script>" not in as_markdown(result).replace("\\<script\\>", "")


def test_files_that_do_not_belong_together(tmp_path):
    one, two = attentive(1, 3), attentive(2, 3)
    with pytest.raises(DataError, match="answers study xyz"):
        study(tmp_path, one, {**two, "study": "xyz"})
    with pytest.raises(DataError, match="hold the same session"):
        study(tmp_path, one, {**two, "session": "session1"})
    with pytest.raises(DataError, match="both of participant 1"):
        study(tmp_path, one, {**two, "participant": 1})
    assert study(tmp_path, one, {**two, "participant": 1, "participant_source": "random"})
    with pytest.raises(DataError, match="was altered"):
        study(tmp_path, one, {**two, "methods": [*METHODS, "third"]})
    with pytest.raises(DataError, match="no result files"):
        analyse_study([])


def altered(change):
    one = attentive(1, 3)
    change(one)
    return json.dumps(one)


def test_a_result_file_cut_anywhere_is_one_line(tmp_path):
    text = json.dumps(content(1, [trial("a", "ours", True), check(False)]))
    path = tmp_path / "cut.json"
    for end in range(len(text)):
        path.write_text(text[:end])
        with pytest.raises(ReadError, match=r"cut short; ask for it again|not a result file"):
            read_participant(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a result file, or cut short"),
        (json.dumps(attentive(1, 3))[:500], "not a result file, or cut short"),
        ("[1]", "not a result file of"),
        ('{"format": "other"}', "not a result file of"),
        (altered(lambda one: one.update(format_version=2)), "format version 2 is not known"),
        (altered(lambda one: one.pop("trials")), "damaged result file .KeyError"),
        (altered(lambda one: one.update(finished=None)), "damaged result file"),
        (altered(lambda one: one["trials"].pop()), "24 of 25 trials"),
        (altered(lambda one: one["trials"][1].update(answer="up")), "answer 'up'"),
        (altered(lambda one: one["trials"][1].update(method=None)), "method None"),
        (altered(lambda one: one["trials"][1].update(method="third")), "method 'third'"),
        (altered(lambda one: one["trials"][1].update(exposures_ms=None)), "damaged result file"),
        (altered(lambda one: one.update(mode=[])), "damaged result file"),
        *(
            (altered(lambda one, k=k, v=v: one["trials"][1].update({k: v})), f"damaged result file .ValueError: {k}")
            for k, values in {
                "reaction_ms": (math.nan, math.inf, -math.inf, -1, "640", None, [640], True),
                "exposures_ms": ([math.nan], [math.inf, 1000], [-1000], ["1000"], [None], "1000", {}),
                "interrupted": ("", 0, None),
                "photo": (None, 3, ["a"]),
            }.items()
            for v in values
        ),
        *(
            (altered(lambda one, k=k, v=v: one.update({k: v})), "damaged result file")
            for k, values in {
                "participant": (math.nan, "1", 1.5, True, None),
                "session": (None, 3),
                "study": ([], None),
                "exposure_ms": (math.nan, "1000", None),
                "tolerance_ms": (math.inf, -100, [100]),
                "methods": (METHODS[0], None, [1, 2], {"ours": 1}),
                "trials": ({}, "x", [1] * 25, [[]] * 25, None),
                "trials_planned": ("25", math.nan),
            }.items()
            for v in values
        ),
        (
            altered(lambda one: one["trials"][1].update(reaction_ms=0)).replace(
                '"reaction_ms": 0,', '"reaction_ms": 1e999,'
            ),
            "damaged result file .ValueError: reaction_ms inf",
        ),
        (altered(lambda one: one["trials"][1].update(reaction_ms=10**400)), "damaged result file"),
        (altered(lambda one: one["trials"][1].update(photo="\ud800")), "damaged result file"),
        (altered(lambda one: one["trials"][1].update(answer="x" * 10_000)), "damaged result file"),
        ("[" * 100_000, "not a result file, or cut short"),
    ],
)
def test_damaged_and_foreign_files_are_one_line(tmp_path, text, message, capsys):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ReadError, match=message):
        read_participant(path)
    assert main(["study", "--results", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert len(error) < len(str(path)) + 400
    assert str(path) in error


def test_places_that_hold_no_results(tmp_path):
    with pytest.raises(ReadError, match="no result files"):
        find_result_files([tmp_path])
    with pytest.raises(ReadError, match="cannot be read"):
        read_participant(tmp_path / "missing.json")
    if hasattr(os, "mkfifo"):  # it would wait for ever
        os.mkfifo(tmp_path / "pipe.json")
        with pytest.raises(ReadError, match="not a file; give the files"):
            read_participant(tmp_path / "pipe.json")
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xd8\xff\x00")
    with pytest.raises(ReadError, match="not a result file"):
        read_participant(binary)
