#!/usr/bin/env python3
"""Drives a running page of tidegate in a real headless Chromium, as a viewer would, and says what holds.

    drive_page.py http://127.0.0.1:8080/ [--nodes 200] [--controlled NODE] [--screenshot FILE [--scheme light|dark]] [--shots DIR]

One line a check, last line `N passed, N failed`; exit code 1 if a check failed, 2 if the browser or the page cannot be
had. Needs Debian's chromium and chromium-driver, and requirements.txt beside this file. Nothing is fetched from elsewhere.
"""

import argparse
import base64
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

WIDE = (1280, 800)
SMALL = (360, 740)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)


class Failed(Exception):
    """A check that does not hold; its text is one sentence for the reader."""


class Viewer:
    """The browser, with the few words that the checks use."""

    def __init__(self, driver, url, patience):
        self.driver, self.url, self.patience = driver, url, patience

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def until(self, condition, otherwise, patience=None):
        """Waits until `condition()` is true and returns its value; fails with the sentence `otherwise`."""
        end = time.monotonic() + (patience or self.patience)
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise Failed(otherwise() if callable(otherwise) else otherwise)
            time.sleep(0.1)

    def look(self, size, scheme):
        """Sets the size of the window in CSS pixels and the colour scheme."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == SMALL})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        time.sleep(0.3)

    def forget_logs(self):
        """What the browser did before the page, at its own start, is not the page's doing."""
        self.driver.get("about:blank")
        time.sleep(0.5)
        for log in ("browser", "performance"):
            self.driver.get_log(log)

    def cells(self):
        return self.driver.find_elements(By.CSS_SELECTOR, "#fleet-grid [role=option]")

    def shown_node(self):
        return self.js("return document.getElementById('node-id').textContent")

    def selected(self):
        return self.js("return [...document.querySelectorAll('#fleet-grid [aria-selected=true]')].map(c => c.dataset.node)")

    def link(self):
        return self.js("return document.getElementById('link').dataset.state")

    def picture(self, path):
        self.js("window.scrollTo(0, 0)")
        if not self.driver.save_screenshot(path):
            raise Failed(f"the screenshot could not be written to {path}")

    def whole_picture(self, path):
        """A picture of the whole page, however long."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))


def is_live(viewer, _args):
    viewer.driver.get(viewer.url)
    viewer.until(lambda: viewer.link() == "live", lambda: f"the page says {viewer.link()!r} and not 'live'")


def nodes_appear(viewer, args):
    wanted = args.nodes or len(api(viewer.url, "api/nodes")["ids"])
    viewer.until(lambda: wanted > 0 and len(viewer.cells()) == wanted,
                 lambda: f"{len(viewer.cells())} squares in the fleet, {wanted} expected")
    bare = viewer.js("return [...document.querySelectorAll('#fleet-grid [role=option]')]"
                     ".filter(c => !/load \\d/.test(c.getAttribute('aria-label') ?? '')).length")
    if bare:
        raise Failed(f"{bare} squares do not say their load to a screen reader")


def figures_are_filled(viewer, _args):
    script = ("return Object.fromEntries([...document.querySelectorAll('#figures [data-key]')]"
              ".map(f => [f.dataset.key, f.querySelector('b')?.textContent ?? '']))")
    for key in ("nodes", "hot", "ahead", "rate", "latency", "lag"):
        viewer.until(lambda: viewer.js(script)[key] not in ("", "–"), f"the figure {key!r} stays empty")
    viewer.until(lambda: viewer.js(script)["rate"] != "0", "the page shows 0 reports a second")


def chart_moves(viewer, _args):
    script = ("return Object.fromEntries(['cpu', 'quota', 'band'].map(s => "
              "[s, document.querySelector(`#chart [data-series=${s}]`)?.getAttribute('d') ?? '']))")
    viewer.until(lambda: all(len(d) > 20 for d in viewer.js(script).values()),
                 lambda: "the chart lacks " + ", ".join(s for s, d in viewer.js(script).items() if len(d) <= 20))
    before = viewer.js(script)
    viewer.until(lambda: viewer.js(script)["cpu"] != before["cpu"], "the load line of the chart does not move")
    viewer.until(lambda: viewer.js(script)["band"] != before["band"], "the forecast band of the chart does not move")


def decisions_appear(viewer, _args):
    script = "return [...document.querySelectorAll('#decisions tr')].map(r => r.querySelector('.reason').textContent)"
    reasons = viewer.until(lambda: viewer.js(script), "no decision appears")
    if not all(reason.strip() for reason in reasons):
        raise Failed("a decision has no reason")


def click_selects(viewer, _args):
    cells = viewer.cells()
    if len(cells) < 3:
        raise Failed("a fleet of 3 nodes at least is needed to choose among")
    before = viewer.shown_node()
    cell = next(c for c in cells[1:] if c.get_attribute("data-node") != before)
    wanted = cell.get_attribute("data-node")
    cell.click()
    expect_chosen(viewer, wanted, "a click")
    viewer.js("document.getElementById('fleet-title').click()")


def keyboard_selects(viewer, _args):
    before = viewer.shown_node()
    active = viewer.driver.switch_to.active_element
    if active.get_attribute("data-node") != before:
        raise Failed("after a click the square does not have the focus")
    step = Keys.ARROW_RIGHT if viewer.js("return document.activeElement.nextElementSibling !== null") else Keys.ARROW_LEFT
    active.send_keys(step)
    wanted = viewer.js("return document.activeElement.dataset.node ?? null")
    if wanted in (None, before):
        raise Failed("an arrow key does not move the focus to another node")
    if viewer.js("return getComputedStyle(document.activeElement).outlineStyle") == "none":
        raise Failed("the focus of a square cannot be seen")
    if viewer.shown_node() != before:
        raise Failed("an arrow key alone already selects")
    viewer.driver.switch_to.active_element.send_keys(Keys.ENTER)
    expect_chosen(viewer, wanted, "Enter")


def control_shows(viewer, args):
    """A node under an operator's control is marked, says so in words, and tells what, who and why."""
    if not args.controlled:
        return
    cell = f"document.querySelector('#fleet-grid [data-node=\"{args.controlled}\"]')"
    viewer.until(lambda: viewer.js(f"return {cell}?.dataset.control") == "c", f"{args.controlled} is not marked")
    if viewer.js(f"return getComputedStyle({cell}, '::before').content") == "none":
        raise Failed("the mark of a control cannot be seen")
    if "control" not in viewer.js(f"return {cell}.getAttribute('aria-label')"):
        raise Failed("a square under a control does not say so to a screen reader")
    viewer.js(f"{cell}.click()")
    expect_chosen(viewer, args.controlled, "a click")
    words = "return document.getElementById('node-controls').offsetParent && document.getElementById('node-controls').textContent"
    said = viewer.until(lambda: viewer.js(words), f"the control of {args.controlled} is not told")
    if not all(word in said for word in ("override 1500", "alice", "browser")):
        raise Failed(f"the control is told as {said!r}")
    why = "return document.getElementById('node-why').textContent"
    viewer.until(lambda: "1,500" in viewer.js(why) and "alice" in viewer.js(why), lambda: f"the decision says {viewer.js(why)!r}")
    other = viewer.js("return [...document.querySelectorAll('#fleet-grid [role=option]')].find(c => c.dataset.control === '-').dataset.node")
    viewer.js(f"document.querySelector('#fleet-grid [data-node=\"{other}\"]').click()")
    expect_chosen(viewer, other, "a click")
    viewer.until(lambda: viewer.js("return document.getElementById('node-controls').hidden"), f"{other} shows a control that it has not")


