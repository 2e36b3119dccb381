"""The log as JSON lines says what happened, and not to whose photo."""

import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the app extra is not installed")
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from fer_demo.web import logs

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Uvicorn started in 3.5 s with 2 workers, at 12:30:45.", None),
        ("dead:beef and face are words, and is it a question?", None),
        ("could not read Anna, at the lake's side.JPG; sent again", "[file]; sent again"),
        ("first line\nopening /srv/anna müller.heic\nlast line", "first line\n[file]\nlast line"),
        ("kept in {tmp}/fer_demo_upload/ab/no suffix", "kept in [file]"),
        ("kept in {uploads}/ab/no suffix", "kept in [file]"),
        ("host=127.0.0.1:8798 and 2001:db8::1, [::1]:80.", "host=[address]:8798 and [address], [[address]]:80."),
        ("GET http://here/upload/?sid=secret&x=1 done", "GET http://here/upload/?[query] done"),
    ],
)
def test_what_says_whose_photo_it_is_goes(text, left, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setenv("GRADIO_TEMP_DIR", "/srv/uploads")
    text = text.replace("{tmp}", tempfile.gettempdir()).replace("{uploads}", "/srv/uploads")
    assert logs.redact(text) == (text if left is None else left)


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs code in a process of its own: a log belongs to the whole process."""
    variables = {k: v for k, v in os.environ.items() if k != logs.VARIABLE} | environment
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True)


SPEAK = """
import logging
from streamlit.logger import get_logger, update_formatter
early = get_logger("streamlit.early")
from fer_demo.web import logs
print(logs.configure())
update_formatter()
logs.configure()
early.warning("early, %s", "Anna Müller.jpg")
get_logger("streamlit.late").warning("late")
logging.getLogger("someone").warning("two\\nlines", extra={"name_of_visitor": "Anna"})
logging.getLogger("someone").info("not worth a line")
def read(anna="secret value"):
    try:
        open("/nowhere/Anna Müller.jpg")
    except OSError as error:
        raise ValueError("Anna again") from error
try:
    read()
except ValueError:
    logging.getLogger("fer_demo").exception("failed")
"""


@pytest.mark.processes
def test_every_line_is_json_and_none_names_a_photo():
    pytest.importorskip("streamlit", reason="the app extra is not installed")
    pytest.importorskip("pythonjsonlogger", reason="python-json-logger is not installed")
    done = run(SPEAK, **{logs.VARIABLE: "json"})
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["logger"], line["level"], line["message"]) for line in lines] == [
        ("streamlit.early", "WARNING", "[file]"),
        ("streamlit.late", "WARNING", "late"),
        ("someone", "WARNING", "two\nlines"),
        ("fer_demo", "ERROR", "failed"),
    ]
    assert all(datetime.fromisoformat(line["time"]).utcoffset().total_seconds() == 0 for line in lines)
    assert [set(line) for line in lines[:3]] == [{"time", "level", "logger", "message"}] * 3
    kinds = [(e["type"], [place.rpartition(" ")[2] for place in e["traceback"]]) for e in lines[3]["exception"]]
    assert kinds == [("builtins.ValueError", ["<module>", "read"]), ("builtins.FileNotFoundError", ["read"])]
    assert "Anna" not in done.stderr and "secret" not in done.stderr


@pytest.mark.processes
@pytest.mark.parametrize("value", ["", "text", "TEXT"])
def test_the_log_is_text_unless_asked_for(value):
    code = "import logging\nfrom fer_demo.web import logs\nprint(logs.configure())\nlogging.warning('as it was')"
    done = run(code, **{logs.VARIABLE: value})
    assert (done.stdout, done.stderr) == ("False\n", "WARNING:root:as it was\n")


def test_other_kinds_of_log_are_unknown(monkeypatch):
    monkeypatch.setenv(logs.VARIABLE, "xml")
    with pytest.raises(logs.LogError, match=r"^FER_DEMO_LOG is 'xml'; set it to json or text, or leave it out\.$"):
        logs.configure()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setenv(logs.VARIABLE, "json")
    monkeypatch.setitem(sys.modules, "pythonjsonlogger.json", None)
    with pytest.raises(logs.LogError, match="run `pip install python-json-logger`"):
        logs.configure()


def application() -> logs.RequestLog:
    def fine(_):
        return PlainTextResponse("fine")

    def broken(_):
        raise RuntimeError("Anna")

    inner = Starlette(routes=[Route("/file={path:path}", fine), Route("/", fine), Route("/broken", broken)])
    files = Starlette(routes=[Mount("/files", app=PlainTextResponse("a file"))])
    outer = Starlette(routes=[Mount("/upload", app=inner), Mount("/deep", app=files), Route("/of/{sid}", fine)])
    return logs.RequestLog(outer)


@pytest.mark.parametrize(
    ("asked", "route", "status"),
    [
        ("/upload/?sid=secret", "/upload/", 200),
        ("/upload/file=tmp/Anna.jpg", "/upload/file={path:path}", 200),
        ("/upload/broken", "/upload/broken", 500),
        ("/deep/files/Anna.jpg", "/deep/files/{path}", 200),
        ("/of/secret", "/of/{sid}", 200),
        ("/Anna.jpg", "none", 404),
    ],
)
def test_a_request_is_logged_by_its_route(asked, route, status, caplog):
    with caplog.at_level(logging.INFO, logs.REQUESTS.name):
        TestClient(application(), raise_server_exceptions=False).get(asked)
    (record,) = [record for record in caplog.records if record.name == logs.REQUESTS.name]
    assert (record.method, record.route, record.status) == ("GET", route, status)
    assert 0 <= record.milliseconds < 60_000
    assert record.getMessage() == f"GET {route} {status}"


def test_a_server_below_a_path_logs_the_same_routes(caplog):
    with caplog.at_level(logging.INFO, logs.REQUESTS.name):
        assert TestClient(application(), root_path="/fer").get("/fer/upload/").status_code == 200
    assert caplog.records[-1].route == "/upload/"


def test_the_api_is_logged_without_the_path_that_was_asked_for(caplog):
    pytest.importorskip("gradio", reason="the app extra is not installed")
    from fer_demo.web.upload import build_widget

    app = logs.RequestLog(Starlette(routes=[Mount("/upload", app=build_widget().app)]))
    with caplog.at_level(logging.INFO, logs.REQUESTS.name):
        TestClient(app).get("/upload/gradio_api/file=/tmp/Anna.jpg")
    assert caplog.records[-1].route == "/upload/{path}"
