"""Processes played by threads of this one, over a store in memory."""

import threading
import time

import pytest
import torch

from relief.processes.peers import Peers, open_store
from relief.schema.errors import PeersLost


@pytest.fixture
def store():
    return torch.distributed.HashStore()


def in_a_thread(function):
    """Runs the function beside; `join()` returns what it returned or raised."""
    result = []

    def run():
        try:
            result.append(function())
        except PeersLost as lost:
            result.append(lost)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join():
        thread.join(20)
        return result[0]

    return join


def test_all_meet_when_the_last_has_come(store):
    first, second = Peers(store, 0, 2), Peers(store, 1, 2)
    meeting = in_a_thread(first.meet)
    time.sleep(0.2)
    assert second.meet() == {}
    assert meeting() == {}
    meeting = in_a_thread(second.meet)
    assert first.meet() == meeting() == {}


def test_a_process_that_left_is_told_to_the_others(store):
    first, second, third = (Peers(store, rank, 3) for rank in range(3))
    second.leave("the disk is full")
    waiting = in_a_thread(third.meet)
    with pytest.raises(PeersLost, match="process 1: the disk is full"):
        first.meet()
    assert waiting().reasons == {1: "the disk is full"}


def test_the_living_go_on_without_the_lost(store):
    first, second, third = (Peers(store, rank, 3) for rank in range(3))
    second.leave("stopped by SIGTERM")
    waiting = in_a_thread(lambda: third.meet(without_the_lost=True))
    assert first.meet(without_the_lost=True) == {1: "stopped by SIGTERM"}
    assert waiting() == {1: "stopped by SIGTERM"}


def test_an_ended_child_is_lost_at_once(store):
    first = Peers(store, 0, 2, exit_code=lambda rank: -9)
    assert first.meet(without_the_lost=True) == {1: "ended with exit code -9"}


def test_a_process_without_a_sign_of_life_is_lost(store):
    first = Peers(store, 0, 2, stale_s=0.3)
    assert first.meet(without_the_lost=True) == {1: "no sign of life for 0 s"}


def test_a_process_that_lives_but_gets_no_further_is_lost_and_one_that_does_is_not(store):
    first, second = Peers(store, 0, 2, patience_s=1.0, stale_s=4.0), Peers(store, 1, 2, stale_s=0.4)
    meeting = in_a_thread(lambda: first.meet(without_the_lost=True))
    for _ in range(8):
        time.sleep(0.2)
        second.advance()
    second.meet()
    assert meeting() == {}
    assert first.meet(without_the_lost=True) == {1: "no progress for 1 s"}


def test_the_others_hear_that_the_first_left(store):
    first, second = Peers(store, 0, 2), Peers(store, 1, 2)
    waiting = in_a_thread(lambda: second.meet(without_the_lost=True))
    time.sleep(0.2)
    first.leave("wrong")
    assert 0 in waiting().reasons


def test_the_store_is_found_by_its_port():
    first = open_store(0, 2, "localhost", 0)
    second = open_store(1, 2, "localhost", first.port)
    second.set("word", "here")
    assert first.get("word") == b"here"


def test_who_is_lost_is_known_without_a_meeting(store):
    codes = {1: None, 2: None}
    first = Peers(store, 0, 3, exit_code=codes.get)
    second, third = Peers(store, 1, 3), Peers(store, 2, 3)
    assert first.lost() == {}
    codes[1] = 0  # done is not lost
    assert first.lost() == {}
    codes[1] = -9
    assert first.lost() == {1: "ended with exit code -9"}
    assert third.leave("cut image")
    assert first.lost(5.0)[2] == second.lost(5.0)[2] == "cut image"


def test_one_that_is_silent_while_its_reason_is_waited_for_is_lost(store):
    first = Peers(store, 0, 2)
    assert first.lost(1.2) == {1: "no sign of life for 1 s"}