def arrows_move_by_rows(viewer, _args):
    box = "const b = document.activeElement.getBoundingClientRect(); return [Math.round(b.x), Math.round(b.y)]"
    viewer.cells()[0].click()
    x, y = viewer.js(box)
    viewer.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    to = viewer.js(box)
    rows = viewer.js("return new Set([...document.querySelectorAll('#fleet-grid [role=option]')].map(c => c.offsetTop)).size")
    if rows > 1 and not (abs(to[0] - x) <= 1 and to[1] != y):
        raise Failed(f"arrow down moves the focus from {(x, y)} to {tuple(to)}, not to the square below")


def expect_chosen(viewer, wanted, by):
    viewer.until(lambda: viewer.shown_node() == wanted, lambda: f"{by} on {wanted} shows {viewer.shown_node()}")
    if viewer.selected() != [wanted]:
        raise Failed(f"{by} on {wanted} marks {viewer.selected()}")


def address_names_the_node(viewer, _args):
    wanted = viewer.shown_node()
    viewer.driver.refresh()
    viewer.until(lambda: viewer.shown_node() == wanted, f"after a reload the page no longer shows {wanted}")


def alert_decision_and_trace_are_linked(viewer, args):
    """From the node's alert to its decision, from there to the trace, and from the trace back to the node."""
    if not args.controlled:
        return
    viewer.js(f"document.querySelector('#fleet-grid [data-node=\"{args.controlled}\"]').click()")
    expect_chosen(viewer, args.controlled, "a click")
    find = "[...document.querySelectorAll('%s')].find(b => b.textContent.startsWith('%s'))"
    alerts = "return document.getElementById('node-alerts').textContent"
    viewer.until(lambda: "NodeCpuHigh fires since" in viewer.js(alerts), lambda: f"the alert is told as {viewer.js(alerts)!r}")
    to_decision = find % ("#node-alerts li:has(button[data-trace]) button", "decision")
    viewer.until(lambda: viewer.js(f"return !!{to_decision}"), "the alert does not lead to its decision and its trace")
    viewer.js(f"{to_decision}.click()")
    row = "document.activeElement.closest('#decisions tr')"
    said = viewer.until(lambda: viewer.js(f"return {row}?.textContent"), "the alert's decision is not brought into view")
    if "1,500" not in said or "alert NodeCpuHigh" not in said:
        raise Failed(f"the alert leads to the decision {said!r}")
    viewer.js(f"{row}.querySelector('[data-trace]').click()")
    # Where the trace was sampled, spans of tidegate's own stand there as well.
    own = "[...document.querySelectorAll('#trace-spans li')].filter(l => l.offsetParent && l.textContent.startsWith('unknown_service'))"
    names = f"return {own}.map(l => l.querySelector('.name').textContent)"
    viewer.until(lambda: len(viewer.js(names)) == 3, lambda: f"the trace shows the spans {viewer.js(names)}")
    if [name.split(" ", 1)[1] for name in viewer.js(names)] != ["GET /cart", "price", "read"]:
        raise Failed(f"the spans stand as {viewer.js(names)}")
    boxes = viewer.js(f"return {own}.map(l => l.querySelector('i').getBoundingClientRect()).map(box => [box.left, box.width])")
    shares = [width / boxes[0][1] for _, width in boxes]
    alone = viewer.js("return document.querySelectorAll('#trace-spans li').length") == len(boxes)
    if alone and not (boxes[0][0] < boxes[1][0] < boxes[2][0] and abs(shares[1] - 1 / 3) < 0.02 and abs(shares[2] - 1 / 9) < 0.02):
        raise Failed(f"the bars do not show when and how long: {boxes}")
    other = viewer.js("return [...document.querySelectorAll('#fleet-grid [role=option]')].find(c => c.dataset.control === '-').dataset.node")
    for way in ("decision for", "alert NodeCpuHigh of"):
        viewer.js(f"document.querySelector('#fleet-grid [data-node=\"{other}\"]').click()")
        expect_chosen(viewer, other, "a click")
        viewer.js(f"{find % ('#trace-ways button', way)}.click()")
        expect_chosen(viewer, args.controlled, f"the way {way!r}")


