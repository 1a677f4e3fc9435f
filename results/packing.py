"""Packs what a store keeps beside its journals, and says whether it is as it was written.

A digest is of the unpacked content, so that it is the same whatever packed it.
"""

from __future__ import annotations

import hashlib
import lzma

LARGEST = 2**31
"""Bytes that are unpacked at most: a damaged file must not fill the memory."""
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 2**22}]
"""Options of xz; a dictionary of 4 MiB costs little memory and holds the outputs of most runs."""


def pack(content: bytes) -> bytes:
    """Return content as an xz file, which has a check of its own."""
    return lzma.compress(content, format=lzma.FORMAT_XZ, filters=FILTERS)


def unpack(packed: bytes) -> bytes:
    """Return what was packed; ValueError if it is damaged, or larger than LARGEST."""
    reader = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
    try:
        content = reader.decompress(packed, max_length=LARGEST)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"packed content is damaged ({error})") from error
    if not reader.eof or reader.unused_data:
        raise ValueError("packed content is cut, or something follows it")
    return content


def digest(content: bytes) -> str:
    """Return the digest of unpacked content."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()
