"""One archive fetched over the network: resumed where it broke off, checked by its hash."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import IO

CHUNK_BYTES = 1 << 16
LARGEST_BYTES = 200_000_000
TIMEOUT_SECONDS = 30
AGENT = "seq2seq-bench (fetches a corpus once)"  # some hosts refuse Python's own


def sha256_of(file: Path) -> str:
    """The hash of a file's content, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(url: str, part: Path, sha256: str) -> None:
    """Download url into `part`, going on where an earlier try stopped.

    The hash is the caller's to check. But a resumed file of another hash may be half an older
    archive, so it is downloaded once more from the start. FileNotFoundError if the network or
    the host fails, and what came is kept; ValueError for a file beyond all expectation.
    """
    resumed = part.exists() and part.stat().st_size > 0
    _load(url, part)
    if resumed and sha256_of(part) != sha256:
        part.unlink()
        _load(url, part)


def _load(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": AGENT} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            going_on = response.status == HTTPStatus.PARTIAL_CONTENT
            _append(response, part, have if going_on else 0)
    except urllib.error.HTTPError as error:
        error.close()
        if not (have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise _unreachable(url, f"the host answers {error.code}") from None
        # Nothing is left to download; the caller's hash tells whether the file is right.
    except urllib.error.URLError as error:
        raise _unreachable(url, str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, str(error) or type(error).__name__) from None


def _append(response: http.client.HTTPResponse, part: Path, have: int) -> None:
    """Write the response behind the first `have` bytes."""
    announced = response.headers.get("Content-Length")
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        came = _copy(response, stream, LARGEST_BYTES - have)
    if announced is not None and came < int(announced):
        raise ConnectionError(f"it broke off after {have + came} bytes, of {have + int(announced)}")


def _copy(response: http.client.HTTPResponse, stream: IO[bytes], most: int) -> int:
    came = 0
    while chunk := response.read(CHUNK_BYTES):
        came += len(chunk)
        if came > most:
            raise ValueError(
                f"{response.url} is larger than the {LARGEST_BYTES} bytes that are allowed; "
                "download it elsewhere and give it with --from FILE"
            )
        stream.write(chunk)
    return came


def _unreachable(url: str, why: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"{url} could not be downloaded ({why}); try again, which goes on where it stopped, "
        "or download it elsewhere and give it with --from FILE"
    )
