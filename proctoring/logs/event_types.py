"""Every type of event: the vendors' ids as the field uses them, our own from 1 000. One entry a type, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Severity(StrEnum):
    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ALERT = "alert"


class Source(StrEnum):
    """Who may report a type."""

    SERVICE = "service"
    PAGE = "page"
    LMS = "lms"
    VENDOR = "vendor"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventType:
    """``name`` is the field's word for it and never translated; ``label`` and ``description`` are ours and are."""

    code: int
    name: str
    category: str
    severity: Severity
    label: Promise
    description: Promise
    sources: frozenset[Source]
    acs_action: str = ""
    """How the ACS log reads it; empty: not a row there."""
    reason_code: int | None = None
    """The reason that the ACS log gives where nobody named one."""
    candidate_action: str = ""
    """How the candidate log reads it; empty: not a row there."""


FIRST_OWN = 1000
"""Ids below are the vendors'."""

_FROM_VENDORS = frozenset({Source.VENDOR, Source.PAGE})


def _vendor(code: int, name: str, category: str, severity: Severity, label: Promise, description: Promise) -> EventType:
    return EventType(
        code=code,
        name=name,
        category=category,
        severity=severity,
        label=label,
        description=description,
        sources=_FROM_VENDORS,
        acs_action="flag" if severity in (Severity.WARNING, Severity.ALERT) else "log",
    )


def _own(
    code: int,
    name: str,
    category: str,
    severity: Severity,
    sources: str,
    label: Promise,
    description: Promise,
    *,
    acs: str = "",
    reason: int | None = None,
    candidate: str = "",
) -> EventType:
    return EventType(
        code=code,
        name=name,
        category=category,
        severity=severity,
        label=label,
        description=description,
        sources=frozenset(Source(source) for source in sources.split()),
        acs_action=acs,
        reason_code=reason,
        candidate_action=candidate,
    )


_I, _N, _W, _A = Severity.INFO, Severity.NOTICE, Severity.WARNING, Severity.ALERT

# fmt: off
_VENDORS = (
    _vendor(3, "Session Joined", "session", _I,
            _("Session joined"), _("The candidate entered the proctored session.")),
    _vendor(4, "Window Focus-In", "focus", _I,
            _("Back in the exam window"), _("The exam window became the active window again.")),
    _vendor(5, "Window Focus-Out", "focus", _W,
            _("Exam window left"), _("Another window or program became active.")),
    _vendor(6, "User Idle", "activity", _N,
            _("Idle"), _("No keyboard or pointer input for a while.")),
    _vendor(7, "User Active", "activity", _I,
            _("Active again"), _("Keyboard or pointer input after a quiet time.")),
    _vendor(9, "Socket connection success", "connectivity", _I,
            _("Live connection established"), _("The live connection to the proctoring service works.")),
    _vendor(10, "Socket disconnected", "connectivity", _N,
            _("Live connection lost"), _("The live connection to the proctoring service broke off.")),
    _vendor(12, "Screen-capture Stopped", "screen", _W,
            _("Screen sharing ended"), _("The picture of the screen is no longer transmitted.")),
    _vendor(13, "Recording Started", "recording", _I,
            _("Recording begun"), _("The session is being recorded.")),
    _vendor(14, "Recording Stopped", "recording", _N,
            _("Recording ended"), _("The session is no longer being recorded.")),
    _vendor(15, "Face Detected", "face", _I,
            _("Face visible"), _("The camera sees a face.")),
    _vendor(16, "Face Not Detected", "face", _W,
            _("No face visible"), _("The camera sees no face.")),
    _vendor(17, "Notification Permission Granted", "permission", _I,
            _("Notifications allowed"), _("The browser may show messages of the proctoring service.")),
    _vendor(18, "Notification Permission Denied", "permission", _N,
            _("Notifications refused"), _("The browser will not show messages of the proctoring service.")),
    _vendor(26, "Camera Test Passed", "precheck", _I,
            _("Camera works"), _("The camera passed the check before the exam.")),
    _vendor(27, "Camera Test Failed", "precheck", _W,
            _("Camera does not work"), _("The camera did not pass the check before the exam.")),
    _vendor(34, "Audio Test Passed", "precheck", _I,
            _("Microphone works"), _("The microphone passed the check before the exam.")),
    _vendor(60, "Camera Detected", "precheck", _I,
            _("Camera found"), _("A camera is connected.")),
    _vendor(81, "Multiple Face Detected", "face", _A,
            _("Several faces visible"), _("The camera sees more than one face.")),
    _vendor(113, "Session Completed", "session", _I,
            _("Session finished"), _("The proctored session came to its regular end.")),
    _vendor(145, "Photo ID capture", "identity", _I,
            _("Photo of an identity document"), _("The candidate was asked to photograph an identity document.")),
    _vendor(146, "Face capture", "identity", _I,
            _("Photo of the face"), _("The candidate was asked for a photo of the face.")),
    _vendor(149, "Screen Capture Enabled", "screen", _I,
            _("Screen sharing begun"), _("The picture of the screen is transmitted.")),
    _vendor(150, "Screen Capture Denied", "screen", _W,
            _("Screen sharing refused"), _("The candidate did not allow the screen to be transmitted.")),
    _vendor(154, "Face capture Success", "identity", _I,
            _("Photo of the face taken"), _("The photo of the face was accepted.")),
    _vendor(155, "Face capture Failure", "identity", _W,
            _("Photo of the face failed"), _("No usable photo of the face could be taken.")),
    _vendor(156, "ID card capture success", "identity", _I,
            _("Identity document photographed"), _("The photo of the identity document was accepted.")),
    _vendor(158, "Socket connection failure", "connectivity", _N,
            _("Live connection failed"), _("The live connection to the proctoring service could not be established.")),
    _vendor(159, "Audio device detected", "precheck", _I,
            _("Microphone found"), _("A microphone is connected.")),
    _vendor(161, "Environment test capture success", "precheck", _I,
            _("Room shown"), _("The pictures of the room were accepted.")),
    _vendor(169, "Mobile Phone Detected", "object", _A,
            _("Telephone visible"), _("The camera sees a mobile telephone.")),
    _vendor(170, "Book detected", "object", _A,
            _("Book visible"), _("The camera sees a book.")),
    _vendor(181, "Candidate Offline", "connectivity", _N,
            _("Candidate offline"), _("The proctoring service does not hear from the candidate's computer.")),
)

