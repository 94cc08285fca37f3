import time

import pytest

from relief.processes.pools import process_pool


def test_work_is_done():
    with process_pool(2) as pool:
        assert list(pool.map(abs, [-1, 2, -3])) == [1, 2, 3]


def test_where_the_work_raises_no_process_goes_on():
    begun = time.monotonic()
    with pytest.raises(KeyError), process_pool(1) as pool:
        pool.submit(abs, -1).result()
        working = pool.submit(time.sleep, 60)
        processes = list(pool._processes.values())
        raise KeyError
    assert time.monotonic() - begun < 30
    assert not any(process.is_alive() for process in processes)
    assert working.cancelled() or working.exception() is not None
