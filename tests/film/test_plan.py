from types import SimpleNamespace

import pytest

from chromagan.film.plan import looked_size


@pytest.mark.parametrize(("rows", "columns", "size", "expected"), [
    (720, 1280, None, (180, 320)),  # as motion is followed
    (720, 1280, 64, (180, 320)),
    (720, 1280, 512, (512, 910)),
    (720, 1280, 4000, (720, 1280)),  # no more than there is
    (180, 320, 512, (180, 320)),
])  # fmt: skip
def test_the_network_is_shown_more_where_more_is_asked_for(rows, columns, size, expected):
    assert looked_size(SimpleNamespace(height=rows, width=columns), size) == expected
