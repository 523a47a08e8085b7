"""The gallery page: the contents of the file, and the page in a real browser."""

import base64
import shutil
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.pages import embedded
from helpers.plot_inputs import only, opened
from helpers.project import ROOT
from vi_simsiam.core import record
from vi_simsiam.report.gallery import page as gallery_page
from vi_simsiam.report.gallery.page import write_gallery

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NASTY = "<script>document.title='obeyed'</script><img src=x onerror=alert(1)>&amp;\u2028\"'@SCRIPT@"


def page(root, **changes):
    runs = opened(root, **({"methods": ("untrained", "vi_simsiam", "dino")} | changes))
    write_gallery(runs, root / "gallery.html")
    return root / "gallery.html", runs


def test_the_page_holds_the_tables(tmp_path):
    path, runs = page(tmp_path)
    (found,) = embedded(path)
    kappa, dino = found["runs"]  # a method without an own score is left out where another method has one
    table = only(runs, "vi_simsiam").images
    assert kappa["labels"][0] == "κ" and dino["labels"][0] == "−entropy"
    np.testing.assert_allclose(kappa["scores"][0], table["kappa"], rtol=1e-3)
    assert kappa["correct"] == table["correct"].tolist() and found["label"] == table["label"].tolist()
    assert found["path"][7] == "test/class/00007.png" and found["sprite"].startswith("data:image/png;base64,")
    crops = only(runs, "vi_simsiam").crops
    for row in (0, 57):
        own = crops[crops["index"] == row].sort_values("kappa")
        for crop, end in zip(kappa["crops"][row], (own.iloc[0], own.iloc[-1]), strict=True):
            boxes = end[["top", "left", "height", "width"]].to_numpy(float) / 28
            np.testing.assert_allclose(crop, [*boxes, end["kappa"]], rtol=1e-3)


def test_markup_style_and_script_are_in_the_record_and_in_the_package():
    folder = "src/vi_simsiam/report/gallery"
    files = {f"vi_simsiam/report/gallery/{name}" for name in ("page.html", "style.css", "script.js")}
    assert files <= record._used_files()
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = packaged["package-data"]["vi_simsiam.report.gallery"]
    others = [path.name for path in (ROOT / folder).iterdir() if path.is_file() and path.suffix != ".py"]
    assert others and all(any(fnmatch(name, pattern) for pattern in patterns) for name in others)


def test_of_many_images_the_extremes_and_even_steps_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_page, "MOST_IMAGES", 30)
    path, runs = page(tmp_path, methods=("vi_simsiam",), images=301)
    (found,) = embedded(path)
    rank = runs[0].images["kappa"].rank()[found["index"]].sort_values()
    assert found["images"] == 301 and len(rank) == 30 and rank.iloc[[0, -1]].tolist() == [1, 301]
    assert rank.diff().dropna().between(10, 11).all()


def test_without_labels_or_own_scores(tmp_path):
    path, _ = page(tmp_path / "a", labels=False, methods=("vi_simsiam",))
    run = embedded(path)[0]["runs"][0]
    assert run["correct"] is None and run["predicted"] is None
    path, _ = page(tmp_path / "b", methods=("simsiam",))
    assert embedded(path)[0]["runs"][0]["labels"][0] == "k-NN density"


@pytest.mark.slow
def test_more_images_than_are_shown_stay_small(tmp_path):
    path, _ = page(tmp_path, datasets=("colour",), images=2 * gallery_page.MOST_IMAGES)
    assert path.stat().st_size < 3e6


def test_names_are_never_markup(tmp_path):
    path, _ = page(tmp_path, name=NASTY)
    text = path.read_text(encoding="utf-8")
    assert text.count("<script") == 2 and "onerror=alert(1)>" not in text
    assert embedded(path)[0]["classes"][3] == f"{NASTY} 3"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (CHROMIUM and DRIVER):
        pytest.skip("no Chromium here: on Debian, `apt-get install chromium chromium-driver`")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    """The opened page, seen from outside."""

    def __init__(self, driver, path):
        self.driver = driver
        driver.set_window_size(1280, 900)
        driver.get(path.as_uri())

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)

    def values(self):
        return [float(text.replace("\u2212", "-")) for text in self.texts(".card .value")]

    def choose(self, select, value):
        self.js("const e = document.getElementById(arguments[0]); e.value = arguments[1];"
                "e.dispatchEvent(new Event('change'))", select, value)  # fmt: skip

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def selected(self):
        return self.js("return [...document.querySelectorAll('.card')].findIndex(c => c.ariaSelected === 'true')")

    def wide_enough(self):
        return self.js("return document.documentElement.scrollWidth <= innerWidth")

    def pixels(self, selector):
        """Number of grey levels in a canvas, once the images are decoded."""
        return self.driver.execute_async_script(
            "const done = arguments[1], e = document.querySelector(arguments[0]);"
            "sprite.then(() => setTimeout(() => done(new Set(e.getContext('2d')"
            ".getImageData(0, 0, e.width, e.height).data).size), 0))",
            selector,
        )


