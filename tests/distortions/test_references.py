"""Distortions against what scikit-image, SciPy, OpenCV and Pillow make of them.

Each reference is written from the libraries' own calls, takes an image of 0 to 255 in
float64 and the parameter, and calls nothing of `iqa_zoo`. Left out are kinds that no
library has (patches, blocks, displaced green), those that depend on a palette or a
denoiser of a library's choice, and "jitter", whose interpolation they choose otherwise.
"""

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import interpolate, ndimage, stats
from scipy.spatial import distance

from iqa_zoo.distortions import KINDS, LEVELS, distort
from iqa_zoo.distortions.tone import otsu
from iqa_zoo.images import read_image

color = pytest.importorskip("skimage.color")
draw = pytest.importorskip("skimage.draw")
exposure = pytest.importorskip("skimage.exposure")
filters = pytest.importorskip("skimage.filters")
transform = pytest.importorskip("skimage.transform")
util = pytest.importorskip("skimage.util")

ROUNDED = 0.501  # grey levels: the reference is not rounded to 8 bits


@pytest.fixture(scope="module")
def photo(photos):
    """150 x 170 pixels of a cat's face, uint8, its colours faded to a quarter.

    Strong colours made stronger are beyond sRGB, where every library clips otherwise.
    """
    crop = read_image(photos / "chelsea.jpg")[60:210, 120:290].astype(float)
    grey = crop.mean(-1, keepdims=True)
    return np.rint(grey + (crop - grey) / 4).astype(np.uint8)


def gaussian_blur(image, sigma):
    radius = int(np.ceil(2 * sigma))
    return ndimage.gaussian_filter(
        image, sigma, mode="nearest", radius=radius, axes=(0, 1)
    )


def dbcnn_blur(image, size):
    return ndimage.gaussian_filter(
        image, size / 6, mode="reflect", radius=size // 2, axes=(0, 1)
    )


def lens_blur(image, radius):
    # The disc drawn 40 times as large, and how much of it each pixel holds.
    side = 2 * int(np.ceil(radius - 0.5)) + 1
    drawn = np.zeros((side * 40, side * 40))
    middle = side * 20 - 0.5
    drawn[draw.disk((middle, middle), radius * 40, shape=drawn.shape)] = 1
    kernel = transform.downscale_local_mean(drawn, (40, 40))[..., None]
    return ndimage.correlate(image, kernel / kernel.sum(), mode="nearest")


def motion_blur(image, length):
    angle = np.random.default_rng(0).uniform(0, np.pi)
    along = np.linspace(-1, 1, 2001)[:, None] * (length - 1) / 2
    segment = along * [-np.sin(angle), np.cos(angle)]
    pixels = np.argwhere(np.ones((13, 13))) - 6
    kernel = (1 - distance.cdist(pixels, segment).min(1)).clip(0).reshape(13, 13, 1)
    return ndimage.correlate(image, kernel / kernel.sum(), mode="nearest")


def in_lab(image, change):
    """What `change` does to L, a and b, back in grey levels.

    NaN for colours with Z below 0, which scikit-image sets to 0 and OpenCV does not.
    """
    lab = color.rgb2lab(image / 255)
    changed = np.stack(change(*np.moveaxis(lab, -1, 0)), -1)
    no_colour = (changed[..., 0] + 16) / 116 < changed[..., 2] / 200
    changed[no_colour] = 0
    rgb = color.lab2rgb(changed) * 255
    rgb[no_colour] = np.nan
    return rgb


def colour_diffusion(image, strength):
    def blurred(channel):
        sigma = 1.5 * strength + 2
        radius = int(np.ceil(2 * sigma))
        return strength * ndimage.gaussian_filter(
            channel, sigma, mode="nearest", radius=radius
        )

    return in_lab(image, lambda light, a, b: (light, blurred(a), blurred(b)))


def colour_saturation_lab(image, factor):
    return in_lab(image, lambda light, a, b: (light, factor * a, factor * b))


def sharpen(image, strength):
    def sharp(light):
        soft = ndimage.gaussian_filter(light, 3, mode="nearest", radius=6)
        return light + strength * (light - soft)

    return in_lab(image, lambda light, a, b: (sharp(light), a, b))


def brighten(image, strength):
    curve = interpolate.lagrange([0, 0.5, 1], [0, 0.5 + strength / 2, 1])
    lifted = in_lab(
        image, lambda light, a, b: (100 * curve(light / 100).clip(0, 1), a, b)
    )
    return (2 * 255 * curve(image / 255).clip(0, 1) + lifted) / 3


def darken(image, strength):
    curve = interpolate.lagrange([0, 0.5, 1], [0, 0.5 - strength / 2, 1])
    return 255 * curve(image / 255)


def colour_saturation_hsv(image, factor):
    hsv = color.rgb2hsv(image.astype(np.uint8))
    return color.hsv2rgb(hsv * [1, factor, 1]) * 255


def white_noise_ycbcr(image, variance):
    drawn = np.random.default_rng(0).standard_normal((*image.shape[:2], 1), np.float32)
    ycbcr = color.rgb2ycbcr(image / 255)
    return color.ycbcr2rgb(ycbcr + 255 * np.sqrt(variance) * drawn) * 255


def mean_shift(image, offset):
    return cv2.addWeighted(image, 1, image, 0, 255 * offset)


