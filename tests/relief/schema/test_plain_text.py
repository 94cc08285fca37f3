import pytest

from relief.schema.plain_text import json_of, sentences_of, yaml_of


def test_values_come_back_in_any_unicode_encoding():
    assert json_of('{"a": "\u00fc"}'.encode("utf-16")) == {"a": "\u00fc"}
    assert yaml_of("a: [1, x]") == {"a": [1, "x"]}


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "a: 2024-13-45: x", "!!python/name:os ''"])
def test_whatever_is_wrong_is_a_value_error_of_one_line(text):
    for read in (json_of, yaml_of):
        with pytest.raises(ValueError, match=r"\S") as told:
            read(text)
        assert "\n" not in str(told.value)


def test_a_date_that_is_none_is_a_value_error():
    with pytest.raises(ValueError, match="month"):
        yaml_of("2024-13-45")


@pytest.mark.parametrize("wrong", ["a", 5, None, [1], {"a": 1}])
def test_sentences_are_a_list_of_texts(wrong):
    assert sentences_of({}, "notes") == ()
    assert sentences_of({"notes": ["a"]}, "notes") == ("a",)
    with pytest.raises(ValueError, match="notes must be a list of sentences"):
        sentences_of({"notes": wrong}, "notes")
