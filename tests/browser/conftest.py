"""Fixtures of the browser tests: a real server and Chromium, without console errors or requests to other hosts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from _pytest.mark.structures import ParameterSet
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.paths import ROOT
from tests.serving import Serving, free_port, serving

# The headless shell first: the others draw windows around the pages, which takes half of the processor.
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (360, 1280, 2560)
THEMES = ("light", "dark")


def looks(*quick: tuple[int, str]) -> list[ParameterSet]:
    """Return every width in every theme; all but ``quick`` are long."""
    return [
        pytest.param(width, theme, marks=[] if (width, theme) in quick else pytest.mark.long)
        for width in WIDTHS
        for theme in THEMES
    ]


Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Launch Debian's or Playwright's Chromium; skip the tests without one."""
    program = os.environ.get("POSTERITY_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium-headless-shell, or name one by POSTERITY_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Site(Serving):
    data: Path = Path()


@dataclass(frozen=True)
class UnderPath:
    """The site behind nginx, under a path of its own."""

    address: str
    path: str


class OtherSite(ThreadingHTTPServer):
    """Another site, of two origins: the server of the sample lists the first, and not the second."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.pages: dict[str, tuple[str, str]] = {}  # path -> page, and its policy
        self.listed, self.unlisted = (f"http://{host}:{self.server_address[1]}" for host in ("127.0.0.1", "localhost"))


class _Pages(BaseHTTPRequestHandler):
    server: OtherSite

    def do_GET(self) -> None:
        page, policy = self.server.pages.get(self.path, ("", ""))
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="session")
def other_site() -> Iterator[OtherSite]:
    """Serve pages of another site, that tests write."""
    with OtherSite() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def site(demo_data: Path, other_site: OtherSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a copy of the sample. A test may add to it and change data that no other test uses."""
    data = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(demo_data, data, symlinks=True)
    limits = [word for name in ("read", "write", "upload") for word in (f"--{name}-limit", "")]
    origins = ["--cors-origins", other_site.listed]
    with serving("serve", "--data", data, "--proxies", 1, *limits, *origins) as server:
        yield Site(server.port, server.process, data=data)


@pytest.fixture(scope="session")
def nginx(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run nginx in front of the site, with the example of the documentation; return its address."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("no nginx here: apt-get install nginx-light")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    (example,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "operating.md").read_text(), re.DOTALL)
    passed_whole = example.replace("/films", "/whole").replace("8000/;", "8000;")
    locations = f"{example}\n{passed_whole}".replace("127.0.0.1:8000", f"127.0.0.1:{site.port}")
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"master_process off; pid {folder}/pid; error_log {folder}/errors; events {{}}"
        f" http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};\n{locations}\n}} }}"
    )
    command = [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "errors")]
    subprocess.run(command, check=True)  # returns once the port is open
    yield f"http://127.0.0.1:{port}"
    subprocess.run([*command, "-s", "stop"], check=True)


@pytest.fixture
def under_path(nginx: str, request: pytest.FixtureRequest) -> UnderPath:
    """Return the site under a path that nginx removes from requests, ``/films``, or passes on, ``/whole``."""
    path = getattr(request, "param", "/films")
    return UnderPath(nginx + path, path)


@dataclass(frozen=True)
class Windows:
    """Windows of one Chromium, which a test gets as if they were new: opening one takes as long as loading a page.

    Each has cookies and storage of its own. Only the cache stays: addresses of scripts and pictures have their hash.
    """

    browser: Browser
    free: list[Page]

    def take(self, *, scripts: bool = True) -> Page:
        """Return a window that no other visit of the test has."""
        if scripts and self.free:
            return self.free.pop()
        return self.browser.new_context(java_script_enabled=scripts).new_page()

    def give_back(self, page: Page, address: str, *, scripts: bool = True) -> None:
        """Remove what a test has left in a window, and close what it has opened."""
        context = page.context
        if not scripts or page.is_closed():
            context.close()
            return
        context.set_offline(False)
        page.unroute_all()
        page.emulate_media(reduced_motion="no-preference")
        page.goto(f"{address}/livez")  # a page of the origin, without scripts: those of the last would write again
        page.evaluate("sessionStorage.clear()")
        context.clear_cookies()
        chromium = context.new_cdp_session(page)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        chromium.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        chromium.detach()
        for other in context.pages:
            if other != page:
                other.close()
        self.free.append(page)


@pytest.fixture(scope="session")
def windows(browser: Browser) -> Windows:
    return Windows(browser, [])


@pytest.fixture
def visit(windows: Windows, site: Site) -> Iterator[Visit]:
    """Return a function that opens a path of the site in a window of its own; see ``visiting``."""
    with visiting(windows, site.address) as visit:
        yield visit


@pytest.fixture
def visit_under_path(windows: Windows, under_path: UnderPath) -> Iterator[Visit]:
    """Return a function that opens a path of the site behind nginx in a window of its own; see ``visiting``."""
    with visiting(windows, under_path.address) as visit:
        yield visit


@contextmanager
def visiting(windows: Windows, address: str) -> Iterator[Visit]:
    """Yield a function that opens a path below an address in a window of its own, at a width and in a theme.

    At the end, assert that no page logged an error or sent a request to any other address. With ``refused``, pages may
    log refused requests.
    """
    wrong: list[str] = []
    opened: list[tuple[Page, bool, dict[str, Callable[[Any], object]]]] = []

    def open_at(
        path: str,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "dark",
        scripts: bool = True,
        refused: bool = False,
    ) -> Page:
        page = windows.take(scripts=scripts)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]

        def note(words: str, *, fine: bool = False) -> None:
            if not fine:
                wrong.append(words)

        listeners: dict[str, Callable[[Any], object]] = {
            "console": lambda said: note(f"{said.type}: {said.text}", fine=_is_fine(said, refused=refused)),
            "pageerror": lambda error: note(f"uncaught: {error}"),
            "request": lambda request: note(f"asked {request.url}", fine=_is_ours(request.url, address)),
        }
        for event, listener in listeners.items():
            page.on(event, listener)  # type: ignore[call-overload]
        opened.append((page, scripts, listeners))
        page.goto(address + path)
        return page

    yield open_at
    for page, scripts, listeners in opened:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        windows.give_back(page, address, scripts=scripts)
    assert wrong == []


def _is_fine(said: ConsoleMessage, *, refused: bool) -> bool:
    return said.type not in {"error", "warning"} or (refused and said.text.startswith("Failed to load resource"))


def _is_ours(url: str, address: str) -> bool:
    return urlsplit(url).scheme in {"data", "about"} or url.startswith((f"{address}/", "blob:"))


def assert_accessible(page: Page) -> None:
    """Assert that no rule of axe-core is violated and nothing is wider than the window."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