def contrast(image, strength):
    knots = [0, 0.3, 0.5, 0.7, 1], [0, 0.25 - strength / 4, 0.5, 0.75 + strength / 4, 1]
    # An interpolating cubic whose second and last but one knots are none.
    return 255 * interpolate.make_interp_spline(*knots, k=3)(image / 255)


def dbcnn_contrast(image, darkest):
    stretched = [
        exposure.rescale_intensity(
            channel,
            in_range=tuple(np.percentile(channel, (1, 99))),
            out_range=(255 * darkest, 255 * (1 - darkest)),
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(stretched, -1)


def jpeg(image, quality):
    options = [cv2.IMWRITE_JPEG_QUALITY, max(quality, 1)]
    _, file = cv2.imencode(".jpg", image.astype(np.uint8)[..., ::-1], options)
    return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]


def pixelate(image, strength):
    picture = Image.fromarray(image.astype(np.uint8))
    scale = 0.95 - strength**0.6
    small = [int(np.ceil(side * scale)) for side in picture.size]
    shrunk = picture.resize(small, Image.Resampling.NEAREST)
    return np.asarray(shrunk.resize(picture.size, Image.Resampling.NEAREST))


# The levels, and the largest difference in grey levels over all values of the photo.
# Where it is more than rounding: both discs are drawn from points; the way to Lab has
# other digits in the two libraries, which strong factors make visible.
REFERENCES = (
    (gaussian_blur, LEVELS, ROUNDED),
    (dbcnn_blur, LEVELS, ROUNDED),
    (lens_blur, LEVELS, 0.8),
    (motion_blur, LEVELS, ROUNDED),
    (colour_diffusion, (1, 2), 2),
    (colour_saturation_lab, (1, 2, 3), 2),
    (sharpen, (1, 2, 3), 2),
    (brighten, LEVELS, 0.8),
    (darken, LEVELS, ROUNDED),
    (colour_saturation_hsv, LEVELS, ROUNDED),
    (white_noise_ycbcr, LEVELS, ROUNDED),
    (mean_shift, LEVELS, ROUNDED),
    (contrast, LEVELS, ROUNDED),
    (dbcnn_contrast, LEVELS, ROUNDED),
    (jpeg, LEVELS, 0),
    (pixelate, LEVELS, 0),
)
CELLS = [
    pytest.param(reference, level, tolerance, id=f"{reference.__name__}-{level}")
    for reference, levels, tolerance in REFERENCES
    for level in levels
]


@pytest.mark.parametrize(("reference", "level", "tolerance"), CELLS)
def test_equals_other_libraries(photo, reference, level, tolerance):
    kind = KINDS[reference.__name__]
    parameter = kind.levels[level - 1]
    if reference in (motion_blur, white_noise_ycbcr):  # they draw from this generator
        random = np.random.default_rng(0)
        damaged = kind.effect(photo / np.float32(255), parameter, random)
        found = np.rint(damaged.clip(0, 1) * 255)
    else:
        found = distort(photo, reference.__name__, level)
    wanted = reference(photo.astype(float), parameter)
    known = np.isfinite(wanted)
    assert known.mean() > 0.9
    difference = np.abs(found - wanted.clip(0, 255))[known]
    assert difference.max() <= tolerance


def noise_of(kind, level, grey=128):
    flat = np.full((300, 300, 3), grey, np.uint8)
    return flat, distort(flat, kind, level).ravel()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["white_noise", "dbcnn_noise"])
def test_noise_is_distributed_as_other_noise(kind, level):
    flat, found = noise_of(kind, level)
    wanted = util.random_noise(
        flat, "gaussian", rng=1, var=KINDS[kind].levels[level - 1]
    )
    # Two draws of 270,000 values differ by less than this in 999 of 1,000 cases.
    assert stats.ks_2samp(found, np.rint(wanted * 255).ravel()).statistic < 0.0053


@pytest.mark.parametrize("level", LEVELS)
def test_impulses_are_as_frequent_as_others(level):
    flat, found = noise_of("impulse_noise", level)
    amount = KINDS["impulse_noise"].levels[level - 1]
    wanted = util.random_noise(flat, "s&p", rng=1, amount=amount).ravel() * 255
    for value in (0, 255):
        # Four deviations of the difference of two counts.
        most = 4 * np.sqrt(2 * 270_000 * amount / 2)
        assert abs(np.sum(found == value) - np.sum(wanted == value)) < most


@pytest.mark.parametrize("level", LEVELS)
def test_jpeg2000_costs_what_opencv_costs(photo, level):
    """Their encoders differ (wavelets 9/7 and 5/3), so errors agree to a fifth."""
    ratio = KINDS["jpeg2000"].levels[level - 1]
    options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, round(1000 / ratio)]
    _, file = cv2.imencode(".jp2", photo[..., ::-1], options)
    wanted = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
    errors = [
        np.square(one.astype(float) - photo).mean()
        for one in (distort(photo, "jpeg2000", level), wanted)
    ]
    assert errors[0] == pytest.approx(errors[1], rel=0.2)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_thresholds_equal_those_of_scikit_image(photo, count):
    grey = photo[..., 1]
    wanted = filters.threshold_multiotsu(grey, count + 1, nbins=256)
    found = otsu(np.bincount(grey.ravel(), minlength=256), count)
    np.testing.assert_allclose(found, wanted, atol=1)
