"""Views against torchvision: the draws have its distributions, the pixels are the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision.transforms as tv
import torchvision.transforms.functional as F
from scipy import stats

from vi_simsiam.config.schema import AugmentationParams
from vi_simsiam.core.randomness import Generators, generator
from vi_simsiam.transforms.spatial import to_uint8
from vi_simsiam.transforms.views import Views

FULL = dict(
    crop_scale=[0.2, 1.0], crop_ratio=[3 / 4, 4 / 3], flip=0.5, jitter=0.8, brightness=0.4, contrast=0.4,
    saturation=0.4, hue=0.1, grey=0.2, blur=0.5, blur_sigma=[0.1, 2.0], noise=0.5, noise_sigma=[0.02, 0.2],
)  # fmt: skip
NOTHING = FULL | dict(
    crop_scale=[1.0, 1.0], crop_ratio=[1.0, 1.0], flip=0.0, jitter=0.0, grey=0.0, blur=0.0, noise=0.0
)  # fmt: skip


def augmentation(base=FULL, **changes):
    return AugmentationParams.model_validate(base | changes)


def photos(n, height, width, channels, *purpose):
    """Smooth random uint8 images with some flat and some saturated pixels, where hue and clamping are delicate."""
    noise = torch.rand(n, channels, 6, 6, generator=generator("photos", *purpose))
    smooth = torch.nn.functional.interpolate(noise, (height, width), mode="bicubic", align_corners=False)
    images = (smooth * 330 - 30).clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    images[:, :2, :2] = 0
    images[:, 2:4, :2] = 255
    images[:, 4:6, :2] = 77
    return images


def reference(image, parameters, i, size, kernel):
    """View i by torchvision's functions on one float image (C, H, W) in [0, 1]."""
    p = parameters
    x = F.resized_crop(
        image, int(p.crop_top[i]), int(p.crop_left[i]), int(p.crop_height[i]), int(p.crop_width[i]),
        [size, size], F.InterpolationMode.BILINEAR, antialias=True,
    )  # fmt: skip
    operations = [
        lambda x: F.adjust_brightness(x, float(p.brightness[i])),
        lambda x: F.adjust_contrast(x, float(p.contrast[i])),
        lambda x: F.adjust_saturation(x, float(p.saturation[i])),
        lambda x: F.adjust_hue(x, float(p.hue[i])),
    ]
    if p.jitter[i]:
        for operation in p.order[i].tolist():
            x = operations[operation](x)
    if p.grey[i]:
        x = F.rgb_to_grayscale(x, num_output_channels=3)
    if p.blur_sigma[i] > 0:
        x = F.gaussian_blur(x, [kernel, kernel], [float(p.blur_sigma[i])] * 2)
    x = F.hflip(x) if p.flip[i] else x
    if p.noise_sigma[i] > 0:
        noise = by_hand(int(p.noise_seed[i]), x.numel()).reshape(x.shape)
        x = (x + float(p.noise_sigma[i]) * torch.from_numpy(noise)).clamp(0, 1).float()
    return x


def by_hand(seed, count):
    """The normal numbers of a seed: unsigned 32-bit numbers as numpy has them, then float64."""

    def mixed(x):
        x = np.asarray(x, np.uint32)
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
        return x ^ (x >> np.uint32(16))

    half = (count + 1) // 2
    with np.errstate(over="ignore"):
        bits = mixed(mixed(seed + 2**24) ^ mixed(np.arange(2 * half)))
    uniform = ((bits >> np.uint32(8)) + 0.5) / 2**24
    radius, angle = np.sqrt(-2 * np.log(uniform[:half])), 2 * np.pi * uniform[half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


def references(images, parameters, views):
    floats = images.permute(0, 3, 1, 2).float() / 255
    rows = [reference(floats[i], parameters, i, views.size, views.blur_kernel) for i in range(len(images))]
    return torch.stack(rows)


@pytest.fixture(params=["in groups", "all at once"])
def applied(request):
    """Both ways of making views: that of a CPU, and that of a GPU."""

    def at_once(views, images, parameters):
        return views.apply_numbers(images, views.numbers(parameters))

    return Views.apply if request.param == "in groups" else at_once


# --- what is applied ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height,width,size,channels", [
    (32, 32, 32, 3), (28, 28, 28, 1), (64, 64, 32, 3), (8, 8, 28, 1), (40, 61, 24, 3), (96, 96, 96, 3),
])  # fmt: skip
def test_whole_chain_equals_torchvision(applied, height, width, size, channels):
    images = photos(64, height, width, channels)
    views = Views(augmentation(crop_scale=[0.05, 1.0], hue=0.5), size, channels)
    parameters = views.draw(64, height, width, Generators(1))
    result = applied(views, images, parameters)
    assert result.shape == (64, channels, size, size) and result.dtype == torch.float32 and result.is_contiguous()
    torch.testing.assert_close(result, references(images, parameters, views), rtol=0, atol=1e-5)
    assert result.min() >= 0 and result.max() <= 1 + 1e-6


