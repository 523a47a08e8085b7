"""Views in groups by their order of colour operations, and all in one sequence, are as torchvision makes one by one."""

import torch
import torchvision.transforms.functional as F
from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import quickly
from vi_simsiam.core.randomness import generator
from vi_simsiam.transforms.colour import JitterGroups, jitter_

factors = st.one_of(st.just(1.0), st.floats(0.0, 2.0, width=32))
hues = st.one_of(st.just(0.0), st.floats(-0.5, 0.5, width=32))
views = st.tuples(st.booleans(), st.tuples(factors, factors, factors), hues, st.permutations(range(4)))


@quickly
@given(st.lists(views, min_size=1, max_size=8), st.integers(0, 9))
def test_both_ways_equal_torchvisions_operations_one_after_the_other(batch, seed):
    nothing = (1.0, 1.0, 1.0), 0.0
    batch = [(jitter, *((factors, hue) if jitter else nothing), order) for jitter, factors, hue, order in batch]
    applied, strengths, hue, order = zip(*batch, strict=True)
    images = torch.rand(len(batch), 3, 5, 5, generator=generator(seed))
    images[:, :, 0] = images[:, :1, 0]  # grey pixels, whose hue is of no account
    groups = JitterGroups(torch.tensor(applied), torch.tensor(strengths), torch.tensor(hue), torch.tensor(order))
    result = images.clone()
    for group in groups.group.unique().tolist():
        rows = (groups.group == group).nonzero().squeeze(1)
        planes = result[rows].transpose(0, 1).contiguous()
        groups.run_(group, planes, groups.numbers[:, rows])
        result[rows] = planes.transpose(0, 1)
    together = images.clone()
    jitter_(together.transpose(0, 1), groups.in_one_sequence())
    for i, image in enumerate(images):
        operations = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        numbers = (*strengths[i], hue[i])
        for operation in order[i] if applied[i] else ():
            image = operations[operation](image, numbers[operation])
        torch.testing.assert_close(result[i], image, rtol=0, atol=2e-5)
        torch.testing.assert_close(together[i], image, rtol=0, atol=2e-5)
