"""Listings: the same each time, going on behind any file, in folders, stores and manifests."""

import json
import os

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chromagan.apps.archive import listing as listing_module
from chromagan.apps.archive import manifest
from chromagan.apps.archive.listing import pages
from chromagan.apps.archive.manifest import list_photos, read_shard, shards_of
from chromagan.benchmark.archive.stores import NamesStore
from chromagan.errors import DataError, UsageError
from chromagan.files.stores import Place

TREE = ["a.png", "a/b.jpg", "a/c/d.tif", "a/c.jpg", "a-b/e.png", "b/.hidden.png", "b/@eaDir/t.jpg", ".x/y.png", "z.PNG",
        "b/notes.txt"]  # fmt: skip
SHOWN = {"a.png", "a/b.jpg", "a/c/d.tif", "a/c.jpg", "a-b/e.png", "z.PNG", "b/notes.txt"}


@pytest.fixture(params=["folder", "memory", "s3"])
def tree(request, tmp_path):
    """A store with a small tree, and its root in it."""
    root = {"folder": lambda: str(tmp_path / "tree"), "memory": lambda: f"memory://{tmp_path.name}",
            "s3": lambda: f"{request.getfixturevalue('bucket')}/tree"}[request.param]()  # fmt: skip
    place = Place(root)
    for number, name in enumerate(TREE):
        place.put(name, b"x" * (number + 1))
    return place


def files(place, after="", leave_out=""):
    refused = []
    found = [one for page in pages(place.fs, place.root, after, leave_out, lambda *why: refused.append(why))
             for one in page]  # fmt: skip
    assert not refused
    return found


def test_a_listing_goes_on_behind_any_file(tree, monkeypatch):
    monkeypatch.setattr(listing_module, "PAGE", 2)
    everything = files(tree)
    assert {one.path[len(tree.root) + 1 :]: one.size for one in everything} == {
        name: TREE.index(name) + 1 for name in SHOWN
    }
    for number, one in enumerate(everything):
        assert files(tree, after=one.path) == everything[number + 1 :]


def test_a_folder_is_left_out(tree):
    left = files(tree, leave_out=f"{tree.root}/a")
    assert {one.path[len(tree.root) + 1 :] for one in left} == SHOWN - {"a/b.jpg", "a/c/d.tif", "a/c.jpg"}


def test_links_to_folders_are_not_entered_and_pipes_not_listed(tmp_path):
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "a.png").write_bytes(b"x")
    (tmp_path / "tree" / "loop").symlink_to(tmp_path / "tree")
    (tmp_path / "tree" / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "tree" / "pipe.png")
    place = Place(str(tmp_path / "tree"))
    assert [one.path for one in files(place)] == [f"{tmp_path}/tree/sub/a.png"]


def photos(out):
    place = Place(str(out))
    return [row for name in shards_of(manifest.read_listing(place)) for row in read_shard(place, name)]


