"""Colour operations on batches of planes, in place: brightness, contrast, saturation, hue, grey.

Operations are numbered as in torchvision's ColorJitter: brightness 0, contrast 1, saturation 2, hue 3.

The definitions are torchvision's. `planes` is (C, n, H, W) float32 in [0, 1] with C 1 or 3 (red, green, blue),
and so are the results. The strength of each operation differs from image to image.
"""

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601 weights of red, green, blue, with torchvision's digits
_CONTRAST, _SATURATION, _HUE = 1, 2, 3
_TINY = 1e-20


def luma(planes: Tensor) -> Tensor:
    """Grey values (n, H, W): a new tensor, or the channel itself if there is only one."""
    if len(planes) == 1:
        return planes[0]
    grey = planes[0] * LUMA[0]
    for plane, weight in zip(planes[1:], LUMA[1:], strict=True):
        grey.add_(plane, alpha=weight)
    return grey


def grey_(planes: Tensor) -> None:
    """Replace the channels by their grey value, as torchvision's rgb_to_grayscale."""
    planes.copy_(luma(planes))


def blend_(planes: Tensor, colour: Tensor, grey: Tensor, mean: Tensor) -> None:
    """planes <- clamp(colour * planes + grey * luma + mean * (the image's mean luma), 0, 1).

    With a factor f this is torchvision's adjust_brightness at (colour, grey, mean) = (f, 0, 0), adjust_contrast at
    (f, 0, 1 - f) and adjust_saturation at (f, 1 - f, 0), so that one pass serves images that differ in the operation
    as well as in its factor.

    Args:
        colour, grey, mean: (n,) float32 each.
    """
    light = luma(planes)
    base = (light.mean((1, 2)) * mean)[:, None, None] + light * grey[:, None, None]
    colour = colour[:, None, None]
    for plane in planes:
        torch.addcmul(base, plane, colour, out=plane).clamp_(0.0, 1.0)


def shift_hue_(planes: Tensor, shift: Tensor) -> None:
    """Turn the hue of RGB images by `shift` (n,) turns in [-0.5, 0.5], as torchvision's adjust_hue.

    Hue here is an angle h in sixths of a turn, 0 at red; value and chroma of the HSV model do not change. By symmetry
    in green and blue, |h| = 1 + (hi - r + relu(lo - r)) / chroma where hi and lo are the larger and the smaller of
    green and blue, and h has the sign of g - b. Back in RGB, every channel is a trapezium in h. Neither direction
    distinguishes the six cases, which makes it several times faster on a CPU.
    """
    red, green, blue = planes
    high, low = torch.maximum(green, blue), torch.minimum(green, blue)
    smallest = torch.minimum(red, low)
    chroma = torch.maximum(red, high).sub_(smallest)
    hue = low.sub_(red).clamp_min_(0.0).add_(high).sub_(red)
    hue.div_(chroma.clamp_min(_TINY)).add_(1.0)  # without chroma the hue has no effect, but must not be NaN
    hue.copysign_(torch.sub(green, blue, out=high))
    hue.add_((6.0 * shift)[:, None, None])
    hue.sub_(torch.mul(hue, 1 / 6, out=high).floor_(), alpha=6.0)  # into 0 <= hue < 6
    weight = torch.sub(hue, 3.0, out=high).abs_().sub_(1.0).clamp_(0.0, 1.0)
    torch.addcmul(smallest, chroma, weight, out=red)
    for plane, peak in ((green, 2.0), (blue, 4.0)):
        weight = torch.sub(hue, peak, out=high).abs_().neg_().add_(2.0).clamp_(0.0, 1.0)
        torch.addcmul(smallest, chroma, weight, out=plane)


