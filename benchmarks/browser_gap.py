"""How far the scores of the page in the browser are from the library's.

    iqa-zoo web page --no-serve
    python benchmarks/browser_gap.py ../shared/data page

Chromium reads the same files as in mediapipe_gap.py: 100 photos of LIVE In the Wild,
and 20 of other sizes and shapes. Needs Debian's chromium and the package playwright.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from machine import record
from mediapipe_gap import chosen, made
from playwright import sync_api as playwright

import iqa_zoo

WAIT = 120_000  # milliseconds, for the largest photos on a machine that is busy


def main() -> None:
    """Judge all photos in the page and record the differences."""
    shared, folder = Path(sys.argv[1]), sys.argv[2]
    with (
        tempfile.TemporaryDirectory() as pictures,
        subprocess.Popen(
            [sys.executable, "-m", "iqa_zoo", "web", folder, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        ) as server,
        playwright.sync_playwright() as driver,
    ):
        try:
            address = server.stdout.readline().strip()
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page()
            page.set_default_timeout(WAIT)
            page.goto(address)
            page.wait_for_selector("body[data-state=ready]")
            results = {
                "clive": compared(page, chosen(shared / "clive")),
                "other": compared(page, made(shared / "kodak", Path(pictures))),
            }
            version = browser.version
            browser.close()
        finally:
            server.terminate()
    record("browser.json", {"chromium": version, **results})


def compared(page: playwright.Page, names: list[str]) -> dict[str, object]:
    """Mean and largest difference of scores, and the file of the largest."""
    apart = []
    for score in iqa_zoo.score(names):
        page.set_input_files("#file", score.path)
        page.wait_for_selector("body:is([data-state=done], [data-state=failed])")
        if page.get_attribute("body", "data-state") == "failed":
            raise SystemExit(f"{score.path}: {page.text_content('#problem')}")
        shown = float(page.get_attribute("#score", "value"))
        apart.append(abs(shown - score.value))
    return {
        "photos": len(apart),
        "mean": round(float(np.mean(apart)), 4),
        "max": round(float(np.max(apart)), 4),
        "largest": Path(names[int(np.argmax(apart))]).stem,
    }


if __name__ == "__main__":
    main()