@pytest.mark.slow
def test_a_browser_sorts_filters_and_shows(browser, tmp_path):
    from selenium.webdriver import Keys

    path, runs = page(tmp_path, methods=("vi_simsiam", "dino"), images=400)
    table = only(runs, "vi_simsiam").images
    shown = Page(browser, path)
    assert shown.texts("#count") == ["400 of 400 images, by κ"]
    assert shown.pixels(".card canvas") > 20 and shown.pixels("#detail canvas") > 20
    assert shown.pixels("#detail figure canvas") > 5 and len(shown.texts("figure")) == 2
    rising = np.sort(table["kappa"])
    np.testing.assert_allclose(shown.values(), rising[: len(shown.values())], rtol=1e-3)

    shown.choose("order", "-1")
    np.testing.assert_allclose(shown.values(), rising[::-1][: len(shown.values())], rtol=1e-3)
    shown.choose("class", "3")
    assert set(shown.texts(".card .name")) == {"class 3"} and len(shown.values()) == (table["label"] == 3).sum()
    shown.choose("class", "")
    shown.choose("judged", "wrong")
    assert len(shown.values()) == (~table["correct"]).sum() == len(shown.texts(".card.wrong")) > 0
    shown.choose("judged", "")
    shown.choose("run", "0 1")
    assert shown.texts("#count") == ["400 of 400 images, by −entropy"]

    shown.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert shown.selected() == 2
    shown.press(Keys.ARROW_DOWN)
    assert shown.selected() == 2 + shown.js("return perRow()")
    shown.press(Keys.END)
    assert shown.selected() == 399 == len(shown.values()) - 1
    shown.press("s", "w")
    assert shown.texts("#count")[0].startswith(f"{(~runs[1].images['correct']).sum()} of 400")
    shown.press("a", "/", "00017")
    assert len(shown.values()) == 1 and shown.texts("#detail .path") == ["test/class/00017.png"]
    assert shown.texts("#detail td")[1] == f"class {table['label'][17]}"
    shown.press("zz")
    assert shown.values() == [] and shown.texts("#detail *") == []  # nothing found: nothing shown, no error
    assert shown.wide_enough()
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_a_narrow_window(browser, tmp_path):
    path, _ = page(tmp_path, datasets=("colour",), methods=("vi_simsiam",))
    shown = Page(browser, path)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        shown.driver.refresh()
        assert shown.pixels(".card canvas") > 20 and shown.js("return innerWidth") == 390 and shown.wide_enough()
        assert shown.js("return perRow()") >= 3
        box = shown.js("return document.getElementById('detail').getBoundingClientRect().toJSON()")
        assert box["left"] == 0 and box["width"] == 390 and box["bottom"] == 800 and box["height"] <= 0.45 * 800
        shown.press("\ue010")  # End
        card = shown.js("return document.querySelector('.card:last-child').getBoundingClientRect().toJSON()")
        assert 0 <= card["top"] < card["bottom"] <= box["top"]  # not under the details
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_images_without_labels_in_a_browser(browser, tmp_path):
    path, _ = page(tmp_path, labels=False, methods=("vi_simsiam",))
    shown = Page(browser, path)
    assert set(shown.texts(".card .name")) == {"no label"} and shown.texts("#class option") == ["all", "no label"]
    assert shown.js("return document.getElementById('judged').disabled")
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_an_answer_in_a_browser(browser, tmp_path):
    """Lists first, links to files with odd names, a selection that is saved, dark images, tiles and copies."""
    names = ["a b#?.png", "50%25.png", NASTY.replace("/", ""), "d.png", "e.png"]
    for name in names:
        Image.new("RGB", (64, 64), (9, 9, 9)).save(tmp_path / name, "png")
    images = np.random.default_rng(0).integers(0, 50, (5, 64, 64, 3)).astype(np.uint8)
    entry = gallery_page.of_images(
        "photos", images, names, np.arange(5), group=np.array([1, 0, 1, 0, 0]), links=[quote(name) for name in names],
        gains=[4.5, None, None, None, None], places=[[0, i * 64, 0, 64, 64] for i in range(4)] + [[1, 0, 0, 64, 64]],
        extents={"0": [256, 64], "1": [64, 64]},
    )  # fmt: skip
    entry["sentence"] = "Sorted by that."
    entry["lists"] = [
        gallery_page.of_list("Look at first", "The oddest.", 2, [3, 0]),
        gallery_page.of_list("Dark", "None of these.", 0, []),
        gallery_page.of_list("Not read", "Damaged.", 1, [], [f"x.png: {NASTY}"]),
    ]
    columns = [
        ("k-NN density", "says one", pd.Series(np.arange(5.0))),
        ("κ", "says another", pd.Series(np.arange(5.0))),
        ("sharpness", "says a third", pd.Series(np.arange(5.0)[::-1])),
    ]
    entry["runs"] = [gallery_page.of_scores("vi_simsiam", columns, "Doubt.", 1)]
    gallery_page.write_page([entry], tmp_path / "page.html", "photographs")
    shown = Page(browser, tmp_path / "page.html")
    # Names are texts: no script of theirs has run, and no image of theirs was made.
    assert browser.title == "Gallery: photographs" and shown.js("return document.images.length") == 0
    assert shown.texts("#sentence") == ["Sorted by that."] and shown.texts("#explained") == ["The oddest."]
    assert shown.texts("#lists button") == ["Look at first: 2", "Not read: 1", "All images: 5"]
    assert shown.texts(".card .name") == ["d.png", "a b#?.png"] and shown.texts("#count") == [
        "2 images, in the order of the list"
    ]
    assert shown.texts(".card .gain") == ["shown 4.5 times brighter"]
    assert shown.js("return document.querySelectorAll('.card canvas')[1].style.filter") == "brightness(4.5)"
    assert shown.js("return document.getElementById('marking').hidden")

    shown.js("document.querySelectorAll('.card .mark')[1].click()")  # the second of the list is selected
    assert shown.texts("#marked") == ["1 selected"] and shown.selected() == 1
    assert shown.js("return [...document.querySelectorAll('.card')].map(c => c.classList.contains('marked'))") == [0, 1]
    shown.js("[...document.querySelectorAll('#lists button')].at(-1).click()")
    assert shown.texts(".card .name") == [file.split("/")[-1] for file in names] and shown.texts("#warning") == [""]
    shown.press("\ue014", "x")  # arrow to the right
    assert shown.texts("#marked") == ["2 selected"]
    shown.choose("score", "1")
    assert shown.texts("#warning") == ["Doubt."] and shown.texts("#explained") == ["says another"]
    shown.js("window.saved = []; URL.createObjectURL = blob => { blob.text().then(t => saved.push(t)); return '#'; }")
    shown.js("document.getElementById('save').click()")
    shown.driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert shown.js("return saved") == ["".join(f"{name}\n" for name in names[:2])]
    for place, name in enumerate(names):  # each link leads to its file
        shown.js("select(arguments[0], false)", place)
        href = shown.js("return document.querySelector('#detail .path a').href")
        assert Path(unquote(urlsplit(href).path)) == tmp_path / name and not urlsplit(href).fragment
    shown.js("select(2, false)")
    box = shown.driver.execute_async_script(
        "sprite.then(() => setTimeout(() => { const e = document.getElementById('scan');"
        "arguments[0]([e.width, e.height, e.getContext('2d').getImageData(145, 10, 1, 1).data[0]]); }, 0))"
    )
    assert box[:2] == [290, 73] and box[2] > 200  # the left edge of the third of four tiles is drawn
    shown.js("document.getElementById('clear').click()")
    assert shown.js("return document.getElementById('marking').hidden")
    assert shown.js("return document.getElementById('class').offsetParent === null")  # there are no classes
    assert shown.texts("#keys") == ["Keys: arrows, Home, End move; x selects; s turns the order; / search."]
    shown.choose("score", "2")
    assert shown.texts(".card .name")[0] == "e.png" and shown.texts("#warning") == [""]
    shown.choose("group", "groups")
    assert shown.texts(".card .group") == ["group 1", "group 1"] and "copies" in shown.texts("#detail td")
    assert shown.texts(".card .name") == [names[2], names[0]]
    shown.js("[...document.querySelectorAll('#lists button')][1].click()")
    assert shown.texts("#lines li") == [f"x.png: {NASTY}"] and shown.texts(".card") == []
    assert browser.get_log("browser") == []


def test_many_thumbnails_keep_their_limit(monkeypatch):
    monkeypatch.setattr(gallery_page, "_MOST_PNG", 1000)
    images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3)).astype(np.uint8)
    sizes = []
    for most in (1 << 20, 120_000, 30_000):
        monkeypatch.setattr(gallery_page, "_MOST_JPEG", most)
        entry = gallery_page.of_images("photos", images, ["x"] * 40, np.arange(40))
        data = base64.b64decode(entry["sprite"].split(",")[1])
        assert len(data) <= most and entry["sprite"].startswith("data:image/jpeg")
        sizes.append(entry["tile"])
    assert sizes[0] == 64 and sizes[-1] < 64
