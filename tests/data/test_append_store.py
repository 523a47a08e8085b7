"""Stores that grow: a piece is added whole or not at all, by one process or several."""

import threading

import numpy as np
import pytest

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.append_store import AppendStore

FIELDS = {"key": ("u1", (32,)), "x": ("<f4", (2,))}


def piece(start, count):
    keys = np.arange(start, start + count, dtype=np.uint8).repeat(32).reshape(count, 32)
    return {"key": keys, "x": np.arange(2 * start, 2 * (start + count)).reshape(count, 2)}


def add(arrays, start, count):
    with arrays.alone():
        arrays.refresh()
        arrays.add(piece(start, count))


def opened(folder):
    return AppendStore(folder, FIELDS)


def test_damaged_pieces_are_dropped_and_overwritten(tmp_path):
    arrays = opened(tmp_path)
    for start, count in ((0, 3), (3, 2), (5, 4)):
        add(arrays, start, count)
    assert opened(tmp_path).array("x").tolist() == np.arange(18).reshape(9, 2).tolist()
    for name in ("x.bin", "pieces.jsonl"):
        with open(tmp_path / name, "ab") as file:  # as a full disk or a kill leaves it
            file.write(b"abc")
    arrays = opened(tmp_path)
    assert arrays.count == 9
    add(arrays, 9, 1)
    assert opened(tmp_path).array("x").tolist() == np.arange(20).reshape(10, 2).tolist()
    with open(tmp_path / "x.bin", "r+b") as file:
        file.seek(4 * 7)
        file.write(b"\xff")
    arrays = opened(tmp_path)
    assert arrays.count == 3 and list(arrays.rows.values()) == [0, 1, 2]
    add(arrays, 3, 2)
    assert opened(tmp_path).array("x").tolist() == np.arange(10).reshape(5, 2).tolist()
    (tmp_path / "pieces.jsonl").write_text((tmp_path / "pieces.jsonl").read_text()[:-5])
    assert opened(tmp_path).count == 3


@pytest.mark.parametrize("lost", ["x.bin", "pieces.jsonl", "."])
def test_a_file_that_vanishes_is_not_replaced_by_zeros(tmp_path, lost):
    arrays = opened(tmp_path / "a")
    add(arrays, 0, 3)
    (tmp_path / "a" / lost).rename(tmp_path / "moved")
    with pytest.raises(Problem, match=r"a was moved, removed or cut short while it was in use\. Run again"):
        add(arrays, 3, 2)
    if lost != "pieces.jsonl":
        with pytest.raises(Problem, match="was moved"):
            arrays.array("x")
    assert lost != "." or not (tmp_path / "a").exists()
    arrays = opened(tmp_path / "a")
    assert arrays.count == 0
    add(arrays, 3, 2)
    assert opened(tmp_path / "a").array("x").tolist() == [[6, 7], [8, 9]]


def test_several_add_at_once_and_see_pieces_of_others(tmp_path):
    many = [opened(tmp_path) for _ in range(4)]

    def fill(number):
        for i in range(5):
            add(many[number], 5 * number + i, 1)

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arrays = opened(tmp_path)
    assert arrays.count == 20 and len(arrays.rows) == 20
    for key, row in arrays.rows.items():
        assert arrays.array("x")[row].tolist() == [2 * key[0], 2 * key[0] + 1]