def jitter_(planes: Tensor, numbers: Tensor) -> None:
    """Apply brightness, contrast, saturation and hue, in one sequence for views that differ in their order.

    Args:
        planes: (C, n, H, W).
        numbers: of `JitterGroups.in_one_sequence`, on the device of `planes`.
    """
    if len(numbers) % 3 == 0:
        before, hue, after = numbers, None, numbers[:0]
    else:
        blends = len(numbers) // 2
        before, hue, after = numbers[:blends], numbers[blends], numbers[blends + 1 :]
    for blend in before.unflatten(0, (-1, 3)):
        blend_(planes, *blend)
    if hue is not None:
        shift_hue_(planes, hue)
    for blend in after.unflatten(0, (-1, 3)):
        blend_(planes, *blend)


class JitterGroups:
    """The colour jitter of a batch, grouped so that views with the same sequence of operations go together.

    Brightness, contrast and saturation are one formula (`blend_`) with different numbers; only hue is another.
    So the number of blends before hue identifies a sequence, and there are few groups.

    Args:
        applied: (n,) bool, whether a view has any jitter.
        factors: (n, 3) factors of brightness, contrast and saturation, 1 if a view does not have them.
        hue: (n,) turns, 0 if a view does not have it.
        order: (n, 4) operations in the order of application.

    Attributes:
        group: (n,) int64, the group of each view; the last one has no jitter.
        numbers: (3 * blends + 1, n) float32: for each blend in the order of application `colour`, `grey` and `mean`
            of `blend_`, and then the shift of hue. `run_` takes columns of it.
    """

    def __init__(self, applied: Tensor, factors: Tensor, hue: Tensor, order: Tensor):
        used = (factors != 1).any(0).nonzero().squeeze(1).tolist()
        place = order.argsort(1)  # place[i, operation]: its position in the order of view i
        colour = factors[:, used]
        away = 1 - colour
        grey = away * torch.tensor([operation == _SATURATION for operation in used])
        mean = away * torch.tensor([operation == _CONTRAST for operation in used])
        turn = place[:, used].argsort(1)
        blends = torch.stack([colour, grey, mean], 2).take_along_dim(turn[..., None], 1)
        self.numbers = torch.cat([blends.flatten(1), hue[:, None]], 1).T.contiguous()
        self._blends = len(used)
        self._any_hue = bool((hue != 0).any())
        before_hue = (place[:, used] < place[:, _HUE:]).sum(1) if self._any_hue else torch.zeros_like(place[:, 0])
        self.group = torch.where(applied, before_hue, self._blends + 1)

    def in_one_sequence(self) -> Tensor:
        """Numbers for `jitter_`, which has no groups: for each blend before hue, for hue, for each blend after it.

        Every view passes through all blends before hue and again after it. One time it has the blend's numbers, the
        other time numbers that change nothing. If no view shifts hue, hue is left out and blends come once.

        Returns: (6 * blends + 1, n) or (3 * blends, n) float32.
        """
        *_, hue = self.numbers
        blends = self.numbers[:-1].unflatten(0, (self._blends, 3))
        if not self._any_hue:
            return blends.flatten(0, 1)
        nothing = torch.tensor([1.0, 0.0, 0.0])[:, None]
        first = (torch.arange(self._blends)[:, None] < self.group)[:, None]
        before, after = torch.where(first, blends, nothing), torch.where(first, nothing, blends)
        return torch.cat([before.flatten(0, 1), hue[None], after.flatten(0, 1)])

    def run_(self, group: int, planes: Tensor, numbers: Tensor) -> None:
        """Apply the jitter of one group.

        Args:
            group: its number.
            planes: (C, k, H, W), k views of this group.
            numbers: (3 * blends + 1, k), their columns of `self.numbers`, on the device of `planes`.
        """
        if group > self._blends:
            return
        for blend in range(self._blends):
            if self._any_hue and blend == group:
                shift_hue_(planes, numbers[-1])
            blend_(planes, *numbers[3 * blend : 3 * blend + 3])
        if self._any_hue and group == self._blends:
            shift_hue_(planes, numbers[-1])
