"""Fetching one file over https: limited in bytes and in patience, and kept nowhere.

What came is in memory only, so that nothing unchecked ever has a name on the disk.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.parse import urlsplit

from iqa_zoo.errors import IqaError, WeightsError

#: Seconds without data after which a download ends.
STALL = 30.0
#: Bytes a second below which it ends as well.
SLOWEST = 1000
CHUNK = 1 << 16

Progress = Callable[[int, int | None], None]


def download(
    url: str,
    at_most: int,
    *,
    stall: float | None = None,
    begin: Callable[[int], None] | None = None,
    progress: Progress | None = None,
) -> bytearray:
    """The content at an address.

    Args:
        url: https; plain http only to this machine itself.
        at_most: bytes; no more are ever read.
        stall: seconds without data after which it ends; None for `STALL`.
        begin: called before the content is read with the bytes to expect: those that
            the server states, or `at_most`. What it raises ends the download.
        progress: called with the bytes that have come, and with all that the server
            states or None.

    Raises:
        WeightsError: the address or a redirect leads elsewhere than to https, the
            server does not answer or has no such file, the content is larger than
            `at_most` or ends too early. The message says what came.
    """
    stall = STALL if stall is None else stall
    try:
        _check_address(url, url)
        request = urllib.request.Request(url, headers={"User-Agent": "iqa_zoo"})
        with _opener(url).open(request, timeout=stall) as response:
            size: int | None = response.length
            if size is not None and size > at_most:
                raise WeightsError(
                    f"{size:,} bytes were offered, and it has at most {at_most:,}."
                )
            if begin is not None:
                begin(at_most if size is None else size)
            data = bytearray()
            since, before = time.monotonic(), 0
            while chunk := response.read1(min(CHUNK, at_most - len(data))):
                data += chunk
                if progress is not None:
                    progress(len(data), size)
                if time.monotonic() - since > stall:
                    if len(data) - before < SLOWEST * stall:
                        raise WeightsError(
                            f"Fewer than {SLOWEST:,} bytes a second came."
                        )
                    since, before = time.monotonic(), len(data)
    except IqaError:
        raise
    except TimeoutError as error:
        raise WeightsError(f"No data came for {stall:g} seconds.") from error
    except urllib.error.HTTPError as error:
        error.close()
        text = " ".join(str(error.reason).split())
        raise WeightsError(f"The answer was {error.code}: {text}.") from error
    except urllib.error.URLError as error:
        text = getattr(error.reason, "strerror", None) or str(error.reason)
        if isinstance(error.reason, TimeoutError):
            text = f"no answer in {stall:g} seconds"
        raise WeightsError(f"No connection: {text}.") from error
    # A broken connection, or an answer that is no HTTP.
    except (OSError, HTTPException, ValueError) as error:
        text = str(error) or type(error).__name__
        raise WeightsError(f"The download broke off: {text}.") from error
    if size is not None and len(data) < size:
        raise WeightsError(f"{len(data):,} of {size:,} bytes came.")
    return data


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects where the first address could have led itself."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _check_address(newurl, req.full_url)
        fp.close()  # or its content, which has no limit, would be read
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """What opens http and https and nothing else; no proxy leads to this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if _is_here(url) else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _check_address(url: str, origin: str) -> None:
    """Raise where `url` is not https, nor plain http from this machine to itself."""
    scheme = urlsplit(url).scheme
    if scheme == "https" or (scheme == "http" and _is_here(url) and _is_here(origin)):
        return
    raise WeightsError(f"{url} is not https, and nothing else is fetched.")


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
