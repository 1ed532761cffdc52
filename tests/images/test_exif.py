"""EXIF blocks that damage has reached."""

from chromagan.images import exif


def test_a_block_that_ends_within_its_directory_says_nothing():
    whole = b"II*\x00\x08\x00\x00\x00" + exif.directory({271: exif.Entry(2, b"Maker of cameras\x00")}, 8)
    assert 271 in exif.directories(whole)[0]
    assert exif.directories(whole[:14]) == ({}, {})
