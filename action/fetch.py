"""Downloads the wheels of the lock file at the same time. pip needs most of its time to fetch one after the other.

Raises ``OSError`` or ``ValueError`` for what pip may still know how to do: another way to log in, to reach the index,
or to read it. No message holds an address, since a password may be in one.
"""

import gzip
import hashlib
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener, getproxies

from wheels import Locked, is_wheel_of

_AT_ONCE = 8
# Seconds that a server may be silent. pip waits longer, and asks again.
_PATIENCE = 10
_PAGES = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


def fetch(locked: list[Locked], options: Mapping[str, str], wheels: Path) -> None:
    """Write one wheel for each project of the lock file. A wheel is written only if its hash is in the lock file.

    ``options``: pip's settings of the index, by the names of its options. Raises as the module says.
    """
    with _telling_of("the index"):
        index = _Index(options)
    wheels.mkdir(parents=True, exist_ok=True)
    _ask_once_for_each_address()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            list(pool.map(partial(_fetch, index, wheels), locked))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(index: "_Index", wheels: Path, project: Locked) -> None:
    with _telling_of(project.name):
        name, address = index.wheel(project)
        content, _ = index.get(address)
    if hashlib.sha256(content).hexdigest() not in project.hashes:
        raise ValueError(f"{project.name}: {name} does not have a hash of the lock file")
    (wheels / name).write_bytes(content)


@contextmanager
def _telling_of(what: str) -> Iterator[None]:
    """Raise ``OSError`` for every error in the block: an index may answer with anything, and pip may understand it."""
    try:
        yield
    except HTTPError as error:
        raise OSError(f"{what}: the index answered {error.code}") from None
    except Exception as error:
        reason = getattr(error, "reason", None)
        raise OSError(f"{what}: {type(reason if isinstance(reason, OSError) else error).__name__}") from None


class _Index:
    """The package indexes of this machine, from the configuration of pip."""

    def __init__(self, options: Mapping[str, str]) -> None:
        # pip's own rules: which wheels fit this Python, the most specific first, and the default index.
        from pip._internal.models.index import PyPI
        from pip._vendor.packaging.tags import sys_tags

        self._tags = {tag: number for number, tag in enumerate(sys_tags())}
        addresses = f"{options.get('index-url', PyPI.simple_url)} {options.get('extra-index-url', '')}".split()
        self._indexes = [address for address in addresses if urlsplit(address).scheme in ("http", "https")]
        self._passwords = dict(filter(None, map(_password, self._indexes)))
        self._open = build_opener(_proxies(options), HTTPSHandler(context=_trust(options)), _Redirects)

    def wheel(self, project: Locked) -> tuple[str, str]:
        """Find the wheel of the locked version that fits this Python best: its name and address."""
        for index in self._indexes:
            try:
                page, base = self.get(f"{index.rstrip('/')}/{project.name}/", _PAGES)
            except HTTPError as error:
                if error.code == 404:
                    continue
                raise
            links = [(_file_name(link), link) for link in _links(page) if project.version in link]
            ranked = [(rank, name, link) for name, link in links if (rank := self._rank(name, project)) is not None]
            if ranked:
                _, name, link = min(ranked)
                return name, urljoin(base, link)
        raise ValueError("no index has it")

    def _rank(self, name: str, project: Locked) -> int | None:
        """Return how specific a wheel is, 0 for the most. None for another version, and for another system."""
        if not is_wheel_of(name, project):
            return None
        from pip._vendor.packaging.utils import parse_wheel_filename

        *_, tags = parse_wheel_filename(name)
        return min((self._tags[tag] for tag in tags if tag in self._tags), default=None)

    def get(self, address: str, accept: str = "*/*") -> tuple[bytes, str]:
        """Return what is at an address, and the address that it came from in the end."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https"):
            raise ValueError("neither http nor https")
        plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "rollback-ops"}
        request = Request(plain, headers=headers)  # noqa: S310
        if password := self._passwords.get(_server(address)):
            # Another server that this one names must not see it.
            request.add_unredirected_header("Authorization", password)
        with self._open.open(request, timeout=_PATIENCE) as answer:
            content: bytes = answer.read()
            packed = answer.headers.get("Content-Encoding") == "gzip"
            return gzip.decompress(content) if packed else content, answer.url


class _Redirects(HTTPRedirectHandler):
    """Goes where an answer leads. No other server sees the proxy's password: it may be reached without the proxy."""

    def redirect_request(self, *details: Any) -> Request | None:
        request = super().redirect_request(*details)
        if request:
            request.remove_header("Proxy-authorization")
        return request


def _password(address: str) -> tuple[tuple[str, str], str] | None:
    parts = urlsplit(address)
    if parts.username is None:
        return None
    import base64

    said = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return _server(address), f"Basic {base64.b64encode(said.encode()).decode()}"


def _server(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc.rpartition("@")[2]


def _proxies(options: Mapping[str, str]) -> ProxyHandler:
    if proxy := options.get("proxy"):
        return ProxyHandler({"http": proxy, "https": proxy})
    told = getproxies()
    every = {scheme: told["all"] for scheme in ("http", "https") if "all" in told}
    return ProxyHandler(every | told)


def _trust(options: Mapping[str, str]) -> ssl.SSLContext:
    """Trust the certificates that pip is told of, or those of the machine."""
    told = [options.get("cert"), os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("CURL_CA_BUNDLE")]
    place = next(filter(None, told), None)
    context = ssl.create_default_context(**{"capath" if place and Path(place).is_dir() else "cafile": place})
    if client := options.get("client-cert"):
        context.load_cert_chain(client)
    return context


def _links(page: bytes) -> Iterator[str]:
    """Yield the addresses of a project's files, from JSON or HTML."""
    if page.lstrip().startswith(b"{"):
        yield from (file["url"] for file in json.loads(page)["files"])
    else:
        parser = _Anchors()
        parser.feed(page.decode(errors="replace"))
        yield from parser.found


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _file_name(link: str) -> str:
    return unquote(urlsplit(link).path.rpartition("/")[2])


def _ask_once_for_each_address() -> None:
    """Look up each name once, one at a time: where one of many answers is lost, its thread waits for seconds.

    Replaces the function of the module: urllib has no option for it, and this process does nothing else.
    """
    ask, lock, known = socket.getaddrinfo, Lock(), dict[tuple[Any, ...], Any]()

    def remembered(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        key = (host, port, more, tuple(named.items()))
        with lock:
            if key not in known:
                known[key] = ask(host, port, *more, **named)
            return known[key]

    socket.getaddrinfo = remembered
