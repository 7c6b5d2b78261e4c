"""The page of examples/web in Chromium, with real photos, against the library.

Chromium's requests go through the operating system, which pytest-socket does not see:
the page's own policy forbids other hosts, and a test watches what is asked for.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import iqa_zoo
from iqa_zoo import calibration
from iqa_zoo.cli import web

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.weights,
    pytest.mark.export,
    pytest.mark.skipif(not CHROMIUM, reason="needs chromium"),
    pytest.mark.skipif(not shutil.which("npm"), reason="needs npm"),
]

# A picture that the camera gives is the same in all of its tests.
ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
PHOTOS = (
    ("astronaut", ""),
    ("chelsea", "_blur"),
    ("chelsea", "_jpeg"),
    ("coffee", ""),
    ("coffee", "_noise"),
    ("rocket", ""),
)
WAIT = 60_000  # milliseconds, on a machine that has other work
PROGRAM = (sys.executable, "-m", "iqa_zoo", "web")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What the command prepares, with MediaPipe's code from npm.

    But for the export's report, which compares the model on hundreds of photos.
    """

    def export(model: str, file: Path) -> None:
        from iqa_zoo.exporting import graphs, to_tflite

        subject = graphs.subject(model, None)
        content = to_tflite.tflite(subject, "none", reduce=True)
        file.write_bytes(to_tflite.mediapipe(content, subject))

    folder = tmp_path_factory.mktemp("web") / "page"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("IQA_ZOO_OFFLINE")
        patch.setattr(web, "_export", export)
        web.prepare(folder, None)
    assert os.listdir(folder.parent) == ["page"]
    return folder