@pytest.mark.parametrize("only", [
    dict(crop_scale=[0.02, 1.0], crop_ratio=[0.3, 3.0]),
    dict(flip=1.0),
    dict(jitter=1.0, contrast=0.0, saturation=0.0, hue=0.0, brightness=1.0),
    dict(jitter=1.0, brightness=0.0, saturation=0.0, hue=0.0, contrast=1.0),
    dict(jitter=1.0, brightness=0.0, contrast=0.0, hue=0.0, saturation=1.0),
    dict(jitter=1.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.5),
    dict(jitter=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
    dict(jitter=0.5, brightness=0.0, contrast=0.4, saturation=0.0, hue=0.2),
    dict(grey=0.5),
    dict(blur=0.5, blur_sigma=[0.1, 5.0]),
    dict(blur=0.5, blur_sigma=[1e-6, 1e-6]),
    dict(noise=0.5, noise_sigma=[0.01, 1.0]),
], ids=[
    "crop", "flip", "brightness", "contrast", "saturation", "hue", "no hue", "two", "grey", "blur", "tiny blur",
    "noise",
])  # fmt: skip
@pytest.mark.parametrize("channels", [3, 1])
def test_each_operation_equals_torchvision(applied, only, channels):
    images = photos(48, 32, 32, channels)
    views = Views(augmentation(NOTHING, **only), 32, channels)
    parameters = views.draw(48, 32, 32, Generators(2))
    result = applied(views, images, parameters)
    torch.testing.assert_close(result, references(images, parameters, views), rtol=0, atol=1e-5)
    if "grey" in only and channels == 1:
        assert torch.equal(to_uint8(result), images)


def test_hue_of_every_colour(applied):
    """All of a coarse RGB cube incl. greys, black, white and ties of two channels, at turns of every sign."""
    level = torch.tensor([0, 1, 51, 128, 254, 255], dtype=torch.uint8)
    cube = torch.cartesian_prod(level, level, level).view(1, 12, 18, 3)
    shifts = torch.tensor([-0.5, -0.31, -1 / 6, -1e-3, 1e-3, 0.1, 1 / 3, 0.5])
    views = Views(augmentation(NOTHING), 18)
    images = cube.expand(8, 12, 18, 3)
    none, all_ = torch.zeros(8, dtype=torch.int64), torch.ones(8, dtype=torch.bool)
    whole = dict(crop_top=none, crop_left=none, crop_height=none + 12, crop_width=none + 18)
    parameters = replace(views.draw(8, 12, 18, Generators(0)), hue=shifts, jitter=all_, **whole)
    torch.testing.assert_close(
        applied(views, images, parameters), references(images, parameters, views), rtol=0, atol=1e-5
    )


def test_uint8_and_float_images_give_the_same_views(applied):
    images = photos(32, 32, 32, 3)
    views = Views(augmentation(), 32)
    parameters = views.draw(32, 32, 32, Generators(3))
    torch.testing.assert_close(
        applied(views, images, parameters), applied(views, images.double() / 255, parameters), rtol=0, atol=1e-6
    )


def test_same_pixels_for_any_number_of_threads():
    images, views = photos(300, 32, 32, 3), Views(augmentation(), 32)
    parameters = views.draw(300, 32, 32, Generators(6))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = views.apply(images, parameters)
        torch.set_num_threads(2)
        assert torch.equal(one, views.apply(images, parameters))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_pixels():
    images, views = photos(128, 32, 32, 3), Views(augmentation(), 32)
    parameters = views.draw(128, 32, 32, Generators(7))
    on_gpu = views.apply(images.cuda(), parameters)
    assert on_gpu.is_cuda
    torch.testing.assert_close(on_gpu.cpu(), views.apply(images, parameters), rtol=0, atol=1e-5)


def test_autocast_around_it_makes_no_difference(applied):
    images, views = photos(16, 48, 48, 3), Views(augmentation(), 32)
    parameters = views.draw(16, 48, 48, Generators(8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = applied(views, images, parameters)
    assert torch.equal(inside, applied(views, images, parameters))


def test_images_of_another_kind_are_refused():
    views = Views(augmentation(), 32, 3)
    parameters = views.draw(2, 32, 32, Generators(0))
    with pytest.raises(ValueError, match="3 channels"):
        views.apply(photos(2, 32, 32, 1), parameters)
    with pytest.raises(ValueError, match="2 views"):
        views.apply(photos(3, 32, 32, 3), parameters)


# --- what is drawn --------------------------------------------------------------------------------------------

N = 4000


def torchvision_crops(height, width, scale, ratio):
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    rows = [tv.RandomResizedCrop.get_params(image, scale, ratio) for _ in range(N)]
    return np.array(rows).T


@pytest.mark.parametrize("height,width,scale,ratio", [
    (32, 32, [0.2, 1.0], [3 / 4, 4 / 3]),
    (28, 28, [0.08, 1.0], [3 / 4, 4 / 3]),
    (224, 150, [0.08, 1.0], [3 / 4, 4 / 3]),
    (32, 32, [0.9, 1.0], [0.2, 5.0]),  # most tries do not fit, many end in the fallback
])  # fmt: skip
def test_crops_are_distributed_as_torchvisions(height, width, scale, ratio):
    views = Views(augmentation(crop_scale=scale, crop_ratio=ratio), 32)
    ours = views.draw(N, height, width, Generators("crops"))
    theirs = torchvision_crops(height, width, scale, ratio)
    h, w = ours.crop_height, ours.crop_width
    assert (ours.crop_top >= 0).all() and (ours.crop_left >= 0).all() and (h >= 1).all() and (w >= 1).all()
    assert (ours.crop_top + h <= height).all() and (ours.crop_left + w <= width).all()
    torch.testing.assert_close(ours.crop_area, (h * w / (height * width)).float())
    our_columns = [ours.crop_top, ours.crop_left, h, w, h * w, w.double() / h, ours.crop_top + h // 2]
    top, left, h, w = theirs
    for name, a, b in zip(["top", "left", "height", "width", "area", "ratio", "centre"], our_columns,
                          [top, left, h, w, h * w, w / h, top + h // 2], strict=True):  # fmt: skip
        assert stats.ks_2samp(a.numpy(), b).pvalue > 0.01, name


@pytest.mark.parametrize("height,width,ratio", [(32, 32, [3.0, 3.0]), (32, 32, [0.2, 0.25]), (20, 60, [1.0, 1.0])])
def test_fallback_crop_is_torchvisions(height, width, ratio):
    """The crop has the whole image's area but another ratio: no try fits."""
    views = Views(augmentation(crop_scale=[1.0, 1.0], crop_ratio=ratio), 32)
    ours = views.draw(3, height, width, Generators(0))
    expected = tv.RandomResizedCrop.get_params(torch.empty(3, height, width), [1.0, 1.0], ratio)
    for i in range(3):
        assert tuple(int(c[i]) for c in (ours.crop_top, ours.crop_left, ours.crop_height, ours.crop_width)) == expected


def test_colours_are_distributed_as_torchvisions():
    a = augmentation()
    ours = Views(a, 32).draw(3 * N, 32, 32, Generators("colours"))
    torch.manual_seed(0)
    jitter = tv.ColorJitter(a.brightness, a.contrast, a.saturation, a.hue)
    rows = [jitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) for _ in range(N)]
    on = ours.jitter
    for k, name in enumerate(["brightness", "contrast", "saturation", "hue"]):
        theirs = [row[1 + k] for row in rows]
        assert stats.ks_2samp(getattr(ours, name)[on].numpy(), theirs).pvalue > 0.01, name
        assert set(getattr(ours, name)[~on].tolist()) == {0.0 if name == "hue" else 1.0}
    # Orders are uniform over the 24 permutations, for torchvision and for us.
    code = (ours.order * torch.tensor([64, 16, 4, 1])).sum(1)
    counts = torch.bincount(code).numpy()
    counts = counts[counts > 0]
    assert len(counts) == 24 and stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize(
    "name,probability", [("flip", 0.5), ("jitter", 0.8), ("grey", 0.2), ("blur", 0.5), ("noise", 0.3)]
)
def test_probabilities(name, probability):
    def applied(probability):
        ours = Views(augmentation(**{name: probability}), 32).draw(N, 32, 32, Generators("probability"))
        return getattr(ours, f"{name}_sigma") > 0 if name in ("blur", "noise") else getattr(ours, name)

    assert stats.binomtest(int(applied(probability).sum()), N, probability).pvalue > 0.01
    assert not applied(0.0).any() and applied(1.0).all()


@pytest.mark.parametrize("column, low, high", [
    ("blur_sigma", 0.1, 2.0), ("noise_sigma", 0.02, 0.2), ("noise_seed", 0, 2**24),
])  # fmt: skip
def test_widths_and_seeds_are_uniform(column, low, high):
    drawn = Views(augmentation(blur=1.0, noise=1.0), 32).draw(N, 32, 32, Generators(column))
    assert stats.kstest(getattr(drawn, column).numpy(), stats.uniform(low, high - low).cdf).pvalue > 0.01


COLUMNS = {
    "crop": ("crop_top", "crop_left", "crop_height", "crop_width", "crop_area"), "blur": ("blur_sigma",),
    "noise": ("noise_sigma", "noise_seed"),
    **{name: (name,) for name in ("flip", "jitter", "brightness", "contrast", "saturation", "hue", "grey", "order")},
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_an_augmentation_draws_from_the_generator_of_its_name_alone(name):
    """Another generator under one name changes the draws of this name only."""
    views = Views(augmentation(jitter=1.0, blur=1.0, noise=1.0), 32)
    if name == "jitter":
        views = Views(augmentation(jitter=0.5, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0), 32)
    generators = Generators("names")
    generators[name] = generator("another")
    before, after = (views.draw(200, 32, 32, g) for g in (Generators("names"), generators))
    changed = {column for column in vars(before) if not torch.equal(getattr(before, column), getattr(after, column))}
    assert changed == set(COLUMNS[name])
    assert set(generators) == set(COLUMNS)


def test_each_generator_draws_its_own_views_beside_others():
    views = Views(augmentation(blur=0.5, noise=0.5), 32)
    together = views.draw(5, 32, 40, *(Generators("image", i) for i in range(3)))
    for i in range(3):
        alone, its = views.draw(5, 32, 40, Generators("image", i)), together[5 * i : 5 * i + 5]
        assert all(torch.equal(value, getattr(its, name)) for name, value in vars(alone).items())


def test_one_channel_has_no_saturation_hue_or_grey():
    p = Views(augmentation(jitter=1.0, grey=1.0), 28, channels=1).draw(50, 28, 28, Generators(9))
    assert (p.saturation == 1).all() and (p.hue == 0).all() and not p.grey.any()
    assert p.brightness.std() > 0.1 and p.contrast.std() > 0.1


@pytest.mark.parametrize("size,kernel", [(28, 3), (32, 3), (64, 7), (96, 9), (224, 23)])
def test_blur_covers_a_tenth_of_the_side(size, kernel):
    assert Views(augmentation(), size).blur_kernel == kernel