_OWN = (
    _own(1001, "attempt created", "lifecycle", _I, "service",
         _("Attempt created"), _("The candidate opened an attempt at the exam.")),
    _own(1002, "exam started", "lifecycle", _I, "service",
         _("Exam started"), _("The candidate began and the clock runs."),
         acs="start", candidate="Exam started"),
    _own(1003, "page visited", "navigation", _I, "page lms",
         _("Page visited"), _("The candidate opened a page that is no question."),
         candidate="Page visited"),
    _own(1004, "question visited", "navigation", _I, "page lms",
         _("Question visited"), _("The candidate opened a question."),
         acs="navigation", candidate="Question visited"),
    _own(1005, "question answered", "answers", _I, "page lms",
         _("Question answered"), _("The candidate entered an answer."),
         candidate="Question answered"),
    _own(1006, "answer saved", "answers", _I, "lms",
         _("Answer saved"), _("The answer was received and stored."),
         candidate="Candidate save answer"),
    _own(1007, "exam completed", "lifecycle", _I, "service",
         _("Exam completed"), _("The candidate handed in."),
         acs="submission", candidate="Exam completed"),
    _own(1008, "exam timed out", "lifecycle", _N, "service",
         _("Time ran out"), _("The deadline passed before the candidate handed in."),
         acs="submission"),
    _own(1010, "paused", "lifecycle", _N, "service",
         _("Paused"), _("The clock was stopped."),
         acs="pause", candidate="Exam paused"),
    _own(1011, "resumed", "lifecycle", _N, "service",
         _("Resumed"), _("The clock runs again after a pause."),
         acs="resume", candidate="Exam resumed"),
    _own(1012, "extra time granted", "time", _N, "service",
         _("Extra time granted"), _("Minutes were added to this attempt."),
         acs="update", candidate="Extra time granted"),
    _own(1013, "terminated", "lifecycle", _A, "service",
         _("Terminated"), _("The attempt was ended against the candidate's will."),
         acs="terminate"),
    _own(1014, "voided", "lifecycle", _A, "service",
         _("Voided"), _("The attempt was annulled."),
         acs="termination", candidate="Voided"),
    _own(1015, "reset", "lifecycle", _N, "service",
         _("Reset"), _("The attempt was annulled and a new one was granted."),
         acs="reset"),
    _own(1016, "resume authorised", "lifecycle", _N, "service",
         _("Resume authorised"), _("The candidate may go on with the time that was left."),
         acs="log"),
    _own(1017, "flagged", "incident", _W, "service vendor",
         _("Flagged"), _("A person or the proctoring service marked this moment."),
         acs="flag"),
    _own(1018, "incident reported as error", "incident", _W, "service page",
         _("Error reported"), _("Something broke and the attempt could not go on."),
         acs="log"),
    _own(1020, "heartbeat lost", "connectivity", _W, "service",
         _("Contact lost"), _("Nothing was heard from the candidate's page."),
         acs="log", reason=40030, candidate="Heartbeat lost"),
    _own(1021, "heartbeat restored", "connectivity", _N, "service",
         _("Contact restored"), _("The candidate's page is heard again."),
         acs="log", reason=40030, candidate="Heartbeat restored"),
    _own(1022, "connection quality changed", "connectivity", _I, "service",
         _("Connection quality changed"), _("The connection became noticeably better or worse.")),
    _own(1023, "network address changed", "connectivity", _N, "service",
         _("Network address changed"), _("The candidate goes on from another network address."),
         acs="flag", reason=20999),
    _own(1030, "full screen left", "focus", _W, "page vendor",
         _("Full screen left"), _("The exam no longer fills the screen."),
         acs="flag", reason=20060, candidate="Left full screen"),
    _own(1031, "full screen entered", "focus", _I, "page vendor",
         _("Full screen entered"), _("The exam fills the screen."),
         acs="log", reason=20060),
    _own(1032, "window or tab left", "focus", _W, "page",
         _("Window or tab left"), _("Another window or browser tab came to the front."),
         acs="flag", reason=20060),
    _own(1033, "window or tab returned", "focus", _I, "page",
         _("Window or tab returned"), _("The exam came to the front again."),
         acs="log", reason=20060),
    _own(1034, "context menu blocked", "integrity", _N, "page",
         _("Context menu blocked"), _("The candidate tried to open the context menu."),
         acs="flag", reason=20999),
    _own(1035, "forbidden command blocked", "integrity", _N, "page",
         _("Command blocked"), _("The candidate tried a key or command that is not allowed."),
         acs="flag", reason=20999),
    _own(1036, "browser inspector detected", "integrity", _A, "page vendor",
         _("Browser inspector open"), _("The browser's developer tools were opened."),
         acs="flag", reason=20999, candidate="Browser inspector detected"),
    _own(1040, "client error", "technical", _N, "page",
         _("Error in the page"), _("The candidate's page reported a fault."),
         acs="log", reason=40999),
    _own(1041, "navigation data", "navigation", _I, "lms",
         _("Navigation data"), _("The learning system reported how the candidate moved through the exam."),
         acs="navigation", reason=40999),
    _own(1050, "command sent", "command", _I, "service",
         _("Command sent"), _("A message or command was sent to the candidate's page."),
         acs="log"),
    _own(1051, "command seen", "command", _I, "service",
         _("Command seen"), _("The candidate's page received the command."),
         acs="log"),
    _own(1052, "command applied", "command", _I, "service",
         _("Command applied"), _("The candidate's page carried the command out."),
         acs="log"),
    _own(1060, "review received", "review", _I, "service",
         _("Review received"), _("The proctoring service or a person reviewed the attempt."),
         acs="log"),
    _own(1061, "verdict changed", "review", _N, "service",
         _("Verdict changed"), _("The outcome of the attempt became another one."),
         acs="log"),
    _own(1062, "time corrected", "time", _N, "service",
         _("Time corrected"), _("Staff corrected the attempt's time."),
         acs="update"),
    _own(1063, "log sealed", "evidence", _I, "service",
         _("Log sealed"), _("The log so far was sealed against changes."),
         acs="log"),
)
# fmt: on

EVENT_TYPES: dict[int, EventType] = {one.code: one for one in (*_VENDORS, *_OWN)}