def no_overflow(scheme, size):
    def check(viewer, _args):
        viewer.look(size, scheme)
        wide = viewer.js("const w = document.documentElement; return [w.scrollWidth, w.clientWidth]")
        if wide[0] > wide[1]:
            who = viewer.js("return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > "
                            "arguments[0] + 1).slice(0, 3).map(e => (e.tagName + ' ' + e.className).trim())", size[0])
            raise Failed(f"the page is {wide[0]} px wide in {wide[1]} px: {', '.join(who)}")
        contrast = viewer.js(CONTRAST)
        if contrast < 4.5:
            raise Failed(f"text has a contrast of {contrast:.1f} to the ground; 4.5 is the least")
    check.__name__ = f"no overflow, readable text: {scheme}, {size[0]} px"
    return check


# The smallest contrast (WCAG 2) of a text-bearing element to the nearest opaque ground behind it.
CONTRAST = """
const parse = c => (c.match(/[\\d.]+/g) ?? []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
const texts = [...document.querySelectorAll('h1,h2,p,dt,b,small,li,td,th,.chip,button')]
  .filter(e => e.offsetParent && e.textContent.trim() && !e.closest('.stale'));
return Math.min(...texts.map(e => { const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }));
"""


def schemes_differ(viewer, _args):
    grounds = []
    for scheme in ("light", "dark"):
        viewer.look(WIDE, scheme)
        grounds.append(viewer.js("return getComputedStyle(document.body).backgroundColor"))
    if grounds[0] == grounds[1]:
        raise Failed(f"light and dark have the same ground, {grounds[0]}")


def no_console_error(viewer, _args):
    errors = [entry["message"] for entry in viewer.driver.get_log("browser") if entry["level"] == "SEVERE"]
    if errors:
        raise Failed(f"{len(errors)} errors in the console, first: {errors[0]}")


