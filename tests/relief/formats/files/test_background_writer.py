import threading

import pytest

from relief.formats.files.atomic import WriteError
from relief.formats.files.background_writer import BackgroundWriter


def test_everything_is_written_at_the_end():
    done = []
    writer = BackgroundWriter(num_threads=3, most_waiting=5)
    for number in range(50):
        writer.submit(done.append, number)
    writer.finish()
    assert sorted(done) == list(range(50))


def test_a_full_queue_holds_the_caller_up():
    go = threading.Event()
    writer = BackgroundWriter(num_threads=1, most_waiting=2)
    submitted = []

    def submit_three():
        for number in range(3):
            writer.submit(go.wait, 20)
            submitted.append(number)

    caller = threading.Thread(target=submit_three)
    caller.start()
    caller.join(0.5)
    assert submitted == [0, 1]
    go.set()
    caller.join(20)
    assert submitted == [0, 1, 2]
    writer.finish()


def test_an_error_reaches_the_caller_and_nothing_is_written_after_it():
    def fail():
        raise WriteError("cannot write x.png: No space left on device.")

    done = []
    writer = BackgroundWriter(num_threads=1, most_waiting=1)
    writer.submit(fail)
    with pytest.raises(WriteError, match="No space left"):
        writer.submit(done.append, 1)
    with pytest.raises(WriteError):
        writer.finish()
    writer.close()
    assert done == []
