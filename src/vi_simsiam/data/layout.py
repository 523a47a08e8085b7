"""The meaning of folders of images: training or test sets, classes, masks."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from vi_simsiam.core.errors import Problem

TRAIN, TEST, VAL = "train", "test", "val"
_ROLES = {
    TRAIN: TRAIN, "training": TRAIN, TEST: TEST, "testing": TEST, VAL: VAL, "valid": VAL, "validation": VAL,
}  # fmt: skip


# Folders of images, and of masks, in detection and segmentation sets (YOLO, Pascal VOC, ADE20K, Cityscapes).
_PHOTOS = frozenset({"images", "image", "imgs", "img", "jpegimages", "leftimg8bit"})
_MASKS = frozenset({
    "masks", "mask", "labels", "label", "annotations", "annotation", "segmentation", "segmentations",
    "segmentationclass", "segmentationobject", "segmentationclassaug", "gt", "gtfine", "gtcoarse", "groundtruth",
    "ground_truth",
})  # fmt: skip


def without_masks(paths: Sequence[str]) -> dict[str, str | None]:
    """The paths that tell splits and classes: without folders of images that lie beside masks or labels.

    A folder that holds only `images/`, or `images/` and `masks/` (or folders with similar names), has no classes.

    Returns: for each path the path without `images/`; None for a mask.
    """
    inside: dict[tuple[str, ...], set[str]] = {}
    for path in paths:
        folders = PurePosixPath(path).parts[:-1]
        for i, name in enumerate(folders):
            inside.setdefault(folders[:i], set()).add(name.casefold())
    pairs = {top for top, names in inside.items() if names & _PHOTOS and names <= _PHOTOS | _MASKS}
    placed: dict[str, str | None] = {}
    for path in paths:
        parts = PurePosixPath(path).parts
        of_pairs = [i for i in range(len(parts) - 1) if parts[:i] in pairs]
        is_mask = any(parts[i].casefold() in _MASKS for i in of_pairs)
        placed[path] = None if is_mask else "/".join(part for i, part in enumerate(parts) if i not in of_pairs)
    return placed


def mask_folders(folders: Collection[str]) -> frozenset[str]:
    """The folders of masks, by the rule of `without_masks`. folders: paths of all folders of images."""
    placed = without_masks([f"{folder}/_" for folder in folders])
    return frozenset(folder for folder in folders if placed[f"{folder}/_"] is None)


def _role(name: str) -> str | None:
    """The split that a folder's name means, in upper or lower case, also with a year (COCO); None: no split."""
    return _ROLES.get(re.sub(r"20\d\d$", "", name.casefold()))


