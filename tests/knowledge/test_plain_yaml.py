"""What the reader of knowledge files takes for text and for numbers, and what it refuses, with its line."""

from __future__ import annotations

import pytest
import yaml

from cds_service.knowledge.plain_yaml import read_yaml

READ = [
    ("a day stays text", "2021-03-31", "2021-03-31"),
    ("on and yes are words", "on", "on"),
    ("only true and false are neither", "true", True),
    ("a version is text", "2026.11.0", "2026.11.0"),
    ("a DOI is text", "10.4084/MJHID.2025.043", "10.4084/MJHID.2025.043"),
    ("a whole number", "-12", -12),
    ("a decimal number", "0.5", 0.5),
    ("nothing", "~", None),
    ("nothing at all", "", None),
    ("what quotes hold is text", '"0012345"', "0012345"),
    ("a code of more digits than readers keep", '"12345678901234567"', "12345678901234567"),
]


@pytest.mark.parametrize(("case", "written", "read"), READ, ids=[case for case, _, _ in READ])
def test_a_value_is_what_it_looks_like(case, written, read):
    value = read_yaml(f"value: {written}")["value"]
    assert value == read and type(value) is type(read)


REFUSED = [
    ("a code without quotes that begins with zero", "code: 0012345", "line 1: '0012345' is no plain number"),
    (
        "a number of six thousand digits",
        f"amount: {'9' * 6000}",
        "is no plain number; write one of at most 15",
    ),
    ("a number with underscores", "amount: 1_000", "'1_000' is no plain number"),
    ("hours that are sixtieths", "at: 12:30", "'12:30' is no plain number"),
    ("a hexadecimal number", "code: 0x1F", "'0x1F' is no plain number"),
    ("no number", "under: .nan", "'.nan' is no plain number"),
    ("an infinite number", "under: .inf", "'.inf' is no plain number"),
    ("a number larger than any", "under: 1.0e+400", "'1.0e+400' is no plain number"),
    ("the same key twice", "a: 1\nb: 2\na: 3", "line 3: 'a' stands here again, first on line 1"),
    ("a list for a key", "? [a, b]\n: c", "line 1: a list or mapping stands as a key"),
    ("a mapping for a key", "{{a: b}: c}", "line 1: a list or mapping stands as a key"),
    ("a number for a key", "x:\n  5: a", "line 2: the key 5 is no text; put it into quotes"),
    ("nothing for a key", "~: a", "the key None is no text"),
    ("true for a key", "true: a", "the key True is no text"),
    ("an anchor", "a: &x 1\nb: 2", "line 1: the anchor 'x': write out what stands there"),
    ("an alias", "b: *x", "line 1: the anchor 'x'"),
    ("a tag", 'a: !!int "abc"', "line 1: the tag 'tag:yaml.org,2002:int': write the value without it"),
    ("a tag that runs a program", 'a: !!python/object/apply:os.system ["id"]', "line 1: the tag"),
    ("a tag of one's own", "a: !drug x", "line 1: the tag '!drug'"),
    ("two documents", "a: 1\n---\nb: 2", "line 2: a second document begins"),
    ("a bracket that is not closed", "a: [1\n", "line 2: did not find expected"),
    ("fifty thousand lists in each other", "[" * 50_000, "lie more than 40 deep in each other"),
    ("a control character", "a: \x07", "control characters are not allowed"),
]


@pytest.mark.parametrize(("case", "written", "words"), REFUSED, ids=[case for case, _, _ in REFUSED])
def test_what_could_be_misread_is_refused_with_its_line(case, written, words):
    with pytest.raises(yaml.YAMLError) as refused:
        read_yaml(written)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 300


def test_older_files_may_hold_anchors():
    assert read_yaml("a: &x {b: 1}\nc: *x", echoes=True) == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_few_lines_that_stand_for_billions_of_values_are_refused_all_the_same():
    bomb = "a0: &a0 [l,l,l,l,l,l,l,l,l]\n"
    bomb += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    with pytest.raises(yaml.YAMLError, match="comes to more than 100000 values"):
        read_yaml(bomb, echoes=True)
    with pytest.raises(yaml.YAMLError, match="is no anchor that stands before"):
        read_yaml("a: &a [*a]", echoes=True)
