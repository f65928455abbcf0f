"""Passes over a server: what is new is fetched, scored and answered, each image once."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from elbow_core.errors import MachineError, RadiographError
from elbow_core.printable import one_line
from reading_room import dicom
from reading_room.inference import Classifier
from reading_room.watch.server import Instance, RequestError, Series, Server, UnreachableError
from reading_room.watch.state import OWN, REJECTED, SENT, State

LONGEST_PAUSE = 300.0
"""Seconds between two tries at most, after errors."""
_FIRST_PAUSE = 1.0
_FIRST_IMAGE_PAUSE = 60.0  # seconds, for an image or results that the server refuses
_LONGEST_IMAGE_PAUSE = 3600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which series are radiographs to score."""

    body_parts: frozenset[str]
    """In upper case; empty: any."""
    modalities: tuple[str, ...]
    days: int | None
    """Of studies back from today; None: any."""

    def since(self) -> str | None:
        """Return the earliest Study Date, as YYYYMMDD."""
        if self.days is None:
            return None
        return f"{date.today() - timedelta(days=self.days):%Y%m%d}"


@dataclass(slots=True)
class Counts:
    """What a pass has done, in images."""

    scored: int = 0
    rejected: int = 0
    postponed: int = 0

    def __str__(self) -> str:
        parts = [f"{self.scored} images scored"]
        if self.rejected:
            parts.append(f"{self.rejected} without a usable image")
        if self.postponed:
            parts.append(f"{self.postponed} to be tried again")
        return ", ".join(parts)


@dataclass(slots=True)
class _Pauses:
    """Images that are tried again later, by UID: when, and the pause after that."""

    planned: dict[str, tuple[float, float]] = field(default_factory=dict)

    def is_due(self, uid: str) -> bool:
        return self.planned.get(uid, (0.0, 0.0))[0] <= time.monotonic()

    def postpone(self, uid: str) -> float:
        """Return the seconds until an image is tried again; they double each time."""
        pause = self.planned.get(uid, (0.0, _FIRST_IMAGE_PAUSE))[1]
        self.planned[uid] = (time.monotonic() + pause, min(2 * pause, _LONGEST_IMAGE_PAUSE))
        return pause


class Watcher:
    """Makes passes over a server.

    Args:
        server: to watch.
        state: what is done.
        classifier: scores.
        wanted: which series.

    Attributes:
        progress: images that are done since the start, to see whether a pass that failed got on.
    """

    def __init__(
        self, server: Server, state: State, classifier: Classifier, wanted: Wanted
    ) -> None:
        self._server = server
        self._state = state
        self._classifier = classifier
        self._settings = classifier.algorithm.settings()
        self._wanted = wanted
        self._pauses = _Pauses()
        self.progress = 0

    def make_pass(self) -> Counts:
        """Score every wanted image that is new, and send its results.

        Raises:
            UnreachableError: if the server does not answer; what is done is kept.
            UserError: if the model was replaced, or the state cannot be written.
        """
        counts = Counts()
        for series in self._new_series():
            self._handle(series, counts)
        return counts

    def _new_series(self) -> Iterator[Series]:
        wanted = self._wanted
        for modality in wanted.modalities:
            try:
                listed = self._server.series(modality, wanted.since())
            except RequestError as error:  # No list, no work: as if it did not answer.
                raise UnreachableError(str(error)) from None
            for series in listed:
                is_wanted = not wanted.body_parts or series.body_part in wanted.body_parts
                if is_wanted and not self._state.is_finished(series.series_uid, series.instances):
                    yield series

    def _handle(self, series: Series, counts: Counts) -> None:
        try:
            instances = self._server.instances(series.study_uid)
        except RequestError as error:
            self._postpone(series.series_uid, f"series {series.series_uid}", error, counts)
            return
        own = [one for one in instances if one.series_uid == series.series_uid]
        images = [one for one in own if one.class_uid in dicom.RADIOGRAPHS]
        if own and not images and not self._is_ours(series, instances):
            counts.rejected += 1
            _say(f"series {series.series_uid}: has no usable image, only objects of other kinds")
        present = {one.instance_uid for one in instances}
        done = [self._finish(series, image, present, counts) for image in images]
        if all(done) and own:
            self._state.finish_series(series.series_uid, series.instances)

    def _is_ours(self, series: Series, instances: Sequence[Instance]) -> bool:
        """Return whether a series has results of this model."""
        sources = {one.series_uid for one in instances}
        ours = {uid for source in sources for uid in dicom.series_uids(source, self._settings)}
        return series.series_uid in ours

    def _finish(self, series: Series, image: Instance, present: set[str], counts: Counts) -> bool:
        """Score an image unless that is done; return whether it is done now."""
        uid = image.instance_uid
        if self._state.outcome(uid) is not None:
            return True
        if not self._pauses.is_due(uid):
            counts.postponed += 1
            return False
        self._classifier.require_unchanged()
        try:
            outcome = self._score(series, image, present)
        except RadiographError as error:
            _say(str(error))
            counts.rejected += 1
            outcome = REJECTED
        except (RequestError, MachineError) as error:
            self._postpone(uid, f"image {uid}", error, counts)
            return False
        self._state.finish(uid, outcome)
        self.progress += 1
        counts.scored += outcome == SENT
        return True

    def _score(self, series: Series, image: Instance, present: set[str]) -> str:
        """Send the results of an image that the server does not have; return the outcome."""
        uid, server = image.instance_uid, self._server
        uids = dicom.object_uids(uid, self._settings)
        if present >= set(uids):
            return SENT
        name = f"image {uid}"
        data = server.fetch(series.study_uid, image)
        source = dicom.read_source(data, name)
        if source.header.get("Manufacturer") == dicom.MANUFACTURER:
            return OWN
        if source.instance_uid != uid:
            raise RadiographError(f"{name}: the server gives another image under this UID")
        finding = self._classifier.classify(data, name)
        algorithm = self._classifier.algorithm
        made = dicom.make_objects(source, finding, algorithm, self._state.moment(uid))
        missing = [one for _, one in made.named() if one.SOPInstanceUID not in present]
        server.store(series.study_uid, missing)
        return SENT

    def _postpone(self, uid: str, name: str, error: Exception, counts: Counts) -> None:
        pause = self._pauses.postpone(uid)
        counts.postponed += 1
        _say(f"{name}: {error}; tried again in {pause:.0f} s")


def keep_watching(watcher: Watcher, interval: float, once: bool) -> int:
    """Make passes until the process is stopped, or one; return the exit status.

    After an error the pause doubles with each further one, up to `LONGEST_PAUSE`.

    Args:
        watcher: makes the passes.
        interval: seconds between them.
        once: whether to make a single pass; an error then ends it.

    Raises:
        UnreachableError: with ``once``.
        UserError: as `Watcher.make_pass` does.
    """
    pause, progress = _FIRST_PAUSE, 0
    while True:
        try:
            counts = watcher.make_pass()
        except UnreachableError as error:
            if once:
                raise
            if watcher.progress > progress:
                pause, progress = _FIRST_PAUSE, watcher.progress
            _say(f"{error}; trying again in {pause:.0f} s")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        pause = _FIRST_PAUSE
        if once or counts.scored or counts.rejected:
            print(counts, flush=True)
        if once:
            return 2 if counts.rejected or counts.postponed else 0
        time.sleep(interval)


def _say(line: str) -> None:
    print(f"error: {one_line(line)}", file=sys.stderr, flush=True)
