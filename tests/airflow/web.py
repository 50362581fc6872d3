"""The web pages of an Airflow cluster behind NGINX, as a browser shows them: log-in, list of DAGs, a task's log, Flower.

usage: web.py URL PASSWORD DAG RUN INDEX HOST WORKERS [DIRECTORY]    INDEX and HOST: a task and where it ran; WORKERS: host
names with commas between; DIRECTORY: for screenshots. Ends with 0 and a line for each thing that was seen, or with the page that was seen instead.
"""
import base64
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 60  # seconds


class Pages:
    """A browser, and where it looks."""

    def __init__(self, url, directory):
        self.url, self.directory = url.rstrip("/"), directory
        options = webdriver.ChromeOptions()
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,800", "--lang=en"):
            options.add_argument(word)
        self.browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))

    def get(self, path):
        self.browser.get(self.url + path)

    def until(self, what, seen):
        """Waits until something is seen, and says so. What is looked at may go away meanwhile: a page follows another one."""
        try:
            found = WebDriverWait(self.browser, PATIENCE, ignored_exceptions=[WebDriverException]).until(seen)
        except TimeoutException:
            body = self.browser.find_element(By.TAG_NAME, "body").text
            sys.exit(f"{what}: not seen at {self.browser.current_url}:\n{body[:3000]}")
        print(f"seen: {what}", flush=True)
        return found

    def shows(self, what, *texts):
        """Waits until a page has texts."""
        self.until(what, lambda browser: all(text in browser.find_element(By.TAG_NAME, "body").text for text in texts))

    def keep(self, name):
        """A screenshot."""
        if self.directory:
            self.browser.save_screenshot(str(self.directory / f"{name}.png"))


def log_in(pages, password):
    """Somebody without the password does not get in; admin does, and stays below the prefix."""
    for attempt, expected in (("wrong", "Invalid login"), (password, "DAGs")):
        pages.get("/myorg/airflow/login/")
        form = pages.until("the log-in form", lambda browser: browser.find_element(By.ID, "username"))
        form.send_keys("admin")
        pages.browser.find_element(By.ID, "password").send_keys(attempt)
        pages.browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
        pages.shows(f"`{expected}` after log-in", expected)
    path = urllib.parse.urlparse(pages.browser.current_url).path
    assert path.startswith("/myorg/airflow/"), path


def log_of(pages, dag, run, index, host):
    """The log of a task, which the worker that ran it hands out to the web server."""
    query = urllib.parse.urlencode({"dag_run_id": run, "task_id": "where", "map_index": index, "tab": "logs"})
    pages.get(f"/myorg/airflow/dags/{dag}/grid?{query}")
    pages.shows("the log of a task, from where it ran", f"task {index} runs on {host}")
    pages.keep("airflow-log")


def flower(pages, password, workers):
    """Flower is shown to whoever has the password, with all workers."""
    url = f"{pages.url}/myorg/flower/"
    try:
        urllib.request.urlopen(url)
        sys.exit("Flower lets everybody in")
    except urllib.error.HTTPError as error:
        assert error.code == 401, error
    print("seen: Flower asks for a password")
    word = base64.b64encode(f"admin:{password}".encode()).decode()
    pages.browser.execute_cdp_cmd("Network.enable", {})
    pages.browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Authorization": f"Basic {word}"}})
    pages.get("/myorg/flower/workers")
    pages.shows("Flower with every worker", *(f"celery@{worker}" for worker in workers))
    # Its styles come from below its prefix, too.
    links = pages.browser.find_elements(By.CSS_SELECTOR, "link[rel=stylesheet]")
    assert links and all("/myorg/flower/" in link.get_attribute("href") for link in links)
    pages.keep("flower")


def main(url, password, dag, run, index, host, workers, directory=None):
    pages = Pages(url, pathlib.Path(directory) if directory else None)
    try:
        health = json.load(urllib.request.urlopen(url + "/health"))
        assert {health[part]["status"] for part in ("metadatabase", "scheduler", "triggerer")} == {"healthy"}, health
        print("seen: Airflow is healthy")
        log_in(pages, password)
        pages.shows("the list of DAGs", dag)
        pages.keep("airflow-dags")
        log_of(pages, dag, run, index, host)
        flower(pages, password, workers.split(","))
    finally:
        pages.browser.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])