def test_a_manifest_holds_every_photo_once(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "FILE_ROWS", 7)
    monkeypatch.setattr(listing_module, "PAGE", 4)
    folder = scans(30)
    (folder / "notes.txt").write_text("x")
    found = list_photos([str(folder)], Place(str(tmp_path / "out")), shard=3)
    assert (found.photos, found.passed) == (30, {".txt": 1})
    rows = photos(tmp_path / "out")
    assert {row["id"] for row in rows} == {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert all(os.path.getsize(row["uri"]) == row["size"] for row in rows)
    assert len(found.rows) > 3


class Stopped(Exception):
    pass


def test_a_listing_that_was_stopped_goes_on(tmp_path, monkeypatch):
    """At every page, as a kill would: in the end the manifest is that of a listing left in peace."""
    fsspec.register_implementation("names", NamesStore, clobber=True)
    monkeypatch.setattr(manifest, "FILE_ROWS", 2000)
    whole = list_photos(["names://12000"], Place(str(tmp_path / "whole")))
    listed = []
    for turn in range(20):
        left = 3 + turn % 2  # pages until it is stopped

        def stop(count):
            nonlocal left
            left -= 1
            listed.append(count)
            if not left:
                raise Stopped

        try:
            again = list_photos(["names://12000"], Place(str(tmp_path / "killed")), progress=stop)
        except Stopped:
            continue
        break
    assert turn > 2
    assert (again.rows, again.photos) == (whole.rows, 12000)
    assert photos(tmp_path / "killed") == photos(tmp_path / "whole")
    assert sum(listed) < 2 * 12000  # it went on, rather than begin anew


def test_relisting_adds_what_is_new(scans, tmp_path):
    folder, out = scans(5), Place(str(tmp_path / "out"))
    list_photos([str(folder)], out, shard=2)
    before = photos(tmp_path / "out")
    scans(9)
    assert list_photos([str(folder)], out).photos == 5
    assert list_photos([str(folder)], out, again=True).photos == 9
    after = photos(tmp_path / "out")
    assert after[:5] == before
    assert len({row["id"] for row in after}) == 9
    assert list_photos([str(folder)], out).photos == 9


def test_inputs_of_one_name_and_other_inputs_are_refused(scans, tmp_path):
    folder, out = scans(2), Place(str(tmp_path / "out"))
    with pytest.raises(UsageError, match="called scans"):
        list_photos([str(folder), str(tmp_path / "x" / "scans")], out)
    list_photos([str(folder)], out)
    with pytest.raises(UsageError, match="is the archive of"):
        list_photos([str(scans(2, "others"))], out)


def test_several_inputs_keep_their_names(scans, tmp_path):
    inputs = [str(scans(2, name)) for name in ("north", "south")]
    list_photos(inputs, Place(str(tmp_path / "out")))
    ids = {"north/0/0000.png", "north/1/0001.png", "south/0/0000.png", "south/1/0001.png"}
    assert {row["id"] for row in photos(tmp_path / "out")} == ids


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_manifests_of_a_person(tmp_path, ending):
    rows = [{"uri": "sub/a.png", "id": "one"}, {"uri": "s3://b/c.jpg", "id": "two.jpg"}]
    path = tmp_path / f"mine.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "csv":
        path.write_text("uri,id\nsub/a.png,one\ns3://b/c.jpg,two.jpg\n")
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    list_photos([str(path)], Place(str(tmp_path / "out")))
    assert photos(tmp_path / "out") == [
        {"uri": f"{tmp_path}/sub/a.png", "id": "one", "size": -1}, {"uri": "s3://b/c.jpg", "id": "two.jpg", "size": -1}
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [
    ("uri,id\na.png,x\nb.png,x\n", "'x' stands twice"), ("uri,id\na.png,../x\n", "leads out"),
    ("name\na.png\n", "no uri"), ("uri,id\n", "no photos there"), ("uri,id\n1,2,3\n", "cannot be read"),
    ("uri,id\na.png,_chromagan/status/x.png\n", "folder of this program"), ("uri,id\na.png,x\0.png\n", "no file has"),
    ("uri,size\na.png,5\nb.png,12x\n", "Row #3.*12x"),
])  # fmt: skip
def test_manifests_that_are_none(tmp_path, text, words):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        list_photos([str(tmp_path / "mine.csv")], Place(str(tmp_path / "out")))


def test_ids_of_a_manifest_stay_as_they_are_written(tmp_path):
    """Numbers keep their zeros; without an id it is the photo's path, from which .. is taken."""
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "mine.csv"
    path.write_text("uri,id,size\na.png,0017,5\n../b.png,,\na.png,17,\n")
    list_photos([str(path)], Place(str(tmp_path / "out")))
    whole = f"{tmp_path}/b.png".lstrip("/")
    assert [(row["id"], row["size"]) for row in photos(tmp_path / "out")] == [("0017", 5), (whole, -1), ("17", -1)]


def test_paths_of_a_manifest_in_a_store_are_below_its_folder(tmp_path):
    fsspec.filesystem("memory").pipe_file(f"/{tmp_path.name}/mine.jsonl", b'\xef\xbb\xbf{"uri": "sub/a.png"}\n')
    list_photos([f"memory://{tmp_path.name}/mine.jsonl"], Place(str(tmp_path / "out")))
    assert [row["uri"] for row in photos(tmp_path / "out")] == [f"memory:///{tmp_path.name}/sub/a.png"]


def test_sizes_may_be_floats_with_gaps_as_pandas_writes_them(tmp_path):
    table = pa.table({"uri": ["a.png", "b.png"], "size": pa.array([5.0, float("nan")])})
    pq.write_table(table, tmp_path / "mine.parquet")
    list_photos([str(tmp_path / "mine.parquet")], Place(str(tmp_path / "out")))
    assert [row["size"] for row in photos(tmp_path / "out")] == [5, -1]
    (tmp_path / "none.jsonl").write_text('{"uri": "a.png"}\n{"uri": "b.png", "size": "big"}\n')
    with pytest.raises(DataError, match="row 2: the size 'big'"):
        list_photos([str(tmp_path / "none.jsonl")], Place(str(tmp_path / "other")))
    (tmp_path / "endless.jsonl").write_text('{"uri": "a.png", "size": Infinity}\n')
    with pytest.raises(DataError, match="row 1: the size inf"):
        list_photos([str(tmp_path / "endless.jsonl")], Place(str(tmp_path / "other")))


def test_a_broken_line_is_told_by_its_number(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"uri": "a.png"}\n{"uri": "b.p')
    with pytest.raises(DataError, match="line 2"):
        list_photos([str(tmp_path / "mine.jsonl")], Place(str(tmp_path / "out")))


def test_an_output_is_no_input(scans, tmp_path):
    folder = scans(2)
    (tmp_path / "link").symlink_to(folder)
    for out in (folder, tmp_path / "link", tmp_path):
        with pytest.raises(UsageError, match="output folder"):
            list_photos([str(folder)], Place(str(out)))
    out = Place(f"{tmp_path}/link/colour")
    out.put("a.png", b"x")
    assert list_photos([str(folder)], out).photos == 2


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="no photos there .*No such file"):
        list_photos([str(tmp_path / "nowhere")], Place(str(tmp_path / "out")))
    for uri in (f"zip://{tmp_path}", "nosuch://b"):
        with pytest.raises(DataError, match="no store that can be opened"):
            list_photos([uri], Place(str(tmp_path / "out")))