def no_other_host(viewer, _args):
    own = urlsplit(viewer.url).netloc
    asked = set()
    for entry in viewer.driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"])
    if not any(urlsplit(url).path == "/events" for url in asked):
        raise Failed("the browser's log does not hold the request for /events, so it proves nothing")
    foreign = sorted(url for url in asked if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != own)
    if foreign:
        raise Failed(f"the page asks other hosts: {', '.join(foreign[:3])}")


def lost_connection_shows(viewer, _args):
    cdp = viewer.driver.execute_cdp_cmd
    cdp("Network.enable", {})
    cdp("Network.setBlockedURLs", {"urls": ["*/events"]})
    try:
        viewer.driver.refresh()
        viewer.until(lambda: viewer.link() == "lost", lambda: f"without /events the page says {viewer.link()!r}, not 'lost'")
        words = viewer.js("return document.getElementById('link').textContent.trim()")
        if "retrying" not in words:
            raise Failed(f"the lost connection is told as {words!r}")
    finally:
        cdp("Network.setBlockedURLs", {"urls": []})
    viewer.until(lambda: viewer.link() == "live", "the page does not come back to life with the connection")


CHECKS = (
    is_live, nodes_appear, figures_are_filled, chart_moves, decisions_appear, click_selects, keyboard_selects,
    arrows_move_by_rows, control_shows, address_names_the_node, alert_decision_and_trace_are_linked,
    schemes_differ, no_overflow("light", WIDE), no_overflow("dark", WIDE),
    no_overflow("light", SMALL), no_overflow("dark", SMALL), no_console_error, no_other_host, lost_connection_shows,
)


def api(url, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url.rstrip("/") + "/" + path), timeout=10) as answer:
        return json.load(answer)


def browser(args, profile):
    options = webdriver.ChromeOptions()
    options.binary_location = args.chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(executable_path=args.chromedriver))


def run(viewer, args):
    passed = failed = 0
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        try:
            check(viewer, args)
        except Failed as why:
            failed += 1
            print(f"FAIL  {name}: {why}")
        except (WebDriverException, urllib.error.URLError) as error:
            failed += 1
            print(f"FAIL  {name}: {str(error).splitlines()[0]}")
        else:
            passed += 1
            print(f"ok    {name}")
    return passed, failed


def pictures(viewer, args):
    """Pictures are of a page as a newcomer meets it: with the node that the page chooses."""
    viewer.driver.get(viewer.url.split("#")[0] + "?picture")
    viewer.look(WIDE, args.scheme)
    viewer.until(lambda: viewer.link() == "live" and viewer.js("return !!document.querySelector('#chart [data-series=cpu]')"),
                 "the page draws no chart to take a picture of")
    time.sleep(args.settle)
    if args.screenshot:
        viewer.picture(args.screenshot)
    for scheme in ("light", "dark") if args.shots else ():
        for size in (WIDE, SMALL):
            viewer.look(size, scheme)
            viewer.whole_picture(os.path.join(args.shots, f"{scheme}-{size[0]}.png"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="address of the running page")
    parser.add_argument("--nodes", type=int, help="nodes that must appear (default: as many as /api/nodes has)")
    parser.add_argument("--controlled", metavar="NODE", help="a node that `tidegate control` has put under an override of 1500 by alice, with an alert and a trace of three spans")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds to wait for what must happen (30)")
    parser.add_argument("--screenshot", metavar="FILE", help="write a picture of 1280×800")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light", help="colours of the picture (light)")
    parser.add_argument("--settle", type=float, default=6.0, help="seconds before the picture (6)")
    parser.add_argument("--shots", metavar="DIR", help="write pictures in light and dark, wide and small, for whoever changes the page")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--chromedriver", default="/usr/bin/chromedriver")
    args = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,[::1]"
    try:
        api(args.url, "api/nodes")
    except (OSError, ValueError) as error:
        print(f"no tidegate page answers at {args.url}: {error}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="tidegate-page-", ignore_cleanup_errors=True) as profile:
        try:
            driver = browser(args, profile)
        except WebDriverException as error:
            print(f"the browser does not start: {str(error).splitlines()[0]}", file=sys.stderr)
            return 2
        try:
            viewer = Viewer(driver, args.url, args.patience)
            viewer.look(WIDE, "light")
            viewer.forget_logs()
            passed, failed = run(viewer, args)
            if args.screenshot or args.shots:
                try:
                    pictures(viewer, args)
                except Failed as why:
                    failed += 1
                    print(f"FAIL  picture: {why}")
        finally:
            driver.quit()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
