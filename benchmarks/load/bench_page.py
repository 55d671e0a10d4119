"""How quick the page is: its first paint, and a table of 1,000 jobs that is scrolled.

Run: python benchmarks/load/bench_page.py [--jobs 1000] [--times 5]

Starts `graft serve` without workers, with so many jobs in its database, and opens the page in the
system's Chromium. Printed as JSON: milliseconds until the first contentful paint of the front page
and of the table, p50 and the longest, with an empty cache (`first`) and at a further visit
(`again`); and while the whole table is scrolled from top to bottom and back, how long frames took.
The rows are copies of one made-up job; no image is read.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import statistics
import tempfile
from pathlib import Path
from typing import Any

from machine import service
from playwright.sync_api import Browser, Page, sync_playwright

from store.columns import new_id

_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
# Two steps of a wheel a frame; a frame is from one call to the next.
_SCROLL = """async () => {
  const box = document.querySelector('.table-box');
  const frames = [];
  let last = performance.now();
  let direction = 1;
  while (true) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
    box.scrollTop += direction * 200;
    if (direction === 1 && box.scrollTop + box.clientHeight >= box.scrollHeight - 2) direction = -1;
    else if (direction === -1 && box.scrollTop === 0) break;
  }
  return frames;
}"""


def fill(data_dir: Path, count: int) -> None:
    """Put jobs into the database of a service that is stopped."""
    with sqlite3.connect(data_dir / "graft.db") as database:
        (workspace,) = database.execute("SELECT id FROM workspaces").fetchone()
        dataset_id, at = new_id("ds"), "2026-11-01 12:00:00.000000"
        _insert(
            database,
            "datasets",
            {
                "id": dataset_id,
                "workspace_id": workspace,
                "name": "copies",
                "status": "ready",
                "upload_key": "none",
                "upload_sha256": "0" * 64,
                "upload_bytes": 1,
                "image_size": 64,
                "files": "[]",
                "problems": "[]",
                "created_at": at,
            },
        )
        for number in range(count):
            status = ("succeeded", "failed", "cancelled")[number % 3]
            _insert(
                database,
                "jobs",
                {
                    "id": new_id("job"),
                    "workspace_id": workspace,
                    "kind": "study",
                    "name": f"Study number {number}",
                    "dataset_id": dataset_id,
                    "spec": "{}",
                    "resolved": "{}",
                    "advice": "[]",
                    "status": status,
                    "fraction": 1.0,
                    "created_at": at,
                    "started_at": at,
                    "finished_at": at,
                    "version": 1,
                    "priority": 0,
                },
            )


def _insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608


def paints(browser: Browser, url: str, key: str, address: str, times: int) -> dict[str, Any]:
    """Open an address over and over, each time in a browser that has never been here."""
    first, again = [], []
    for _ in range(times):
        context = browser.new_context()
        page = context.new_page()
        sign_in(page, url, key)
        page.goto("about:blank")
        # The session stays; what was kept of the page's files does not.
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
        for found in (first, again):
            page.goto(f"{url}/?{len(first) + len(again)}#{address}")
            page.locator("main h1").wait_for()
            found.append(page.evaluate(_PAINT))
        context.close()
    return {name: told(values) for name, values in (("first", first), ("again", again))}


def told(values: list[float]) -> dict[str, float]:
    """Return the middle one and the longest, milliseconds."""
    return {"p50": round(statistics.median(values)), "max": round(max(values))}


def sign_in(page: Page, url: str, key: str) -> None:
    page.goto(f"{url}/#/sign-in")
    page.get_by_label("API key").fill(key)
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Sign out").wait_for()


def scrolled(browser: Browser, url: str, key: str, count: int) -> dict[str, Any]:
    """Scroll through all jobs twice; the second time all of them have been loaded."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    sign_in(page, url, key)
    page.goto(f"{url}/#/jobs")
    page.locator("tbody tr").first.wait_for()
    rows = 0
    while rows < count:
        page.evaluate("document.querySelector('.table-box').scrollTop = 1e9")
        page.wait_for_timeout(300)
        rows = int(page.locator("table").first.get_attribute("aria-rowcount") or 1) - 1
    frames = page.evaluate(_SCROLL)
    in_page = page.locator("tbody tr").count()
    page.close()
    frames.sort()
    return {
        "rows": rows,
        "rows_in_the_page": in_page,
        "frames": len(frames),
        "frame_ms_p50": round(statistics.median(frames), 1),
        "frame_ms_p95": round(frames[int(0.95 * len(frames))], 1),
        "frame_ms_max": round(frames[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    folder = Path(tempfile.mkdtemp(prefix="graft-page-")) / "data"
    with service(folder, "--no-worker"):
        pass  # makes the database
    fill(folder, asked.jobs)
    with service(folder, "--no-worker") as (url, key, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        found = {
            "front_page_ms": paints(browser, url, key, "/", asked.times),
            "jobs_ms": paints(browser, url, key, "/jobs", asked.times),
            "scrolling": scrolled(browser, url, key, asked.jobs),
        }
        browser.close()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
