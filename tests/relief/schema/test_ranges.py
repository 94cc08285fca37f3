import pytest

from relief.schema.errors import UsageError
from relief.schema.ranges import check_at_least


def test_the_first_number_that_is_too_small_is_told_by_its_name():
    check_at_least(0, num_workers=0, limit=None)
    with pytest.raises(UsageError, match=r"^batch_size=0: expected at least 1\. Give another"):
        check_at_least(1, limit=3, batch_size=0, other=-1)