@dataclass(frozen=True)
class Layout:
    """The parts of an image's path that are its split and its class.

    splits: the training split, then the test split if there is one: "train", "test", "val", or "" without split
    folders. folders: the name of each split's folder, for messages. split_at, class_at: indices of the parts of a path
    that are the split and the class. labelled: whether there are several classes. note: a sentence for the user about
    folders that could be understood in two ways.
    """

    splits: tuple[str, ...]
    folders: dict[str, str]
    split_at: int
    class_at: int
    labelled: bool
    note: str | None = None

    @classmethod
    def of(cls, paths: Sequence[str], folder: Path, classes: bool = True) -> "Layout":
        """The layout of the paths of all images.

        Args:
            folder: named in errors.
            classes: whether folders can be classes. False: only split folders are recognised.

        Raises: Problem if the layout is not clear.
        """
        names = [PurePosixPath(path).parts for path in paths]
        if not names:
            raise Problem(
                f"the archive in {folder} has no image, judging by names and first bytes. Put images into it."
            )
        top = 0
        while len(firsts := {parts[top] for parts in names if len(parts) > top + 1}) == 1:
            if any(map(_role, firsts)) or any(len(parts) == top + 1 for parts in names):
                break
            top += 1
        roles = {name: role for name in firsts if (role := _role(name))}
        note = None
        if len(set(roles.values())) == 1 and len(firsts) > len(roles) and _are_classes(names, top, roles):
            others = sorted(firsts - roles.keys())
            note = (
                f"{'/ and '.join(sorted(roles))}/ is taken for a class, as {others[0]}/ is: images lie directly in it"
            )
            roles = {}
        if roles:
            splits = _splits(roles)
            folders = _folders(roles, splits)
            layout = cls(splits, folders, top, top + 1, True)
        elif inside := _splits_inside(names, top):
            splits = _splits(inside)
            return cls(splits, _folders(inside, splits, one=False), top + 1, top, classes)
        else:
            layout = cls(("",), {}, top, top, True, note)
        depth = layout.class_at
        wanted = [path for path in paths if layout.split(path) in layout.splits]
        outside = [path for path in wanted if len(PurePosixPath(path).parts) == depth + 1]
        if classes and 0 < len(outside) < len(wanted):
            raise Problem(
                f"{len(outside)} images lie outside the class folders, the first is {outside[0]}. Either all images "
                "lie in folders of classes, or none does. If folders are no classes, set cache_views.labels to false."
            )
        # A single class, such as a folder that other programs want around all images, is no label.
        several = len({PurePosixPath(path).parts[depth] for path in wanted}) > 1
        return cls(layout.splits, layout.folders, layout.split_at, depth, classes and not outside and several, note)

    def split(self, path: str) -> str | None:
        """The split of a path, also one that is not used; None: the path is outside the split folders."""
        if self.splits == ("",):
            return ""
        parts = PurePosixPath(path).parts
        return _role(parts[self.split_at]) if len(parts) > self.split_at + 1 else None

    def classes(self, paths: dict[str, list[str]]) -> tuple[str, ...]:
        """The classes of the training images in alphabetical order, from the paths of each split.

        Raises: Problem if the test images have other classes.
        """
        if not self.labelled:
            return ()
        train, *test = [{self._class(path) for path in of_split} for of_split in paths.values()]
        if unknown := sorted(set().union(*test) - train):
            where, others = (self.folders[split] for split in self.splits[::-1])
            raise Problem(
                f"class {unknown[0]} is in {where}/ and not in {others}/: nothing could be learnt of it. Remove it, or "
                "add training images."
            )
        return tuple(sorted(train))

    def labels(self, paths: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        """(N,) int64, the index of each path's class; -1 without classes."""
        number = {name: i for i, name in enumerate(classes)}
        labels = (number[self._class(path)] if self.labelled else -1 for path in paths)
        return np.fromiter(labels, np.int64, len(paths))

    def _class(self, path: str) -> str:
        return PurePosixPath(path).parts[self.class_at]


def _are_classes(names: Sequence[tuple[str, ...]], top: int, roles: dict[str, str]) -> bool:
    """True if folders with names of splits hold only images, so that they are classes like the others."""
    return all(len(parts) == top + 2 for parts in names if len(parts) > top + 1 and parts[top] in roles)


def _splits_inside(names: Sequence[tuple[str, ...]], top: int) -> dict[str, str]:
    """The split folders inside the class folders, by name, if they hold all images; else empty."""
    inside = {parts[top + 1] if len(parts) > top + 2 else "" for parts in names}
    roles = {name: _role(name) or "" for name in inside}
    return roles if TRAIN in roles.values() and "" not in roles.values() and len(set(roles.values())) > 1 else {}


def _splits(roles: dict[str, str]) -> tuple[str, ...]:
    if TRAIN not in roles.values():
        raise Problem(f"the images have a folder {min(roles)}/ but no train/: name the folders train/ and test/.")
    return (TRAIN, *[role for role in (TEST, VAL) if role in roles.values()][:1])


def _folders(roles: dict[str, str], splits: Sequence[str], one: bool = True) -> dict[str, str]:
    """The folder of each split. Raises: Problem if a split has two folders, unless `one` is False."""
    folders = {split: sorted(name for name, role in roles.items() if role == split) for split in splits}
    for names in folders.values():
        if one and len(names) > 1:
            raise Problem(f"{'/ and '.join(names)}/ are two names of one split: put their images into one of them.")
    return {split: names[0] for split, names in folders.items()}
