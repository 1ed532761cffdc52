"""Where a server listens, and what it then is called."""

import pytest

from chromagan.apps.web.door import address, listen
from chromagan.errors import UsageError


def test_a_port_that_is_taken():
    with listen("127.0.0.1", 0) as door:
        port = door.getsockname()[1]
        assert address(door) == f"http://127.0.0.1:{port}/"
        with pytest.raises(UsageError, match="nothing can listen"):
            listen("127.0.0.1", port)
        with listen("127.0.0.1", port, tries=20) as next_one:
            assert next_one.getsockname()[1] > port


def test_all_of_a_machine_is_asked_for_by_its_own_number():
    with listen("0.0.0.0", 0) as door:
        assert address(door).startswith("http://127.0.0.1:")
