"""P7: only this user drives the daemon. Every route, on a real socket, asked in every wrong way."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.http.routes.table import ROUTES
from mtbsync_daemon.http.security import Access
from support.served import TOKEN, Reply, Served, served

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNKNOWN = (
    "/nowhere",
    "/api/v1/",
    "/api/v1/nothing",
    "/api/v2/jobs",
    "/%2e%2e/%2e%2e/daemon.json",
    "/app.js/../daemon.json",
    "//evil.example/",
    "/.git/config",
)
PATHS = sorted({re.sub(r"{\w+}", "x", route.path) for route in ROUTES})
NEVER = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Credentials",
    "Server",
)
SOME = (("GET", "/"), ("GET", "/api/v1/events"), ("POST", "/api/v1/syncs"), ("GET", "/nowhere"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("daemon")) as found:
        found.film("RIDE.MP4")
        yield found


@pytest.fixture
def cookie(daemon: Served) -> str:
    """What a browser that was let in sends."""
    reply = daemon.ask("GET", _code_path(daemon), headers={"Authorization": None})
    return reply.headers["Set-Cookie"].partition(";")[0]


def _code_path(daemon: Served) -> str:
    url = str(daemon.post("/login-codes")["url"])
    return url.removeprefix(daemon.url)


def _every() -> list[tuple[str, str]]:
    return [(method, path) for path in (*PATHS, *UNKNOWN) for method in METHODS]


def _is_refused(reply: Reply, status: int) -> bool:
    own = reply.headers.get("Content-Type") in ("application/problem+json", "text/html; charset=utf-8")
    return reply.status == status and own and not any(name in reply.headers for name in NEVER)


# --- the matrix -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1"])
def test_p7_a_host_of_another_name_gets_nothing_from_any_route(daemon: Served, host: str) -> None:
    for method, path in _every():
        reply = daemon.ask(method, path, headers={"Host": host.format(port=daemon.port)})
        assert _is_refused(reply, 421), (method, path, reply)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost.evil.example:{port}",
        "127.0.0.1.:{port}",
        "0.0.0.0:{port}",
        "[::]:{port}",
        "user@127.0.0.1:{port}",
        "127.0.0.1:{port}/",
        "127.0.0.1:{port}, evil.example",
        "",
        None,
    ],
)
def test_p7_a_host_is_one_of_three_to_the_letter(daemon: Served, host: str | None) -> None:
    named = None if host is None else host.format(port=daemon.port)
    for method, path in SOME:
        # Some are no names at all, which is found before anything else.
        assert daemon.ask(method, path, headers={"Host": named}).status in (400, 421), (method, path)


def test_p7_old_http_without_a_host_gets_nothing_either(daemon: Served) -> None:
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(f"GET / HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert connection.recv(4096).split()[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    ],
    ids=str,
)
def test_p7_a_page_of_another_site_gets_nothing_from_any_route_even_with_the_token(
    daemon: Served, headers: dict[str, str]
) -> None:
    sent = {name: value.format(port=daemon.port) for name, value in headers.items()}
    for method, path in _every():
        assert _is_refused(daemon.ask(method, path, headers=sent), 403), (method, path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "Same-Origin"),
        ("Sec-Fetch-Site", ""),
        ("Origin", "null"),
        ("Origin", ""),
        ("Origin", "https://127.0.0.1:{port}"),
        ("Origin", "http://127.0.0.1"),
        ("Origin", "http://127.0.0.1:{port}/"),
        ("Origin", "http://127.0.0.1:{port}.evil.example"),
        ("Origin", "http://localhost:{port}"),
    ],
)
def test_p7_where_a_page_comes_from_is_its_own_to_the_letter(daemon: Served, name: str, value: str) -> None:
    for method, path in SOME:
        reply = daemon.ask(method, path, headers={name: value.format(port=daemon.port)})
        assert _is_refused(reply, 403), (method, path)


@pytest.mark.parametrize("authorization", [None, "Bearer wrong"])
def test_p7_without_the_token_nothing_is_told_not_even_what_there_is(
    daemon: Served, authorization: str | None
) -> None:
    for method, path in _every():
        reply = daemon.ask(method, path, headers={"Authorization": authorization})
        if (method, path) == ("GET", "/login"):
            assert reply.status == 400
        else:
            assert _is_refused(reply, 401), (method, path, reply)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        "Bearer \xe9",
    ],
)
def test_p7_the_token_counts_to_the_letter(daemon: Served, authorization: str) -> None:
    for method, path in SOME:
        reply = daemon.ask(method, path, headers={"Authorization": authorization})
        assert _is_refused(reply, 401), (method, path)


def test_p7_with_all_right_every_route_answers_and_unknown_ones_are_not_there(daemon: Served) -> None:
    known = {(route.method, re.sub(r"{\w+}", "x", route.path)) for route in ROUTES}
    for (method, path), site in product(sorted(known), (None, "none", "same-origin")):
        if path == "/api/v1/events":
            continue
        reply = daemon.ask(method, path, headers={"Sec-Fetch-Site": site})
        assert reply.status not in (401, 403, 421, 405, 500) or path == "/login", (method, path, reply)
    for method, path in _every():
        if path in UNKNOWN:
            reply = daemon.ask(method, path)
            assert reply.status == 404, (method, path)
            assert method == "HEAD" or reply.json["detail"] == "There is no such page."
        elif method not in ("HEAD", "OPTIONS") and (method, path) not in known:
            assert daemon.ask(method, path).status == 405, (method, path)


def test_p7_options_permits_nothing(daemon: Served) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    for path in PATHS:
        reply = daemon.ask("OPTIONS", path, headers=asked)
        assert reply.status == 405
        assert not any(name in reply.headers for name in NEVER)


def test_p7_a_whole_address_in_the_first_line_does_not_count_for_the_host(daemon: Served) -> None:
    for address in (f"http://evil.example:{daemon.port}", f"http://127.0.0.1:{daemon.port}"):
        assert daemon.ask("GET", f"{address}/api/v1/health").status in (400, 421)


def test_p7_two_hosts_two_origins_or_two_tokens_are_one_too_many(daemon: Served) -> None:
    own = f"127.0.0.1:{daemon.port}"
    for name, values in {
        "Host": (own, "evil.example"),
        "Origin": (f"http://{own}", "http://evil.example"),
        "Authorization": (f"Bearer {TOKEN}", "Bearer wrong"),
    }.items():
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
        connection.putrequest("GET", "/api/v1/health", skip_host=True)
        usual = {"Host": own, "Authorization": f"Bearer {TOKEN}"}
        for header, value in usual.items():
            if header != name:
                connection.putheader(header, value)
        for value in values:
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status in (400, 401, 403, 421)
        connection.close()


def test_p7_all_names_of_this_computer_do(daemon: Served) -> None:
    for name in ("127.0.0.1", "localhost", "LocalHost", "[::1]"):
        host = f"{name}:{daemon.port}"
        sent = {"Host": host, "Origin": f"http://{host.lower()}", "Sec-Fetch-Site": "same-origin"}
        assert daemon.ask("GET", "/api/v1/health", headers=sent).status == 200


def test_p7_it_listens_on_loopback_only(daemon: Served) -> None:
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with pytest.raises(ConnectionError), socket.create_connection((str(address), daemon.port), timeout=5):
            pass


def test_every_answer_tells_the_browser_what_it_may_do(daemon: Served) -> None:
    for path in ("/", "/app.js", "/style.css", "/api/v1/health", "/api/v1/metrics", "/nowhere", "/login"):
        reply = daemon.ask("GET", path)
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert "unsafe" not in reply.headers["Content-Security-Policy"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] == "no-store"
        assert not any(name in reply.headers for name in NEVER)


def test_the_page_needs_no_more_than_its_policy_allows() -> None:
    page = (Path(__file__).parents[2] / "daemon" / "mtbsync_daemon" / "web" / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=\"/)|<style|\son\w+=|\sstyle=|https?://", page)


def test_head_says_what_get_says_and_nothing_more(daemon: Served) -> None:
    for path in ("/", "/app.js", "/api/v1/health", "/api/v1/recordings", "/nowhere", "/api/v1/events"):
        head = daemon.ask("HEAD", path)
        assert head.body == b""
        if path != "/api/v1/events":
            get = daemon.ask("GET", path)
            assert (head.status, head.headers["Content-Type"]) == (get.status, get.headers["Content-Type"])
            assert head.headers["Content-Length"] == get.headers["Content-Length"]


# --- a browser ------------------------------------------------------------------------------------


def test_p7_a_code_lets_a_browser_in_once(daemon: Served) -> None:
    path = _code_path(daemon)
    first = daemon.ask("GET", path, headers={"Authorization": None, "Sec-Fetch-Site": "none"})
    assert (first.status, first.headers["Location"]) == (303, "/")
    name, _, flags = first.headers["Set-Cookie"].partition("=")
    assert name == f"mtbsync-{daemon.port}"
    assert {flag.strip() for flag in flags.split(";")[1:]} == {"HttpOnly", "SameSite=Strict", "Path=/"}
    again = daemon.ask("GET", path, headers={"Authorization": None, "Accept": "text/html"})
    assert again.status == 403
    assert "Set-Cookie" not in again.headers
    assert b"has been used or is too old" in again.body


def test_p7_codes_end_after_a_minute_and_only_the_newest_are_kept() -> None:
    now = [1000.0]
    access = Access(TOKEN, clock=lambda: now[0])
    code = access.new_code()
    now[0] += 59
    assert access.is_session(access.begin_session(code))
    code = access.new_code()
    now[0] += 61
    with pytest.raises(Problem, match="too old"):
        access.begin_session(code)
    codes = [access.new_code() for _ in range(17)]
    with pytest.raises(Problem):
        access.begin_session(codes[0])
    assert access.is_session(access.begin_session(codes[1]))


def test_p7_a_session_ends_after_thirty_days() -> None:
    now = [1000.0]
    access = Access(TOKEN, clock=lambda: now[0])
    session = access.begin_session(access.new_code())
    now[0] += 30 * 86400 - 1
    assert access.is_session(session)
    now[0] += 2
    assert not access.is_session(session)


def test_p7_a_code_is_got_with_the_token_only(daemon: Served) -> None:
    assert daemon.ask("POST", "/api/v1/login-codes", headers={"Authorization": None}).status == 401
    assert daemon.ask("GET", "/login?code=guess", headers={"Authorization": None}).status == 403


def test_the_cookie_opens_the_page_and_reads(daemon: Served, cookie: str) -> None:
    browser = {"Authorization": None, "Cookie": f"other=1; {cookie}"}
    for path in ("/", "/web/js/main.js", "/web/css/base.css", "/api/v1/recordings", "/api/v1/health"):
        assert daemon.ask("GET", path, headers=browser).status == 200


def test_p7_the_cookie_changes_things_for_mtbsync_s_own_page_only(daemon: Served, cookie: str) -> None:
    browser = {"Authorization": None, "Cookie": cookie}
    path, own = "/api/v1/folders/look", f"http://127.0.0.1:{daemon.port}"
    assert _is_refused(daemon.ask("POST", path, headers=browser), 403)
    assert _is_refused(daemon.ask("POST", path, headers=browser | {"Sec-Fetch-Site": "none"}), 403)
    assert daemon.ask("POST", path, headers=browser | {"Origin": own}).status == 200
    assert daemon.ask("POST", path, headers=browser | {"Sec-Fetch-Site": "same-origin"}).status == 200
    for method, route in _every():
        if method not in ("GET", "HEAD", "OPTIONS"):
            assert _is_refused(daemon.ask(method, route, headers=browser), 403), (method, route)


def test_p7_a_cookie_of_another_daemon_or_made_up_is_none(daemon: Served, cookie: str) -> None:
    value = cookie.partition("=")[2]
    for other in (f"mtbsync-1={value}", f"mtbsync-{daemon.port}=x", f"mtbsync={value}", f"{cookie}x"):
        assert _is_refused(daemon.ask("GET", "/", headers={"Authorization": None, "Cookie": other}), 401)
    wrong = {"Authorization": "Bearer wrong", "Cookie": cookie}
    assert _is_refused(daemon.ask("GET", "/", headers=wrong), 401)


def test_a_person_gets_a_sentence_on_a_page(daemon: Served) -> None:
    reply = daemon.ask("GET", "/", headers={"Authorization": None, "Accept": "text/html"})
    assert (reply.status, reply.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b"Open mtbsync with the link" in reply.body


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b'{"recording": "\\ud800"}', {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"null", {}, 422),
        (b"[]", {}, 422),
        (b"{}", {}, 422),
        (b'{"recording": 7}', {}, 422),
        (b'{"recording": "x", "more": 1}', {}, 422),
        (b'{"recording": "a\\u0000b"}', {}, 422),
        (b'{"recording": "x"}', {"Content-Type": "text/plain"}, 415),
        (b'{"recording": "x"}', {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b'{"recording": "x"}', {"Content-Type": None}, 415),
        (b'{"recording": "x"}', {"Content-Type": "application/json; charset=utf-16"}, 415),
        (b'{"recording": "x"}', {"Content-Encoding": "gzip"}, 415),
        (b'{"recording": "x"}', {}, 404),
    ],
)
def test_p10_a_bad_body_gets_one_sentence(
    daemon: Served, raw: bytes, headers: dict[str, str | None], status: int
) -> None:
    reply = daemon.ask("POST", "/api/v1/syncs", raw=raw, headers=headers)
    assert reply.status == status, reply.body
    assert set(reply.json) == {"type", "title", "status", "detail"}
    assert reply.json["detail"].endswith(".")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(daemon: Served) -> None:
    reply = daemon.ask("POST", "/api/v1/syncs", raw=b" ", headers={"Content-Length": str(2**40)})
    assert reply.status == 413
    reply = daemon.ask("POST", "/api/v1/syncs", raw=b'"' + b"x" * 2**20 + b'"')
    assert reply.status == 413


def test_a_body_in_chunks_that_is_too_large_is_refused_as_well(daemon: Served) -> None:
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    raw = piece * 40 + b"0\r\n\r\n"
    sent = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    assert daemon.ask("POST", "/api/v1/syncs", raw=raw, headers=sent).status == 413


def test_p7_a_body_is_not_asked_for_from_those_who_may_not_send_one(daemon: Served) -> None:
    for authorization, first in ((TOKEN, b"HTTP/1.1 100 "), ("wrong", b"HTTP/1.1 401 ")):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
            connection.sendall(
                f"POST /api/v1/syncs HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nContent-Length: 2\r\n"
                f"Authorization: Bearer {authorization}\r\nContent-Type: application/json\r\n"
                "Expect: 100-continue\r\nConnection: close\r\n\r\n".encode()
            )
            assert connection.recv(4096).startswith(first)


@pytest.mark.parametrize(
    "lines",
    [
        b"what is this\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ],
)
def test_p10_what_is_no_http_ends_the_connection_and_nothing_else(daemon: Served, lines: bytes) -> None:
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(lines)
        answer = connection.recv(4096)
        assert answer == b"" or answer.startswith(b"HTTP/1.")
        assert not answer.startswith(b"HTTP/1.1 200")
    assert daemon.ask("GET", "/api/v1/health").status == 200


def test_bodies_where_none_belongs_and_questions_that_nobody_asked_are_refused(daemon: Served) -> None:
    assert daemon.ask("POST", "/api/v1/login-codes", {"more": 1}).status == 400
    assert daemon.ask("GET", "/api/v1/health?more=1").status == 400
    assert daemon.ask("GET", "/api/v1/jobs?more=1").status == 400
    assert daemon.ask("GET", "/api/v1/jobs?limit=1&limit=2").status == 400
    assert daemon.ask("GET", "/api/v1/jobs?limit=0").status == 400
    assert daemon.ask("GET", "/api/v1/jobs?state=lost").status == 400


def test_a_defect_is_told_without_its_inside(
    daemon: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> None:
        raise ValueError("what nobody is to see")

    monkeypatch.setattr("mtbsync_daemon.store.jobs.page", broken)
    reply = daemon.ask("GET", "/api/v1/jobs")
    assert reply.status == 500
    assert b"nobody" not in reply.body
    assert "what nobody is to see" in caplog.text


def test_many_at_once_are_all_answered(daemon: Served) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(daemon.ask("GET", "/api/v1/recordings").status))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 20
