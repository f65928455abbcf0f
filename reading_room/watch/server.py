"""A DICOMweb server: what it has (QIDO-RS), an image of it (WADO-RS), results for it (STOW-RS).

Errors name the server and what it did, and never a value of an image's header.
"""

import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmwrite

from elbow_core.errors import ConfigError, UserError

USER, PASSWORD = "ELBOW_DICOMWEB_USER", "ELBOW_DICOMWEB_PASSWORD"
"""Environment variables with the account at the server."""

_TIMEOUT = (10.0, 120.0)  # seconds to connect, and between two parts of an answer
_PAGE = 500  # results that are asked for at once
_CHUNK = 1 << 31  # one part: some servers take no chunked requests
_NOT_NOW = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_NOT_ALLOWED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

# Their messages quote addresses and headers.
for _name in ("dicomweb_client", "urllib3", "requests"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class UnreachableError(UserError):
    """The server does not answer, or not now; the same request may succeed later."""


class RequestError(UserError):
    """The server answers, but not this request."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series as the server lists it."""

    study_uid: str
    series_uid: str
    body_part: str
    """In upper case, without outer blanks; empty where the server does not say."""
    instances: int | None
    """Their number; None where the server does not say."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a study as the server lists it."""

    series_uid: str
    instance_uid: str
    class_uid: str


def require_url(url: str) -> str:
    """Return the base URL of a server without a final slash; raises `ConfigError` for no such URL.

    An account is no part of it: it would stand in logs and in the list of processes.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"--dicomweb: {url!r} is no address such as http://HOST:8042/dicom-web")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"--dicomweb: has an account in it; give it in {USER} and {PASSWORD}")
    if parts.query or parts.fragment:
        raise ConfigError(f"--dicomweb: {url!r} has a part behind its path; give the base address")
    return url.rstrip("/")


class Server:
    """A DICOMweb server.

    Args:
        url: its base address (`require_url`).
        environment: with the account of basic authentication, if there is one.
    """

    def __init__(self, url: str, environment: Mapping[str, str] = os.environ) -> None:
        self.url = url
        session = requests.Session()
        if environment.get(USER):
            session.auth = (environment[USER], environment.get(PASSWORD, ""))
        self._client = DICOMwebClient(
            url, session, chunk_size=_CHUNK, permissive_uid=True, timeout=_TIMEOUT
        )
        self._client.set_http_retry_params(retry=False)

    def series(self, modality: str, since: str | None) -> list[Series]:
        """Return all series of a modality.

        Args:
            modality: such as CR or DX.
            since: the earliest Study Date, as YYYYMMDD; None: any.

        Raises:
            UnreachableError: if the server does not list them.
            ConfigError: if it refuses the account.
        """
        filters = {"Modality": modality} | ({"StudyDate": f"{since}-"} if since else {})

        def page(offset: int) -> list[dict[str, Any]]:
            return self._client.search_for_series(
                fields=["BodyPartExamined", "NumberOfSeriesRelatedInstances"],
                search_filters=filters,
                limit=_PAGE,
                offset=offset,
            )

        with self._answering("its list of series", RequestError):
            entries = _all_pages(page, "0020000E")
        return [
            Series(
                _value(entry, "0020000D"),
                _value(entry, "0020000E"),
                " ".join(_value(entry, "00180015").upper().split()),
                _number(entry, "00201209"),
            )
            for entry in entries
            if _value(entry, "0020000D")
        ]

    def instances(self, study_uid: str) -> list[Instance]:
        """Return all instances of a study; none if the server does not have it (any more).

        Raises as `fetch` does.
        """

        def page(offset: int) -> list[dict[str, Any]]:
            return self._client.search_for_instances(
                study_uid,
                fields=["SOPClassUID", "SeriesInstanceUID"],
                limit=_PAGE,
                offset=offset,
            )

        with self._answering("its list of instances", RequestError):
            try:
                entries = _all_pages(page, "00080018")
            except requests.HTTPError as error:
                if _status(error) != HTTPStatus.NOT_FOUND:
                    raise
                entries = []
        return [
            Instance(*(_value(entry, tag) for tag in ("0020000E", "00080018", "00080016")))
            for entry in entries
        ]

    def fetch(self, study_uid: str, instance: Instance) -> bytes:
        """Return an instance as a file, in the transfer syntax in which the server has it.

        Raises:
            UnreachableError: if the server does not answer, or not now.
            RequestError: if it does not give this instance.
            ConfigError: if it refuses the account.
        """
        with self._answering("an instance", RequestError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header that is not valid
            found = self._client.retrieve_instance(
                study_uid, instance.series_uid, instance.instance_uid
            )
            file = io.BytesIO()
            # Elements that were not asked for are written as they came.
            dcmwrite(file, found, enforce_file_format=True)
            return file.getvalue()

    def store(self, study_uid: str, objects: Sequence[Dataset]) -> None:
        """Send objects of a study, one after another; raises as `fetch` does.

        An object that the server has already may be answered either way; whoever must know asks
        for its list of `instances`.
        """
        for one in objects:
            with self._answering("an object", RequestError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = self._client.store_instances([one], study_uid)
                failed = answer.get("FailedSOPSequence") or []
                if len(failed):
                    reason = failed[0].get("FailureReason", 0)
                    raise RequestError(f"{self.url}: refuses an object (failure {reason:#06x})")

    @contextmanager
    def _answering(self, what: str, refusal: type[UserError]) -> Iterator[None]:
        """Raise an error of ours for one of the libraries; theirs quote addresses and headers."""
        try:
            yield
        except UserError:
            raise
        except requests.HTTPError as error:
            status = _status(error)
            if status in _NOT_ALLOWED:
                raise ConfigError(
                    f"{self.url}: refuses the account (HTTP {status}); give it in {USER} and "
                    f"{PASSWORD}"
                ) from None
            kind = UnreachableError if status in _NOT_NOW else refusal
            raise kind(f"{self.url}: does not give or take {what} (HTTP {status})") from None
        except requests.exceptions.SSLError:
            raise ConfigError(
                f"{self.url}: its certificate is not trusted; name the file of its authority in "
                "REQUESTS_CA_BUNDLE"
            ) from None
        except requests.Timeout:
            raise UnreachableError(f"{self.url}: does not answer in time") from None
        except (requests.RequestException, OSError) as error:
            raise UnreachableError(f"{self.url}: no connection ({type(error).__name__})") from None
        except MemoryError:
            raise
        except Exception as error:  # an answer that is no JSON, no DICOM, no list, ...
            raise refusal(
                f"{self.url}: its answer about {what} cannot be read ({type(error).__name__})"
            ) from None


def _status(error: requests.HTTPError) -> int:
    return 0 if error.response is None else error.response.status_code


def _all_pages(page: Callable[[int], list[dict[str, Any]]], key: str) -> list[dict[str, Any]]:
    """Return the results of all pages, each once.

    Servers cap a page at fewer results than were asked for, or ignore where it begins; so pages are
    asked for until one has nothing new.
    """
    found: dict[str, dict[str, Any]] = {}
    offset = 0
    while True:
        entries = page(offset)
        new = {_value(entry, key): entry for entry in entries}
        if not new.keys() - found.keys():
            break
        found = new | found
        offset += len(entries)
    found.pop("", None)
    return list(found.values())


def _value(entry: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an element in DICOM JSON as text; empty if there is none."""
    values = entry.get(tag, {}).get("Value") or [""]
    return str(values[0]).strip(" \0")


def _number(entry: Mapping[str, Any], tag: str) -> int | None:
    text = _value(entry, tag)
    return int(text) if text.isascii() and text.isdecimal() else None
