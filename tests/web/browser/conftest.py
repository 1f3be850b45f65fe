"""Fixtures: both pages in a browser."""

import os
import shutil
import threading
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from wideband.command import UserError
from wideband.web.build import build

ROOT = Path(__file__).parents[3]
# Until a test gives up; machines that build something else at the same time are slow.
MILLISECONDS = 600_000
# By preference; Playwright's own download of a browser is not needed.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_OPTIONS = [
    # Tests in containers run as root, where Chromium's sandbox does not start.
    "--no-sandbox",
    "--disable-gpu",
    # Nothing but the page is to be loaded.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    # A microphone that beeps, and is allowed.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


def find_browser():
    """Returns the path of a browser.

    Without one, the test is skipped, or fails in continuous integration, where nobody would notice.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    return path or unavailable("no browser: install Chromium, on Debian with apt install chromium")


def unavailable(reason):
    """Skips the test, or fails it in continuous integration."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def static_page(tmp_path_factory):
    """The address of the page that restores in the browser, on a server of plain files."""
    folder = tmp_path_factory.mktemp("static") / "try"
    try:
        build(folder, ROOT / "build" / "npm")
    except UserError as error:
        unavailable(str(error))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def browser():
    """A headless browser."""
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=BROWSER_OPTIONS, timeout=MILLISECONDS
        )
        yield browser
        browser.close()


@contextmanager
def window(browser):
    """Opens a window, whose pages share nothing with those of another one."""
    with browser.new_context() as context:
        context.set_default_timeout(MILLISECONDS)
        yield context


@pytest.fixture
def blank(browser):
    """An empty page."""
    with window(browser) as context:
        yield context.new_page()


class Page:
    """A page in the browser, and what a user does with it."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.errors, self.requests = [], []
        page.on("pageerror", lambda error: self.errors.append(error))
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)
        page.wait_for_selector("#input:not([hidden])")

    def open(self, file):
        """Chooses a file; returns what the page says about it."""
        self.page.set_input_files("#file", file)
        self.page.wait_for_selector("#restoring:not([hidden]), #error:not(:empty)")
        return self.text("#facts") or self.text("#error")

    def restore(self, network):
        """Restores the recording; returns what the page says about it."""
        self.page.select_option("#network", network)
        self.page.click("#restore")
        return self.restored()

    def restored(self):
        """Waits for the end of a restoration; returns what the page says about it."""
        self.page.wait_for_selector("#cancel", state="hidden")
        return self.text("#result") or self.text("#error")

    def download(self, folder):
        """Downloads the restored recording."""
        with self.page.expect_download() as download:
            self.page.click("#download")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def text(self, selector):
        return self.page.inner_text(selector)

    def check(self):
        """Checks that there were no errors, and that nothing left the machine or came from afar."""
        assert not self.errors
        assert all(url.startswith((self.address, "blob:", "data:")) for url in self.requests)


@pytest.fixture
def new_page(browser, server):
    """A new page of wideband-demo, for tests that change more than the recording."""
    with window(browser) as context:
        page = Page(context.new_page(), server.address)
        yield page
        page.check()


@pytest.fixture(params=["static", "served"])
def alone(request, browser):
    """Each of the two pages, in a window of its own, where no other page can take the focus."""
    if request.param == "static":
        address = request.getfixturevalue("static_page")
    else:
        address = request.getfixturevalue("server").address
    with window(browser) as context:
        page = Page(context.new_page(), address)
        yield page
        page.check()


@pytest.fixture(scope="session")
def pages(browser):
    """Returns a function that opens a page once; a new recording replaces all that is on it."""
    with window(browser) as context:
        yield cache(lambda address: Page(context.new_page(), address))


@pytest.fixture
def static(pages, static_page):
    """The page that restores in the browser."""
    page = pages(static_page)
    page.page.bring_to_front()
    yield page
    page.check()


@pytest.fixture
def served(pages, server):
    """The page of wideband-demo."""
    page = pages(server.address)
    page.page.bring_to_front()
    yield page
    page.check()


@pytest.fixture(params=["static", "served"])
def page(request):
    """Each of the two pages."""
    return request.getfixturevalue(request.param)
