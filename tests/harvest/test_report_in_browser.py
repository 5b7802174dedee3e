"""The page of `harvest report` as a browser shows it: silent, deaf to strangers, and handy to pick from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harvest.browser import CHROMIUM, Page, chromium
from tests.harvest.test_report import EVIL, PAIRS_OF_EACH, VIDEOS, made, sample, write
from tests.harvest.test_report import shards as shards  # the fixture

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

SHOWN = "[...document.querySelectorAll('#pairs .card')].filter(card => card.checkVisibility()).length"


@pytest.fixture(scope="module")
def browser(shards: Path) -> Iterator[Page]:
    made(shards)
    with chromium(shards.parent) as page:
        yield page


@pytest.fixture
def page(browser: Page, shards: Path) -> Page:
    """The page, freshly opened, with nothing rejected."""
    browser.events.clear()
    browser.open(shards.parent / "report.html")
    browser.run("localStorage.clear()")
    browser.events.clear()
    browser.open(shards.parent / "report.html")
    return browser


def enter(page: Page, name: str, value: str) -> None:
    page.run(f"filter.elements.{name}.value = {value!r}; filter.dispatchEvent(new Event('input'))")


def test_the_page_asks_for_nothing_and_the_browser_has_nothing_to_complain_of(page: Page, shards: Path) -> None:
    assert page.requests() == [(shards.parent / "report.html").as_uri()]
    assert page.complaints() == []
    assert page.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.run("getComputedStyle(document.querySelector('.cards')).display") == "grid"


def test_strangers_words_do_nothing_and_are_read_as_they_are(page: Page) -> None:
    assert page.run("window.owned") is None
    assert EVIL in page.run("document.querySelector('.title').textContent")
    assert page.run("document.querySelectorAll('script, iframe, object, embed, base').length") == 1


def test_a_script_that_got_into_the_page_all_the_same_would_not_run(page: Page) -> None:
    page.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned = 1\">')")
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'owned = 1'}))")
    page.run("fetch('https://evil.example/').catch(() => 0)")
    assert page.run("window.owned") is None
    assert sum("Content Security Policy" in complaint for complaint in page.complaints()) >= 3
    assert not [url for url in page.requests() if not url.startswith("file:")]


def test_words_reasons_and_videos_narrow_what_is_shown(page: Page) -> None:
    assert page.run(SHOWN) == VIDEOS * PAIRS_OF_EACH
    enter(page, "text", "CAPTION of  3 video")
    assert page.run(SHOWN) == PAIRS_OF_EACH + VIDEOS - 2  # of video 3, and the third of each other that is called so
    enter(page, "text", "")
    enter(page, "video", "link-2")
    assert page.run(SHOWN) == PAIRS_OF_EACH
    enter(page, "status", "too_short")
    assert page.run(SHOWN) == 0
    enter(page, "video", "")
    assert page.run("[...document.querySelectorAll('.card')].filter(card => card.checkVisibility()).length") == 1


def test_a_rejected_pair_stays_so_when_the_page_is_opened_again(page: Page, shards: Path) -> None:
    page.run("document.querySelector('[data-name=\"link-2@14.000\"] button').click()")
    page.events.clear()
    page.open(shards.parent / "report.html")
    assert page.run("[...document.querySelectorAll('.rejected')].map(card => card.dataset.name)") == ["link-2@14.000"]
    page.run("document.querySelector('.rejected button').click()")
    assert page.run("document.querySelectorAll('.rejected').length") == 0
    assert page.run("document.getElementById('export').disabled")


def test_what_is_rejected_by_a_click_is_listed_by_name_in_a_file(tmp_path: Path, browser: Page) -> None:
    write(tmp_path / "set", [sample(video, place) for video in (1, 2) for place in range(2)])
    made(tmp_path / "set")
    browser.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path), eventsEnabled=True)
    browser.events.clear()
    browser.open(tmp_path / "report.html")
    for name in ("link-2@14.000", "link-1@4.000"):
        browser.run(f"document.querySelector('[data-name=\"{name}\"] button').click()")
    browser.run("document.getElementById('export').click()")
    browser.wait_for("Browser.downloadProgress", state="completed")
    assert (tmp_path / "rejected.txt").read_text(encoding="utf-8") == "link-1@4.000\nlink-2@14.000\n"
