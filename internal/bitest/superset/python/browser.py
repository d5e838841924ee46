"""Shows the dashboard and a chart in a real Chromium without a window, and takes pictures of them."""

import io
import time

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

TIMEOUT = 120  # seconds for a page with its charts, on a busy machine


def show(superset, made, pictures):
    """Takes the pictures and returns, by file name, what each page showed."""
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-device-scale-factor=1"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        driver.set_page_load_timeout(TIMEOUT)
        _log_in(driver, superset)
        shown = {}
        pages = [("dashboard", "/superset/dashboard/tidemark/?standalone=1", (1280, 1220), len(made))]
        for chart, number in made:
            if chart.view == "health_day":
                pages.append((chart.view, f"/explore/?slice_id={number}", (1600, 900), 1))
        for name, path, size, charts in pages:
            driver.set_window_size(*size)
            driver.get(superset.url + path)
            shown[name] = _rendered(driver, charts)
            _save(driver, pictures / f"{name}.png")
        return shown
    finally:
        driver.quit()


def _log_in(driver, superset):
    driver.get(superset.url + "/login/")
    wait = WebDriverWait(driver, TIMEOUT)
    wait.until(lambda d: d.find_elements(By.ID, "username"))[0].send_keys(superset.user)
    driver.find_element(By.ID, "password").send_keys(superset.password + "\n")
    wait.until(lambda d: "/login" not in d.current_url)


def _rendered(driver, charts):
    """Waits until a page's charts are drawn, and returns how many are and which errors it shows."""
    drawn = ".slice_container canvas, .slice_container table"

    def done(d):
        errors = [e.text for e in d.find_elements(By.CSS_SELECTOR, ".ant-alert-error, [role=alert].error")]
        ready = len(d.find_elements(By.CSS_SELECTOR, drawn)) >= charts
        busy = d.find_elements(By.CSS_SELECTOR, ".loading")
        return {"charts": len(d.find_elements(By.CSS_SELECTOR, drawn)), "errors": errors} if errors or ready and not busy else None

    return WebDriverWait(driver, TIMEOUT).until(done)


def _save(driver, path):
    """Saves the page in 64 colours, a fifth of the size, once it stands still: charts grow into their shape."""
    before, now = None, driver.get_screenshot_as_png()
    while before != now:
        time.sleep(1)
        before, now = now, driver.get_screenshot_as_png()
    picture = Image.open(io.BytesIO(now)).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
