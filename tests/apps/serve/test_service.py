"""Places, times, clients that go away, the end: what is accepted is answered, what nobody waits for is not begun."""

import json
import socket
import threading
import time

import pytest

pytest.importorskip("fastapi")

from chromagan.apps.serve.limits import Limits
from chromagan.errors import UsageError, WeightsError
from chromagan.inference.batch import count_processors
from tests.apps.serve.test_app import settled


def ask_later(ask, photo, count=1):
    """Requests that wait; their answers come into the list, in whatever order."""
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask("/colorize", photo.read_bytes()))) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return answers, threads


def test_one_too_many_is_told_when_to_come_again(open_service, held, photo):
    ask = open_service(held, Limits(photos=3))
    answers, threads = ask_later(ask, photo, 3)
    assert settled(lambda: ask.service.accepted == 3)
    answer = ask("/colorize", photo.read_bytes())
    assert ask.error(answer)[0] == 429
    assert int(answer[2]["retry-after"]) >= 1
    assert ask("/health")[0] == 200
    held.let_go.set()
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in answers] == [200] * 3
    assert len({body for _, body, _ in answers}) == 1
    assert ask("/colorize", photo.read_bytes())[0] == 200


def test_what_takes_too_long_is_given_up(open_service, held, photo):
    ask = open_service(held, Limits(seconds=1))
    assert ask.error(ask("/colorize", photo.read_bytes()))[0] == 504
    assert settled(lambda: not ask.folders)
    held.let_go.set()
    assert settled(lambda: ask("/colorize", photo.read_bytes())[0] == 200)
    assert settled(lambda: not ask.folders)


def test_what_was_not_begun_in_time_is_told_so(open_service, held, photo):
    ask = open_service(held, Limits(seconds=2, photos=100))
    answers, threads = ask_later(ask, photo, 30)
    for thread in threads:
        thread.join()
    found = sorted(ask.error(answer)[0] for answer in answers)
    begun = found.count(504)
    assert found == [503] * (30 - begun) + [504] * begun
    assert 0 < begun < 30
    assert all("retry-after" in headers for status, _, headers in answers if status == 503)
    held.let_go.set()
    assert ask("/colorize", photo.read_bytes())[0] == 200
    assert held.painted <= begun + 1  # what was not begun never is


def test_a_client_that_goes_away_stops_its_work(open_service, held, photo):
    ask = open_service(held, Limits(photos=100))
    _, threads = ask_later(ask, photo, 20)  # more than the pipeline has room for
    room = 20 - (count_processors() + 2)
    assert settled(lambda: ask.service.waiting == room)
    leaving = []
    for _ in range(5):
        connection = socket.create_connection(("127.0.0.1", ask.port))
        content = photo.read_bytes()
        head = f"POST /colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        leaving.append(connection)
    assert settled(lambda: ask.service.waiting == room + 5)
    for connection in leaving:
        connection.close()
    assert settled(lambda: [line["status"] for line in ask.lines] == [499] * 5)
    assert ask.service.accepted == 20
    held.let_go.set()
    for thread in threads:
        thread.join()
    assert held.painted == 20
    assert settled(lambda: not ask.folders)


def test_a_slow_upload_does_not_keep_its_place(open_service):
    ask = open_service(limits=Limits(transfer_seconds=0.5))
    with socket.create_connection(("127.0.0.1", ask.port)) as connection:
        connection.sendall(b"POST /colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        assert settled(lambda: ask.service.accepted == 1)
        connection.settimeout(20)
        assert b" 408 " in connection.recv(1000)
    assert settled(lambda: not ask.folders)
    assert ask.service.accepted == 0


def test_who_is_refused_and_goes_on_sending_is_cut_off(open_service, monkeypatch):
    monkeypatch.setattr("chromagan.apps.web.hearing.LINGER_SECONDS", 0.2)
    ask = open_service()
    with socket.create_connection(("127.0.0.1", ask.port)) as connection:
        connection.settimeout(20)
        connection.sendall(b"POST /colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\nabc")
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert b" 413 " in answer
    assert b"connection: close" in answer.lower()


def test_an_upload_that_breaks_off_leaves_nothing(open_service):
    ask = open_service()
    with socket.create_connection(("127.0.0.1", ask.port)) as connection:
        connection.sendall(b"POST /colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        assert settled(lambda: ask.service.accepted == 1)
    assert settled(lambda: ask.service.accepted == 0)
    assert ask.lines[0]["status"] == 499
    assert not ask.folders


def test_at_the_end_what_was_accepted_is_answered(open_service, held, photo):
    ask = open_service(held)
    answers, threads = ask_later(ask, photo, 8)
    assert settled(lambda: ask.service.accepted == 8)
    ask.service.ending = True
    answer = ask("/colorize", photo.read_bytes())
    assert ask.error(answer)[0] == 503
    assert "retry-after" in answer[2]
    assert (ask("/ready")[0], json.loads(ask("/ready")[1])["state"]) == (503, "ending")
    assert ask("/health")[0] == 200
    held.let_go.set()
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in answers] == [200] * 8


def test_weights_that_cannot_be_loaded_end_it(open_service, photo, monkeypatch):
    def fail():
        time.sleep(0.5)
        raise WeightsError("x.safetensors is damaged")

    monkeypatch.setattr("tests.apps.serve.conftest.make_colorizer", fail)
    ask = open_service()
    answers, threads = ask_later(ask, photo, 2)
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in answers] == [503] * 2
    assert ask.error(ask("/colorize", photo.read_bytes()))[0] == 503
    assert json.loads(ask("/health")[1])["state"] == "failed"
    assert (ask("/health")[0], ask("/ready")[0]) == (503, 503)
    assert isinstance(ask.service.failure, WeightsError)


def test_a_photo_that_breaks_the_network_ends_alone(open_service, held, photo, monkeypatch):
    ask = open_service(held)
    held.let_go.set()

    def fail(*args):
        raise RuntimeError("secret words")

    with monkeypatch.context() as patched:
        patched.setattr(type(held), "predict", fail)
        status, words = ask.error(ask("/colorize", photo.read_bytes()))
    assert (status, "secret" in words) == (500, False)
    assert ask("/colorize", photo.read_bytes())[0] == 200


@pytest.mark.parametrize("bound", ["upload_bytes", "pixels", "photos", "seconds", "transfer_seconds"])
def test_bounds_are_above_nothing(bound):
    for value in (0, -1, float("nan")):
        with pytest.raises(UsageError, match=bound.split("_")[0]):
            Limits(**{bound: value})
