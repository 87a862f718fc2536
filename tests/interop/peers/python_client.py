"""Python's clients: `python_client.py LIBRARY URL CA VERSION [CASES]` prints one line of JSON for each case."""

import asyncio
import hashlib
import json
import ssl
import sys

LIBRARY, URL, CA, VERSION = sys.argv[1:5]
ONLY = sys.argv[5].split(",") if sys.argv[5:] else []
BLOCK = bytes(range(251))
TLS12 = {"Connection": "Upgrade", "Upgrade": "TLS/1.2"}
H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}


def pattern(length):
    return (BLOCK * (length // 251 + 1))[:length]


def pieces(length):
    """The same without a length, in pieces of many sizes."""
    body, at, turn = pattern(length), 0, 0
    while at < length:
        size = (1, 4096, 100_000, 8192, 65536, 3)[turn % 6]
        yield body[at : at + size]
        at, turn = at + size, turn + 1


# Case, method, path, length of the body (or a function that makes it in pieces), fields.
CASES = [
    ("get", "GET", "/sized/1000000", None, {}),
    ("head", "HEAD", "/sized/1000000", None, {}),
    ("post-0", "POST", "/echo", 0, {}),
    ("post-10", "POST", "/echo", 10_000_000, {}),
    ("post-20", "POST", "/echo", 20_000_000, {}),
    ("chunked", "POST", "/echo", pieces, {}),
    ("early", "POST", "/early", 20_000_000, {}),
    ("upgrade", "GET", "/echo", None, TLS12),
    ("upgrade-post", "POST", "/echo", 100_000, H2C),
    ("again", "GET", "/many/100000", None, {}),
]
CASES = [
    case
    for case in CASES
    if (not ONLY or case[0] in ONLY) and not (VERSION == "2" and case[0].startswith("upgrade"))
]


def report(case, version, status, length, body):
    """`length` is what `content-length` says."""
    line = {"case": case, "version": version, "status": status, "length": length, "bytes": len(body)}
    line |= {"sha256": hashlib.sha256(body).hexdigest(), "text": body[:200].decode("latin-1") if len(body) < 1000 else ""}
    print(json.dumps(line), flush=True)


def failed(case, error):
    print(json.dumps({"case": case, "error": f"{type(error).__name__}: {error}"}), flush=True)


def with_requests():
    import requests

    session = requests.Session()
    session.trust_env, session.verify = False, CA
    for case, method, path, body, fields in CASES:
        data = body(10_000_000) if callable(body) else None if body is None else pattern(body)
        try:
            answer = session.request(method, URL + path, data=data, headers=fields, timeout=60)
            version = {10: "1.0", 11: "1.1"}[answer.raw.version]
            report(case, version, answer.status_code, answer.headers.get("content-length"), answer.content)
        except requests.RequestException as error:
            failed(case, error)


def with_httpx():
    import httpx

    context = ssl.create_default_context(cafile=CA)
    with httpx.Client(
        http1=VERSION == "1.1", http2=VERSION == "2", verify=context, trust_env=False
    ) as client:
        for case, method, path, body, fields in CASES:
            data = body(10_000_000) if callable(body) else None if body is None else pattern(body)
            try:
                # Over HTTP/2 it waits for a window that never comes, since it does not look whether its stream has ended.
                patience = 3 if (VERSION, case) == ("2", "early") else 60
                answer = client.request(method, URL + path, content=data, headers=fields, timeout=patience)
                version = answer.http_version.removeprefix("HTTP/")
                report(case, version, answer.status_code, answer.headers.get("content-length"), answer.content)
            except httpx.HTTPError as error:
                failed(case, error)


async def with_aiohttp():
    import aiohttp

    async def asynchronous(parts):
        for part in parts:
            yield part

    context = ssl.create_default_context(cafile=CA)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as session:
        for case, method, path, body, fields in CASES:
            data = asynchronous(body(10_000_000)) if callable(body) else None if body is None else pattern(body)
            try:
                async with session.request(method, URL + path, data=data, headers=fields) as answer:
                    content = await answer.read()
                    version = f"{answer.version.major}.{answer.version.minor}"
                    report(case, version, answer.status, answer.headers.get("content-length"), content)
            except aiohttp.ClientError as error:
                failed(case, error)


if LIBRARY == "aiohttp":
    asyncio.run(with_aiohttp())
else:
    {"requests": with_requests, "httpx": with_httpx}[LIBRARY]()
