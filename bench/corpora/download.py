"""Downloads an archive over HTTP and resumes a download that broke off."""

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
"""A file larger than this is not what was expected, and its download is stopped."""
TIMEOUT_SECONDS = 30
USER_AGENT = "seq2seq-bench (fetches a corpus once)"  # some hosts refuse Python's default


def sha256_of(file: Path) -> str:
    """Return the SHA-256 checksum of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(url: str, part: Path, sha256: str) -> None:
    """Download a URL into the file `part`, and resume if an earlier try was cut off.

    A resumed file with another checksum may be half an older archive, so it is downloaded once
    more from the start. The final checksum is the caller's to check.

    Raises:
        FileNotFoundError: The network or the host failed; what was received is kept.
        ValueError: The file is larger than LARGEST_BYTES.
    """
    resumed = part.exists() and part.stat().st_size > 0
    _load(url, part)
    if resumed and sha256_of(part) != sha256:
        part.unlink()
        _load(url, part)


def _load(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": USER_AGENT} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            resumed = response.status == HTTPStatus.PARTIAL_CONTENT
            _append(response, part, have if resumed else 0)
    except urllib.error.HTTPError as error:
        error.close()
        if not (have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise _unreachable(url, f"the host answers {error.code}") from None
        # Nothing is left to download; the caller checks whether the file is right.
    except urllib.error.URLError as error:
        raise _unreachable(url, str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, str(error) or type(error).__name__) from None


def _append(response: http.client.HTTPResponse, part: Path, have: int) -> None:
    """Write the response to the file, after its first `have` bytes."""
    announced = response.headers.get("Content-Length")
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        received = _copy(response, stream, LARGEST_BYTES - have)
    if announced is not None and received < int(announced):
        total = have + int(announced)
        raise ConnectionError(f"it broke off after {have + received} bytes, of {total}")


def _copy(response: http.client.HTTPResponse, stream: IO[bytes], most: int) -> int:
    """Copy a response to a stream and return the number of bytes."""
    received = 0
    while chunk := response.read(CHUNK_BYTES):
        received += len(chunk)
        if received > most:
            raise ValueError(
                f"{response.url} is larger than the {LARGEST_BYTES} bytes that are allowed; "
                "download it elsewhere and give it with --from FILE"
            )
        stream.write(chunk)
    return received


def _unreachable(url: str, reason: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"{url} could not be downloaded ({reason}); try again, which resumes where it stopped, "
        "or download it elsewhere and give it with --from FILE"
    )