@pytest.fixture(scope="module")
def address(folder) -> Iterator[str]:
    """Where the command serves the folder, without a network."""
    with subprocess.Popen(
        [*PROGRAM, folder, "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as server:
        yield server.stdout.readline().strip()
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 130


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with (
        playwright.sync_playwright() as driver,
        contextlib.closing(
            driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        ) as browser,
    ):
        yield browser


@pytest.fixture
def new_page(browser, address):
    """A function that opens the page in a fresh profile."""
    contexts = []

    def open_page(prepare=lambda page: None, state="ready", **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        prepare(page)
        page.goto(address)
        wait_for(page, state)
        return page

    yield open_page
    for context in contexts:
        context.close()


def wait_for(page, state: str) -> None:
    page.wait_for_selector(f"body[data-state={state}]")


def judged(page, file) -> dict:
    """What the page shows of a photo."""
    page.set_input_files("#file", file)
    page.wait_for_selector("body:is([data-state=done], [data-state=failed])")
    assert page.is_hidden("#problem"), page.inner_text("#problem")
    return shown(page)


def shown(page) -> dict:
    read = page.get_attribute
    shares = [
        float(bar.get_attribute("data-share"))
        for bar in page.query_selector_all("#bars li")
    ]
    return {
        "score": float(read("#score", "value")),
        "shares": shares,
        "percentile": float(read("#result", "data-percentile")),
        "interval": tuple(map(float, read("#result", "data-interval").split())),
    }


def differences(page, files) -> list[float]:
    """Of the page's scores to the library's; the rest of each answer is checked."""
    scorer = iqa_zoo.Scorer()
    (weights,) = scorer.weights
    found = []
    for score in scorer.score(files):
        answer = judged(page, score.path)
        values = np.arange(1, 11)
        assert sum(answer["shares"]) == pytest.approx(1, abs=1e-6)
        assert answer["shares"] @ values == pytest.approx(answer["score"], abs=1e-6)
        place = calibration.percentile(
            answer["score"], weights["quantiles"], score.direction
        )
        assert answer["percentile"] == pytest.approx(place, abs=1e-6)
        ends = calibration.interval(answer["score"], weights["interval"], score.scale)
        assert answer["interval"] == pytest.approx(ends, abs=1e-6)
        found.append(answer["score"] - score.value)
    return found


def test_scores_are_those_of_the_library(new_page, photos):
    files = [f"{name}{kind}.jpg" for name, kind in PHOTOS]
    found = np.abs(differences(new_page(), [str(photos / file) for file in files]))
    assert found.mean() <= 0.03, found
    assert found.max() <= 0.1, found


@pytest.mark.parametrize(
    "count",
    [
        8,
        pytest.param(100, marks=pytest.mark.slow),
    ],
    ids="{}photos".format,
)
def test_scores_of_clive_are_those_of_the_library(new_page, clive, count):
    files = sorted(map(str, clive.glob("images/*")))
    chosen = files[:: len(files) // count][:count]
    found = np.abs(differences(new_page(), chosen))
    print(f"mean difference {found.mean():.4f}, largest {found.max():.4f}")
    assert found.mean() <= 0.01, found


def test_a_turned_photo_is_upright_and_transparency_is_white(
    new_page, photos, tmp_path
):
    photo = Image.open(photos / "coffee.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "turned.jpg"))
    upright.save(tmp_path / "upright.png")
    clear = photo.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    clear.save(tmp_path / "clear.png")
    page = new_page()
    files = [str(tmp_path / name) for name in ("turned.jpg", "upright.png")]
    turned, same = (judged(page, file)["score"] for file in files)
    assert turned == pytest.approx(same, abs=0.01)
    found = np.abs(differences(page, [*files, str(tmp_path / "clear.png")]))
    assert found.max() <= 0.1, found


def test_no_request_leaves_the_machine(new_page, photos):
    asked = []

    def watch(page):
        page.on("request", lambda request: asked.append(request.url))
        page.clock.install()
        page.add_init_script(
            "window.refused = []; document.addEventListener('securitypolicyviolation',"
            "event => refused.push(event.blockedURI))"
        )

    page = new_page(watch)
    judged(page, photos / "coffee.jpg")
    # tasks-vision counts its use, and reports to its maker once a minute.
    page.clock.fast_forward(150_000)
    page.wait_for_function("refused.length")
    assert page.evaluate("refused") == ["https://odml.pa.googleapis.com/v1/log"]
    hosts = {urllib.parse.urlsplit(url).hostname for url in asked}
    assert hosts - {None} == {"127.0.0.1"}  # None: blobs, which are in the browser


def test_what_is_wrong_is_said(new_page, photos, tmp_path):
    page = new_page()
    whole = (photos / "coffee.jpg").read_bytes()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    Image.new("RGB", (20, 400)).save(tmp_path / "thin.png")
    for name, words in (
        ("text.jpg", "text.jpg cannot be read"),
        ("torn.png", "torn.png cannot be read"),
        ("thin.png", "20 × 400 pixels are too few"),
    ):
        page.set_input_files("#file", tmp_path / name)
        wait_for(page, "failed")
        assert words in page.get_by_role("alert").inner_text()
        assert page.is_hidden("#result")
        (tmp_path / "whole.jpg").write_bytes(whole)
        judged(page, tmp_path / "whole.jpg")


@pytest.mark.parametrize(
    "name", ["model.json", "model.tflite", "vendor/vision_bundle.mjs"]
)
def test_a_missing_file_is_named(new_page, name):
    def without(page):
        page.route(f"**/{name}", lambda route: route.fulfill(status=404))

    page = new_page(without, state="failed")
    text = page.get_by_role("alert").inner_text()
    assert f"This folder lacks {name.partition('/')[0]}" in text
    assert "iqa-zoo web FOLDER" in text


def test_by_keyboard_alone(new_page, photos):
    # Listening from the start: Chromium takes a while to hand its dialog over.
    page = new_page(lambda page: page.on("filechooser", lambda chooser: None))
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photos / "coffee.jpg")
    wait_for(page, "done")
    assert page.get_by_role("status").inner_text().startswith("Score 7.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for(page, "live")
    assert page.evaluate("document.activeElement.textContent") == "Take this picture"
    live = shown(page)
    assert 1 < live["score"] < 10
    page.keyboard.press("Enter")
    wait_for(page, "done")
    assert page.is_hidden("#video")
    assert page.evaluate("document.activeElement.textContent") == "Open the camera"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.is_visible("#limits li")


def test_the_camera_can_be_closed(new_page):
    page = new_page()
    page.get_by_role("button", name="Open the camera").click()
    wait_for(page, "live")
    page.get_by_role("button", name="Close the camera").click()
    assert page.get_by_role("status").inner_text() == "The camera is off."
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_without_a_camera(new_page):
    page = new_page(
        lambda page: page.add_init_script(
            "Object.defineProperty(navigator, 'mediaDevices', {get: () => devices})"
        )
    )
    refusing = "({getUserMedia: () => Promise.reject(new DOMException('', '%s'))})"
    for devices, words in (
        (refusing % "NotFoundError", "There is no camera here"),
        (refusing % "NotAllowedError", "The camera may not be used"),
        (refusing % "NotReadableError", "The camera is in use"),
        ("undefined", "needs a page from https://"),
    ):
        page.evaluate(f"globalThis.devices = {devices}")
        page.get_by_role("button", name="Open the camera").click()
        said = page.get_by_role("alert")
        playwright.expect(said).to_contain_text(words)


def test_a_photo_can_be_dropped(new_page, photos):
    page = new_page()
    data = (photos / "rocket.jpg").read_bytes()
    page.evaluate(
        """bytes => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], 'rocket.jpg'));
            document.body.dispatchEvent(new DragEvent(
                'drop', {dataTransfer: carried, bubbles: true, cancelable: true}));
        }""",
        list(data),
    )
    wait_for(page, "done")
    assert page.get_attribute("#preview", "alt") == "rocket.jpg"
    assert shown(page)["score"] > 6


CONTRASTS = """() => {
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const [r, g, b] = parts(colour).slice(0, 3).map((level) => {
            const v = level / 255;
            return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        const solid = (parts(colour)[3] ?? 1) === 1;
        return solid ? colour : behind(element.parentElement);
    };
    return [...document.querySelectorAll('body *')]
        .filter((e) => e.checkVisibility() && [...e.childNodes].some(
            (node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
        .map((element) => {
            const pair = [getComputedStyle(element).color, behind(element)];
            const [low, high] = pair.map(light).sort((a, b) => a - b);
            return [element.textContent, (high + 0.05) / (low + 0.05)];
        });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(new_page, photos, scheme):
    page = new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    for step in ("empty", "judged"):
        if step == "judged":
            judged(page, photos / "coffee_blur.jpg")
            page.get_by_text("What the score means").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 5
        assert min(contrasts, key=lambda pair: pair[1])[1] >= 4.5, contrasts
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = list(map(int, re.findall(r"\d+", shade)))
    assert (max(levels) < 80) if scheme == "dark" else (min(levels) > 200)


def test_bars_and_buttons_have_names(new_page, photos):
    page = new_page()
    answer = judged(page, photos / "coffee.jpg")
    bars = page.get_by_role("list", name="Share of people who would give each mark")
    texts = [" ".join(text.split()) for text in bars.locator("li").all_text_contents()]
    assert texts == [
        f"mark {number}: {share * 100:.0f} %"
        for number, share in enumerate(answer["shares"], 1)
    ]
    assert page.get_by_role("heading", level=1).count() == 1
    for name in ("Photo", "Among the best quarter"):
        assert page.get_by_role("region", name=name, exact=True).count() == 1
    assert page.get_by_label("Choose a photo").count() == 1


def test_the_arithmetic_is_that_of_calibration(new_page):
    page = new_page()
    quantiles = {"score": [1.5, 3.0, 3.0, 7.0], "percent": [0, 30, 60, 100], "set": ""}
    values = [1.0, 1.5, 2.2, 3.0, 3.1, 6.999, 7.0, 9.9]
    for direction in ("higher_is_better", "lower_is_better", "neither"):
        got = page.evaluate(
            """async ([values, model]) => {
                const { percentile } = await import('./meaning.js');
                return values.map((value) => percentile(value, model));
            }""",
            [values, {"quantiles": quantiles, "direction": direction}],
        )
        assert got == pytest.approx(
            [calibration.percentile(value, quantiles, direction) for value in values]
        )


def test_a_card_without_calibration_gives_a_score_alone(new_page, folder, photos):
    model = json.loads((folder / "model.json").read_text("utf-8"))
    model |= {"quantiles": None, "interval": None}

    def bare(page):
        page.route("**/model.json", lambda route: route.fulfill(json=model))

    page = new_page(bare)
    page.set_input_files("#file", photos / "coffee.jpg")
    wait_for(page, "done")
    assert page.inner_text("#verdict") == "Technical quality"
    assert float(page.get_attribute("#score", "value")) > 6
    for hidden in ("#standing", "#range", "#promise", "#band", "#problem"):
        assert page.is_hidden(hidden)
