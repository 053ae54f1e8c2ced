"""Reads one text file from the web, with limits on time and size.

Not here: AWS (`aws/`), and what the text means.
"""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable

SECONDS_FOR_AN_ANSWER = 20
SECONDS_FOR_ALL = 120
MOST_BYTES = 64_000_000

_PIECE_BYTES = 1 << 16


class DownloadError(Exception):
    """The file did not come; the text says why."""


def download_text(address: str, clock: Callable[[], float] = time.monotonic) -> str:
    """The UTF-8 text at an http or https address.

    Raises:
        DownloadError: no answer in time, another status than 200, too many bytes, or no UTF-8.
    """
    request = urllib.request.Request(address, headers={"User-Agent": "usage-pipeline"})  # noqa: S310  (config checks it)
    deadline = clock() + SECONDS_FOR_ALL
    content = bytearray()
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_FOR_AN_ANSWER) as answer:  # noqa: S310  (the same)
            announced = answer.headers.get("Content-Length", "")
            while piece := answer.read(_PIECE_BYTES):
                content += piece
                if len(content) > MOST_BYTES:
                    raise DownloadError(f"more than {MOST_BYTES:,} bytes.")
                if clock() > deadline:
                    raise DownloadError(f"not complete after {SECONDS_FOR_ALL} seconds.")
        # Reading in pieces, http.client does not say that an answer broke off.
        if announced.isdigit() and len(content) < int(announced):
            raise DownloadError(f"{len(content):,} bytes of {int(announced):,} came.")
        return content.decode("utf-8")
    except urllib.error.HTTPError as error:
        raise DownloadError(f"status {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DownloadError(f"{reason}.") from error
    except UnicodeDecodeError as error:
        raise DownloadError("not UTF-8 text.") from error
