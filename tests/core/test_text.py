"""Names from anywhere can be stored and printed."""

import os

from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import quickly
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import duration, printable, several, writable


@quickly
@given(st.binary(max_size=20))
def test_every_name_can_be_written_and_good_ones_stay_as_they_are(name):
    text = writable(os.fsdecode(name))
    text.encode()
    assert "\0" not in text
    try:
        plain = name.decode()
    except UnicodeDecodeError:
        return
    assert text == plain.replace("\0", "\\x00")


@quickly
@given(st.text())
def test_printed_text_is_printable_and_good_text_stays_as_it_is(text):
    assert printable(text).isprintable() and printable(printable(text)) == printable(text)
    assert str(Problem(text)) == printable(text, keep="\n")
    if text.isprintable():
        assert printable(text) == text


def test_what_a_terminal_would_obey_is_shown_by_its_code():
    assert printable("a\x1b[31mb\nc\u202e") == r"a\x1b[31mb\nc\u202e"
    assert writable(os.fsdecode(b"\xff.jpg")) == r"\xff.jpg"


def test_a_sentence_names_the_first_of_many():
    assert several("abc") == "a, b, c" and several("abcde") == "a, b, c and 2 more"
    assert several("ab", 1) == "a and 1 more"


def test_durations():
    assert [duration(s) for s in (0.4, 89, 90, 720, 5340, 11100)] == [
        "0 s", "89 s", "2 min", "12 min", "89 min", "3 h 05 min"
    ]  # fmt: skip
