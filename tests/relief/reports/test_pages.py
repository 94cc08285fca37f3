import pytest
from jinja2 import UndefinedError

from relief.reports.pages import page_templates


def test_what_is_put_in_is_escaped_and_what_is_missing_is_an_error():
    page = page_templates().from_string("{{ name }} {{ value | number(1) }}")
    assert page.render(name="<b>", value=2.345) == "&lt;b&gt; 2.3"
    with pytest.raises(UndefinedError):
        page.render(value=1)
