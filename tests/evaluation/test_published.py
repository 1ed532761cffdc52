import re

import pytest

from chromagan.errors import DataError, UsageError
from chromagan.evaluation.protocols import list_protocols
from chromagan.evaluation.published import UNSTATED, published_rows, published_table, read_rows

HEADER = ("method,protocol,setting,fid,fid_weights,colourfulness,colourfulness_variant,delta_colourfulness,psnr,ssim,"
          "lpips,source,checked")  # fmt: skip
GOOD = "X,imagenet-val5k,,3.9,torchvision,38,absolute,0.1,23.9,,,a paper,second-hand"


def sections(markdown):
    """Heading to the first cells of its table's rows."""
    found = {}
    for part in re.split(r"^### ", markdown, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        found[heading] = [line.split(" | ")[0].strip("| ") for line in body.splitlines() if line.startswith("| ")][2:]
    return found


def test_every_row_says_where_it_is_from_and_whether_it_was_checked():
    rows = published_rows()
    assert len(rows) > 20
    assert {row.checked.split(";")[0] for row in rows} <= {"primary", "second-hand", "thread", "unverified"}
    for row in rows:
        assert row.protocol in (*list_protocols(), UNSTATED)
        assert any(value is not None for value in (row.fid, row.psnr, row.colourfulness, row.delta_colourfulness))
        assert (row.fid is None) == (row.fid_weights == "")
        assert (row.colourfulness is None) == (row.colourfulness_variant == "")
        assert row.psnr is None or 15 < row.psnr < 40
        assert row.fid is None or 0 < row.fid < 100


def test_a_disputed_figure_is_shown_by_all_its_sources():
    found = sorted(row.fid for row in published_rows() if row.method.startswith("DDColor") and row.fid)
    assert {3.78, 3.92, 17.96} <= set(found)
    deltas = {row.delta_colourfulness for row in published_rows() if row.method.startswith("CT2")}
    assert {0.27, 2.17} <= deltas


def test_own_rows_stand_with_their_protocol_alone():
    table = published_table("imagenet-val5k/1", [("mine", {"psnr": 23.456, "fid_tf": 5.0, "fid_torchvision": 4.0})])
    found = sections(table)
    own = found.pop("imagenet-val5k/1")
    assert own[0] == "**mine**"
    assert any(name.startswith("DDColor-L") for name in own)
    assert "5.00 (tf); 4.00 (torchvision)" in table
    assert "23.46" in table
    assert len(found) >= 3
    for heading, names in found.items():
        assert heading.startswith("Not comparable: ")
        assert all(name.endswith("†") for name in names)
        assert "**mine**" not in names
    assert sum(map(len, found.values())) + len(own) == len(published_rows()) + 1


def test_a_protocol_without_published_figures():
    table = published_table("folder", [("a|b", {"ssim": 0.91, "lpips_vgg": float("nan"), "accuracy": 0.5})])
    assert sections(table)["folder/1"] == ["**a\\"] or "**a\\|b**" in table
    assert "0.910" in table
    assert "nan" not in table
    assert "Nothing is published under the protocol folder." in table
    assert "| method" not in published_table("folder").split("### Not comparable")[0]
    with pytest.raises(UsageError, match="there is no protocol"):
        published_table("imagenet")


def test_all_lines_of_a_table_have_as_many_cells():
    for line in published_table("imagenet-val5k", [("mine", {})]).splitlines():
        if line.startswith("|"):
            assert line.count("|") == 10


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER.replace("psnr", "PSNR"), GOOD], "the columns are"),
        ([HEADER, GOOD.replace("23.9", "high")], "line 2: .*high"),
        ([HEADER, GOOD, GOOD.replace("23.9", "nan")], "line 3: nan"),
        ([HEADER, GOOD.replace("imagenet-val5k", "val5k")], "no protocol 'val5k'"),
        ([HEADER, GOOD.replace("second-hand", "")], "must not be empty"),
        ([HEADER, GOOD + ",more"], "cells"),
        ([HEADER, "X,folder"], "cells"),
    ],
)
def test_damaged_tables(lines, message):
    with pytest.raises(DataError, match=message):
        read_rows(lines)
    assert read_rows([HEADER, GOOD])[0].psnr == 23.9
