"""Pieces on several threads: the same numbers in the same order, each by one thread, and nothing changed afterwards."""

import threading

import pytest
import torch

from vi_simsiam.nn.threads import by_piece

CPU = torch.device("cpu")
PIECES = torch.arange(60.0).view(20, 3).split(4)


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_in_order_without_gradients_by_one_thread_each(threads):
    weight = torch.ones(3, requires_grad=True)
    together = threading.Barrier(threads, timeout=20)  # one piece per thread at once
    seen = []

    def compute(piece):
        if piece[0, 0] < PIECES[threads][0, 0]:
            together.wait()
        seen.append(torch.get_num_threads())
        return piece @ weight

    results = by_piece(compute, PIECES, CPU)
    assert torch.equal(torch.cat(results), torch.arange(60.0).view(20, 3).sum(1))
    assert not any(result.requires_grad for result in results) and set(seen) == {1}
    assert torch.get_num_threads() == threads and torch.is_grad_enabled()


def test_precision_is_the_callers(threads):
    with torch.autocast("cpu", torch.bfloat16):
        reduced = by_piece(lambda piece: piece @ piece.T, PIECES, CPU)
    plain = by_piece(lambda piece: piece @ piece.T, PIECES, CPU)
    assert {part.dtype for part in reduced} == {torch.bfloat16} and {part.dtype for part in plain} == {torch.float32}


def test_an_error_is_the_callers_too(threads):
    with pytest.raises(ZeroDivisionError):
        by_piece(lambda piece: piece / (1 // 0), PIECES, CPU)
    assert torch.get_num_threads() == threads
