"""Bad requests by name: the bytes, and the status and code of their refusal."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.inference.wire import head, post

MAX_BODY, MAX_ROWS = 200_000, 1000
GOOD = {"instances": [[1, 2, "x"]]}
INFER = "/v2/models/model/infer"
Case = tuple[bytes, int, str]


def csv(body: bytes | str) -> bytes:
    return post(body, "/invocations", "Content-Type: text/csv")


def infer(*inputs: dict[str, Any], **more: Any) -> bytes:
    return post({"inputs": list(inputs), **more}, INFER)


def column(name: str = "a", datatype: str = "FP64", shape: Any = (1,), data: Any = (1,)) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


CHUNKED = "Transfer-Encoding: chunked"
DEEP = "[" * 900 + "]" * 900
DEEP_OBJECT = '{"a":' * 900 + "1" + "}" * 900
BOMB = gzip.compress(b" " * 50_000_000)
B = column("b", "INT64", [1], [2])

NO_JSON: dict[str, bytes | str] = {
    "empty": "",
    "blank": " \n ",
    "words": "nonsense",
    "unclosed list": '{"instances": [[1, 2',
    "unclosed string": '{"instances": "',
    "trailing comma": '{"instances": [[1, 2, "x"],]}',
    "single quotes": "{'instances': [[1, 2, 'x']]}",
    "bare key": '{instances: [[1, 2, "x"]]}',
    "comment": '{"instances": [[1, 2, "x"]]} // row',
    "NaN": '{"instances": [[NaN, 2, "x"]]}',
    "Infinity": '{"instances": [[-Infinity, 2, "x"]]}',
    "hexadecimal": '{"instances": [[0x10, 2, "x"]]}',
    "leading zero": '{"instances": [[01, 2, "x"]]}',
    "leading plus": '{"instances": [[+1, 2, "x"]]}',
    "number too large": '{"instances": [[1e999, 2, "x"]]}',
    "endless number": '{"instances": [[' + "9" * 100_000 + ', 2, "x"]]}',
    "lone surrogate": '{"instances": [[1, 2, "\\ud800"]]}',
    "bad escape": '{"instances": [[1, 2, "\\q"]]}',
    "control character": '{"instances": [[1, 2, "\x01"]]}',
    "null byte": '{"instances": [[1, 2, "x"]]}\0',
    "null byte in a string": '{"instances": [[1, 2, "\0"]]}',
    "two documents": '{"instances": [[1, 2, "x"]]} {}',
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "UTF-32": json.dumps(GOOD).encode("utf-32"),
    "latin-1": '{"instances": [[1, 2, "é"]]}'.encode("latin-1"),
    "overlong UTF-8": b'{"instances": [[1, 2, "\xc0\xaf"]]}',
    "cut UTF-8": b'{"instances": [[1, 2, "\xe2\x82"]]}',
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 30_000,
    "deep and closed": "[" * 2000 + "]" * 2000,
    "gzip without saying so": BOMB[:1000],
    "form data": "a=1&b=2",
    "YAML": "instances:\n- [1, 2, x]\n",
}

NO_FORM: dict[str, tuple[Any, int, str]] = {
    "null": ("null", 400, "invalid_form"),
    "number": ("5", 400, "invalid_form"),
    "text": ('"instances"', 400, "invalid_form"),
    "empty list": ("[]", 400, "no_rows"),
    "list of numbers": ([1, 2, 3], 400, "invalid_form"),
    "list of lists": ([[1, 2, "x"]], 400, "invalid_form"),
    "empty object": ({}, 400, "missing_column"),
    "instances null": ({"instances": None}, 400, "invalid_form"),
    "instances number": ({"instances": 1}, 400, "invalid_form"),
    "no rows": ({"instances": []}, 400, "no_rows"),
    "empty columns": ({"inputs": {}}, 400, "invalid_form"),
    "columns without rows": ({"inputs": {"a": [], "b": []}}, 400, "no_rows"),
    "empty rows": ({"instances": [[]]}, 400, "wrong_width"),
    "two forms": (GOOD | {"inputs": [[1, 2, "x"]]}, 400, "ambiguous_form"),
    "unknown key beside": (GOOD | {"zzz": 1}, 400, "unknown_key"),
    "ragged rows": ({"instances": [[1, 2, "x"], [1, 2]]}, 400, "wrong_width"),
    "ragged columns": ({"inputs": {"a": [1, 2], "b": [1]}}, 400, "unequal_lengths"),
    "flat row": ({"instances": [1, 2, "x"]}, 400, "wrong_width"),
    "rows and records": ({"instances": [[1, 2, "x"], {"a": 1}]}, 400, "invalid_form"),
    "columns and scalars": ({"inputs": {"a": [1], "b": 1}}, 400, "invalid_form"),
    "missing column": ({"dataframe_records": [{"a": 1, "b": 1}, {"a": 1}]}, 400, "missing_column"),
    "duplicate column": ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, 400, "duplicate_column"),
    "split without data": ({"dataframe_split": {"columns": ["a", "b"]}}, 400, "invalid_form"),
    "split with odd columns": ({"dataframe_split": {"columns": [None], "data": [[1]]}}, 400, "invalid_form"),
    "split ragged": ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, 400, "wrong_width"),
    "two rows as features": ({"features": [[1, 2, "x"], [1, 2, "x"]]}, 400, "invalid_form"),
    "text for a number": ({"instances": [["1", 2, "x"]]}, 400, "wrong_type"),
    "boolean for a number": ({"instances": [[1, True, "x"]]}, 400, "wrong_type"),
    "fraction for a whole number": ({"instances": [[1, 2.5, "x"]]}, 400, "wrong_type"),
    "number for text": ({"instances": [[1, 2, 3]]}, 400, "wrong_type"),
    "list for a number": ({"instances": [[[1], 2, "x"]]}, 400, "wrong_type"),
    "object for text": ({"instances": [[1, 2, {}]]}, 400, "wrong_type"),
    "null for a whole number": ({"instances": [[1, None, "x"]]}, 400, "missing_value"),
    "whole number out of range": ({"instances": [[1, 2**63, "x"]]}, 400, "out_of_range"),
    "huge text for a number": ({"instances": [["9" * 100_000, 2, "x"]]}, 400, "wrong_type"),
    "huge key": ({"k" * 100_000: 1}, 400, "missing_column"),
    "huge key beside": (GOOD | {"k" * 100_000: 1}, 400, "unknown_key"),
    "a duplicate key's last value": ('{"instances": [[1, 2, "x"]], "instances": 5}', 400, "invalid_form"),
    "other version": (GOOD | {"model_version": "9"}, 409, "version_mismatch"),
    "odd version": (GOOD | {"model_version": 1}, 400, "invalid_option"),
    "odd option": (GOOD | {"return_probabilities": "yes"}, 400, "invalid_option"),
    "probabilities of a regressor": (GOOD | {"return_probabilities": True}, 400, "no_probabilities"),
    "odd params": (GOOD | {"params": [1]}, 400, "invalid_option"),
    "V2 sent here": ({"inputs": [column(), B]}, 400, "invalid_form"),
    "too many rows": ({"instances": [[1, 2, "x"]] * (MAX_ROWS + 1)}, 413, "too_many_rows"),
    "deep at the top": (DEEP, 400, "invalid_form"),
    "deep object": (DEEP_OBJECT, 400, "invalid_form"),
    "deep instances": (f'{{"instances": {DEEP}}}', 400, "wrong_width"),
    "deep cell": (f'{{"instances": [[{DEEP}, 2, "x"]]}}', 400, "wrong_type"),
    "deep text": (f'{{"instances": [[1, 2, {DEEP_OBJECT}]]}}', 400, "wrong_type"),
    "deep column": (f'{{"inputs": {{"a": [{DEEP}], "b": [1]}}}}', 400, "wrong_type"),
    "deep params": (f'{{"instances": [[1, 2, "x"]], "params": {DEEP_OBJECT}}}', 400, "too_deep"),
    "deep version": (f'{{"instances": [[1, 2, "x"]], "model_version": {DEEP}}}', 400, "invalid_option"),
    "deep features": (f'{{"features": {DEEP}}}', 400, "invalid_form"),
    "deep names": (f'{{"dataframe_split": {{"columns": {DEEP}, "data": []}}}}', 400, "invalid_form"),
}

V2: dict[str, Case] = {
    "V2 no JSON": (post("nonsense", INFER), 400, "invalid_json"),
    "V2 list": (post([], INFER), 400, "invalid_form"),
    "V2 without inputs": (post({}, INFER), 400, "invalid_form"),
    "V2 no inputs": (infer(), 400, "invalid_form"),
    "V2 input null": (post({"inputs": [None]}, INFER), 400, "invalid_form"),
    "V2 input without shape": (post({"inputs": [{"name": "a"}]}, INFER), 400, "invalid_form"),
    "V2 odd name": (infer(column(1), B), 400, "invalid_form"),  # type: ignore[arg-type]
    "V2 odd datatype": (infer(column(datatype="FP80"), B), 400, "invalid_form"),
    "V2 negative shape": (infer(column(shape=[-1]), B), 400, "invalid_form"),
    "V2 huge shape": (infer(column(shape=[2**31 - 1, 2**31 - 1]), B), 400, "wrong_shape"),
    "V2 rows of nothing": (infer(column(shape=[2**31 - 1, 0], data=[])), 400, "wrong_shape"),
    "V2 shape beyond": (infer(column(shape=[2**70]), B), 400, "invalid_form"),
    "V2 other shape": (infer(column(shape=[2]), B), 400, "wrong_shape"),
    "V2 shape of text": (infer(column(shape="1"), B), 400, "invalid_form"),
    "V2 data number": (infer(column(data=1), B), 400, "invalid_form"),
    "V2 data of another type": (infer(column(data=["1"]), B), 400, "wrong_type"),
    "V2 out of range": (infer(column(), column("b", "INT8", [1], [300])), 400, "wrong_type"),
    "V2 ragged": (infer(column(shape=[2], data=[[1], 2]), B), 400, "invalid_form"),
    "V2 the same twice": (infer(column(), column()), 400, "duplicate_column"),
    "V2 missing column": (infer(column()), 400, "missing_column"),
    "V2 unequal": (infer(column(shape=[2], data=[1, 2]), B), 400, "unequal_lengths"),
    "V2 odd id": (infer(column(), B, id=1), 400, "invalid_form"),
    "V2 odd outputs": (infer(column(), B, outputs=[1]), 400, "invalid_form"),
    "V2 unknown output": (infer(column(), B, outputs=[{"name": "z"}]), 400, "unknown_output"),
    "V2 too many rows": (infer(column(shape=[1001, 2], data=[1] * 2002, name="all")), 413, "too_many_rows"),
    "V2 deep data": (
        post(f'{{"inputs": [{{"name": "a", "shape": [1], "datatype": "FP64", "data": {DEEP}}}]}}', INFER),
        400,
        "wrong_shape",
    ),
    "V2 deep input": (post(f'{{"inputs": {DEEP}}}', INFER), 400, "invalid_form"),
    "V2 other model": (post(GOOD, "/v2/models/other/infer"), 404, "not_found"),
    "V2 other version": (post(GOOD, "/v2/models/model/versions/9/infer"), 404, "not_found"),
    "V2 wrong content type": (post(GOOD, INFER, "Content-Type: text/csv"), 415, "unsupported_media_type"),
    "V2 wrong method": (head(INFER, method="GET"), 405, "method_not_allowed"),
    "V2 broken chunk": (head(INFER, CHUNKED) + b"zz\r\n", 400, "invalid_body"),
    "V2 head too large": (head(INFER, "A: " + "a" * 40_000), 431, "head_too_large"),
}

CSV: dict[str, Case] = {
    "CSV empty": (csv(""), 400, "invalid_csv"),
    "CSV header alone": (csv("a,b\n"), 400, "no_rows"),
    "CSV ragged": (csv("a,b\n1,2\n1\n"), 400, "wrong_width"),
    "CSV open quote": (csv('a,b\n"1,2\n'), 400, "invalid_csv"),
    "CSV quote inside": (csv('a,b\n"1"x,2\n'), 400, "invalid_csv"),
    "CSV duplicate column": (csv("a,a\n1,2\n"), 400, "duplicate_column"),
    "CSV missing column": (csv("a,c\n1,2\n"), 400, "missing_column"),
    "CSV text for a number": (csv("a,b\nx,2\n"), 400, "wrong_type"),
    "CSV infinity": (csv("a,b\ninf,2\n"), 400, "out_of_range"),
    "CSV no UTF-8": (csv(b"a,b\n\xff,2\n"), 400, "invalid_csv"),
    "CSV UTF-16": (csv("a,b\n1,2\n".encode("utf-16")), 400, "invalid_csv"),
    "CSV null bytes": (csv(b"a,b\n\0,2\n"), 400, "wrong_type"),
    "CSV huge cell": (csv("a,b\n" + "x" * 150_000 + ",2\n"), 400, "invalid_csv"),
    "CSV too many rows": (csv("a,b\n" + "1,2\n" * (MAX_ROWS + 1)), 413, "too_many_rows"),
    "CSV that is JSON": (csv(json.dumps(GOOD)), 400, "no_rows"),
}

MEDIA: dict[str, Case] = {
    f"{name} as {line}": (post(GOOD, path, line), 415, "unsupported_media_type")
    for path, name in (("/predict", "JSON"), ("/invocations", "MLflow's"))
    for line in (
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Type: application/json; charset=utf-16",
        "Content-Encoding: br",
        "Content-Encoding: gzip, gzip",
        "Content-Type: " + "x" * 5000,
    )
} | {
    "CSV to predict": (post("a,b\n1,2\n", "/predict", "Content-Type: text/csv"), 415, "unsupported_media_type"),
    "gzip bomb": (post(BOMB, "/predict", "Content-Encoding: gzip"), 415, "unsupported_media_type"),
    "deflate bomb": (post(BOMB, "/invocations", "Content-Encoding: deflate"), 415, "unsupported_media_type"),
}

PATHS: dict[str, Case] = {
    "unknown path": (head("/zzz", method="GET"), 404, "not_found"),
    "POST to an unknown path": (post(GOOD, "/zzz"), 404, "not_found"),
    "slash at the end": (post(GOOD, "/predict/"), 404, "not_found"),
    "two slashes": (post(GOOD, "//predict"), 404, "not_found"),
    "traversal": (head("/../../etc/passwd", method="GET"), 404, "not_found"),
    "traversal in disguise": (head("/docs/%2e%2e/%2e%2e/etc/passwd", method="GET"), 404, "not_found"),
    "null byte in the path": (head("/predict%00", method="GET"), 404, "not_found"),
    "bad percent sign": (head("/%zz", method="GET"), 404, "not_found"),
    "no UTF-8 in the path": (head("/%ff%fe", method="GET"), 404, "not_found"),
    "letters beyond ASCII": (head("/pr\xe9dict", method="GET"), 400, "bad_request"),
    "long path": (head("/" + "a" * 20_000, method="GET"), 404, "not_found"),
    "GET /predict": (head(method="GET"), 405, "method_not_allowed"),
    "PUT": (post(GOOD).replace(b"POST", b"PUT", 1), 405, "method_not_allowed"),
    "TRACE": (head(method="TRACE"), 405, "method_not_allowed"),
    "POST to a page": (post(GOOD, "/health"), 405, "method_not_allowed"),
    "OPTIONS of all": (head("*", method="OPTIONS"), 404, "not_found"),
    "proxy": (head("x:443", method="CONNECT"), 400, "bad_request"),
    "unknown method": (head(method="BREW"), 400, "bad_request"),
    "method in small letters": (head(method="post"), 400, "bad_request"),
}

HTTP: dict[str, Case] = {
    "words": (b"hello\r\n\r\n", 400, "bad_request"),
    "no version": (b"GET /livez\r\n\r\n", 400, "bad_request"),
    "odd version": (b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "no protocol": (b"GET /livez FTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "no path": (b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400, "bad_request"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", 400, "bad_request"),
    "null bytes": (bytes(1000), 400, "bad_request"),
    "no Host": (b"GET /livez HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "two Hosts": (head("/livez", "Host: y", method="GET"), 400, "bad_request"),
    "a space before the colon": (head("/livez", "A : b", method="GET"), 400, "bad_request"),
    "a header without a colon": (head("/livez", "abc", method="GET"), 400, "bad_request"),
    "a folded header": (head("/livez", "A: b\r\n c", method="GET"), 400, "bad_request"),
    "a null byte in a header": (head("/livez", "A: b\0c", method="GET"), 400, "bad_request"),
    "a lone line feed": (b"GET /livez HTTP/1.1\nHost: x\n\n", 400, "bad_request"),
    "a long header": (head("/livez", "A: " + "a" * 100_000, method="GET"), 431, "head_too_large"),
    "many headers": (head("/livez", *["A: b"] * 10_000, method="GET"), 431, "head_too_large"),
    "a long line": (head("/" + "a" * 100_000, method="GET"), 431, "head_too_large"),
    "an endless line": (b"a" * 100_000, 400, "bad_request"),
    "an endless name": (b"GET / HTTP/1.1\r\n" + b"a" * 300_000, 431, "head_too_large"),
    "empty lines": (b"\r\n" * 50_000, 431, "head_too_large"),
    "negative length": (head("/predict", "Content-Length: -1"), 400, "bad_request"),
    "length in words": (head("/predict", "Content-Length: ten"), 400, "bad_request"),
    "length with a plus": (head("/predict", "Content-Length: +5") + b"12345", 400, "bad_request"),
    "hexadecimal length": (head("/predict", "Content-Length: 0x5") + b"12345", 400, "bad_request"),
    "two lengths in one": (head("/predict", "Content-Length: 5, 5") + b"12345", 400, "bad_request"),
    "two lengths": (head("/predict", "Content-Length: 5", "Content-Length: 6") + b"12345", 400, "bad_request"),
    "the same length twice": (head("/predict", "Content-Length: 5", "Content-Length: 5"), 400, "bad_request"),
    "length beyond numbers": (head("/predict", "Content-Length: 1" + "0" * 30), 400, "bad_request"),
    "length and chunks": (head("/predict", "Content-Length: 5", CHUNKED) + b"0\r\n\r\n", 400, "bad_request"),
    "chunks and length": (head("/predict", CHUNKED, "Content-Length: 5") + b"0\r\n\r\n", 400, "bad_request"),
    "other coding": (head("/predict", "Transfer-Encoding: gzip") + b"x", 400, "invalid_body"),
    "chunks not last": (head("/predict", "Transfer-Encoding: chunked, identity"), 400, "bad_request"),
    "chunks hidden": (head("/predict", "Transfer-Encoding: xchunked") + b"0\r\n\r\n", 400, "invalid_body"),
    "chunks after a tab": (head("/predict", "Transfer-Encoding:\x0bchunked") + b"0\r\n\r\n", 400, "bad_request"),
    "no chunk size": (head("/predict", CHUNKED) + b"\r\n", 400, "invalid_body"),
    "chunk size in words": (head("/predict", CHUNKED) + b"five\r\n12345\r\n0\r\n\r\n", 400, "invalid_body"),
    "negative chunk": (head("/predict", CHUNKED) + b"-5\r\n12345\r\n0\r\n\r\n", 400, "invalid_body"),
    "chunk beyond numbers": (head("/predict", CHUNKED) + b"f" * 20 + b"\r\n", 400, "invalid_body"),
    "chunk longer than it says": (head("/predict", CHUNKED) + b"2\r\n12345\r\n0\r\n\r\n", 400, "invalid_body"),
    "chunk without its end": (head("/predict", CHUNKED) + b"5\r\n12345X\r\n0\r\n\r\n", 400, "invalid_body"),
    "chunks with lone line feeds": (head("/predict", CHUNKED) + b"5\n12345\n0\n\n", 400, "invalid_body"),
    "chunk with an endless extension": (
        head("/predict", CHUNKED) + b"5;" + b"a" * 600_000, 431, "head_too_large"),
    "endless trailers": (head("/predict", CHUNKED) + b"0\r\nA: " + b"a" * 600_000, 431, "head_too_large"),
    "chunks that are no JSON": (head("/predict", CHUNKED) + b"5\r\n12345\r\n0\r\n\r\n", 400, "invalid_form"),
    "upgrade with a bad body": (
        post("nonsense", "/predict", "Connection: upgrade", "Upgrade: h2c"), 400, "invalid_json"),
    "websocket to nowhere": (
        head("/zzz", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", method="GET"),
        404, "not_found"),
    "HTTP/1.0": (post("nonsense").replace(b"HTTP/1.1", b"HTTP/1.0"), 400, "invalid_json"),
    "chunks in HTTP/1.0": (
        head("/predict", CHUNKED).replace(b"1.1", b"1.0") + b"zz\r\n", 400, "invalid_body"),
    "expecting too much": (
        head("/predict", "Expect: 100-continue", "Content-Length: 999999"), 413, "body_too_large"),
    "too long a body": (post(b" " * (MAX_BODY + 1)), 413, "body_too_large"),
    "too long a body in chunks": (
        head("/predict", CHUNKED) + b"10000\r\n" + b" " * 0x10000 + b"\r\n" + b"fffff\r\n" + b" " * 0xFFFFF
        + b"\r\n0\r\n\r\n", 413, "body_too_large"),
}  # fmt: skip

BAD: dict[str, Case] = {
    **{f"no JSON: {name}": (post(body), 400, "invalid_json") for name, body in NO_JSON.items()},
    **{f"no form: {name}": (post(body), status, code) for name, (body, status, code) in NO_FORM.items()},
    **V2,
    **CSV,
    **MEDIA,
    **PATHS,
    **{f"HTTP: {name}": found for name, found in HTTP.items()},
}
