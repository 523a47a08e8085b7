"""Copies: edits of a picture are found, and pictures that are only alike are not."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from helpers.photographs import picture
from vi_simsiam.cli.rank import copies, facts

CPU = torch.device("cpu")
TURN = Image.Transpose


def looks(images):
    return np.stack([facts.measure(image, *image.size)[1] for image in images])


def together(images):
    """The groups of two images or more, as lists of places."""
    group = pd.Series(copies.groups(looks(images), CPU))
    return sorted(rows.tolist() for _, rows in group.groupby(group).groups.items() if len(rows) > 1)


def cropped(image, area):
    edge = [round(side * (1 - area**0.5) / 2) for side in image.size]
    return image.crop((*edge, image.width - edge[0], image.height - edge[1]))


EDITS = {
    "turned": lambda image: image.transpose(TURN.ROTATE_90),
    "upside down": lambda image: image.transpose(TURN.ROTATE_180),
    "mirrored": ImageOps.mirror,
    "turned and mirrored": lambda image: image.transpose(TURN.TRANSVERSE),
    "small": lambda image: image.resize((50, 50)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.3),
    "grey": lambda image: image.convert("L"),
    "soft": lambda image: image.filter(ImageFilter.GaussianBlur(4)),
    "88 % of it": lambda image: cropped(image, 0.88),
    "77 % of it": lambda image: cropped(image, 0.77),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_and_its_original_are_copies_and_others_are_not(edit):
    images = [picture(number, 200) for number in range(40)]
    edited = [EDITS[edit](image) for image in images[:10]]
    assert together([*images, *edited]) == [[i, 40 + i] for i in range(10)]


def test_all_edits_of_a_picture_are_one_group():
    images = [picture(number, 200) for number in range(20)]
    edited = [edit(images[3]) for edit in EDITS.values()]
    assert together([*images, *edited]) == [[3, *range(20, 20 + len(EDITS))]]


def test_frames_of_a_pan_are_not_copies_but_a_copy_of_one_is():
    wide = np.asarray(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 40, 3), np.uint8)).resize((800, 80), 3)
    )
    frames = [Image.fromarray(wide[:, i : i + 80]) for i in range(0, 400, 2)]
    assert together(frames) == []
    assert together([*frames, frames[100].rotate(90)]) == [[100, 200]]


def blank(draw):
    """A part as all others are: bars, a slow change of brightness, and grain."""
    rows, columns = np.mgrid[0:200, 0:200] / 200
    levels = 180 + draw.normal(0, 6) * columns + draw.normal(0, 6) * rows - 60 * (np.abs(rows % 0.25 - 0.12) < 0.02)
    grain = np.asarray(Image.fromarray(draw.normal(0, 4, (40, 40)).astype(np.float32)).resize((200, 200)))
    return Image.fromarray((levels + grain).clip(0, 255).astype(np.uint8))


def test_parts_that_are_all_alike_are_not_copies_but_a_copy_of_one_is():
    draw = np.random.default_rng(0)
    images = [blank(draw) for _ in range(150)]
    assert together(images) == []
    assert together([*images, images[7].resize((90, 90)).rotate(180)]) == [[7, 150]]


def test_a_defect_is_no_copy_of_the_part_without():
    draw = np.random.default_rng(0)
    base = np.asarray(picture(3, 256).convert("L")).astype(int)
    parts = [base + draw.integers(-3, 4, base.shape) for _ in range(12)]
    for number in (8, 9, 10, 11):
        x, y = draw.integers(60, 180, 2)
        parts[number][x : x + 10, y : y + 10] = 0
    assert together([Image.fromarray(part.clip(0, 255).astype(np.uint8)) for part in parts]) == [list(range(8))]


def test_images_of_one_level_are_not_compared():
    flat = [Image.new("L", (60, 60), level) for level in (0, 0, 7, 128, 255)]
    assert together(flat) == [] and together([picture(0)]) == []
    assert together([*flat, picture(0), picture(0, 60)]) == [[5, 6]]


def test_groups_do_not_depend_on_blocks_or_order(monkeypatch):
    images = [picture(number, 64) for number in range(60)]
    images += [ImageOps.mirror(image).resize((40, 40)) for image in images[::3]]
    found = together(images)
    assert found == [[i, 60 + i // 3] for i in range(0, 60, 3)]
    for name, value in (("_QUERIES", 7), ("_BANK", 11), ("_EDGES", 5)):
        monkeypatch.setattr(copies, name, value)
    assert together(images) == found
    order = np.random.default_rng(0).permutation(80)
    again = [sorted(order[rows].tolist()) for rows in together([images[i] for i in order])]
    assert sorted(again) == found
