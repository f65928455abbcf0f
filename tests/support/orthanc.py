"""A real Orthanc on a free port of this machine, which can be killed and started again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

PROGRAM = "/usr/sbin/Orthanc"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_PATIENCE = 120.0  # seconds, on a machine with other work


def require_orthanc() -> None:
    """Skip the test where Orthanc or its plugin is not installed."""
    if not (Path(PROGRAM).is_file() and Path(PLUGIN).is_file()):
        pytest.skip("Orthanc is not installed (apt-get install orthanc orthanc-dicomweb)")


class Orthanc:
    """A server with DICOMweb and its own storage in a folder; ended by its process id."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        folder.mkdir(parents=True, exist_ok=True)
        self._configuration = folder / "orthanc.json"
        content = {
            "Name": "TEST",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [PLUGIN],
            "HttpPort": self.port,
            "DicomServerEnabled": False,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **settings,
        }
        self._configuration.write_text(json.dumps(content))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Of DICOMweb."""
        return f"{self.address}/dicom-web"

    def start(self, account: tuple[str, str] | None = None) -> None:
        """Start the server, and wait until it answers."""
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [PROGRAM, str(self._configuration)], stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        last = time.monotonic() + _PATIENCE
        while time.monotonic() < last:
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            try:
                if requests.get(f"{self.url}/studies?limit=1", auth=account, timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise AssertionError("Orthanc does not answer")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the server."""
        if self._process is not None:
            os.kill(self._process.pid, number)
            self._process.wait(timeout=_PATIENCE)
            self._process = None

    def remove(self) -> None:
        """End the server, and remove what it stored."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def put(self, data: bytes) -> None:
        """Store a file, by Orthanc's own interface."""
        requests.post(f"{self.address}/instances", data=data, timeout=60).raise_for_status()

    def instances(self) -> list[dict[str, Any]]:
        """Return what Orthanc knows of all instances."""
        query = {"Level": "Instance", "Expand": True, "Query": {}}
        answer = requests.post(f"{self.address}/tools/find", json=query, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def identifiers(self) -> list[str]:
        """Return Orthanc's identifiers of all instances."""
        answer = requests.get(f"{self.address}/instances", timeout=120)
        answer.raise_for_status()
        return answer.json()

    def file(self, identifier: str) -> bytes:
        """Return the bytes of an instance by its Orthanc identifier."""
        return requests.get(f"{self.address}/instances/{identifier}/file", timeout=60).content

    def delete(self, identifier: str) -> None:
        """Delete an instance by its Orthanc identifier."""
        requests.delete(f"{self.address}/instances/{identifier}", timeout=60).raise_for_status()
