"""The one course of the demo and its people: exams as proctoring gets them, and their questions."""

from typing import Any, NamedTuple

SLUG = "weather"
TITLE = "How weather works"
DESCRIPTION = "A first course about wind, water and temperature, with five ways of being examined."

EXAMS: list[dict[str, Any]] = [
    {
        "content_id": "practice",
        "name": "Practice: try out the proctoring",
        "exam_type": "practice",
        "time_limit_minutes": 10,
        "backend": "simulator",
    },
    {
        "content_id": "onboarding",
        "name": "Onboarding: let the proctors get to know you",
        "exam_type": "onboarding",
        "time_limit_minutes": 10,
        "backend": "simulator",
    },
    {
        "content_id": "quiz",
        "name": "Timed quiz: air and water",
        "exam_type": "timed",
        "time_limit_minutes": 30,
    },
    {
        "content_id": "final",
        "name": "Final exam: reading the weather",
        "exam_type": "proctored",
        "time_limit_minutes": 45,
        "backend": "simulator",
        "allow_opt_out": True,
        "review_policy": "A sheet of paper and a pen are allowed, a telephone is not.",
    },
    {
        "content_id": "live",
        "name": "Live exam: forecast with a proctor beside you",
        "exam_type": "proctored",
        "time_limit_minutes": 20,
        "backend": "simulator",
    },
]


class Login(NamedTuple):
    """The password is the name: this is a demo on one's own machine."""

    name: str
    full_name: str
    what: str


LOGINS = [
    Login("candidate", "Kim Candidate", "takes the exams"),
    Login("staff", "Sam Staff", "teaches the course, sees its attempts and books its proctors in the admin"),
    Login("admin", "Alex Admin", "may do everything in the admin"),
]


class Item(NamedTuple):
    text: str
    choices: tuple[str, ...] = ()


QUESTIONS: dict[str, list[Item]] = {
    "practice": [
        Item("Which of these is a kind of cloud?", ("Cumulus", "Abacus", "Crocus")),
        Item("Look out of the window: what is the weather like?"),
        Item("How do you feel about exams?", ("Fine", "A little nervous", "Ask me tomorrow")),
    ],
    "onboarding": [
        Item("Hold your identity card into the camera. Which colour has it?"),
    ],
    "quiz": [
        Item(
            "Warm air rises because it is …",
            ("less dense than the air around it", "wetter than the air around it", "pulled up by the sun"),
        ),
        Item(
            "Which instrument measures air pressure?",
            ("Hygrometer", "Barometer", "Anemometer", "Thermometer"),
        ),
        Item("At which temperature, in degrees Celsius, does fresh water freeze at sea level?"),
        Item(
            "Dew forms on grass in the morning because …",
            ("the grass cools the air next to it below its dew point", "plants sweat at night", "fog falls down"),
        ),
        Item("Name one way in which heat moves from one place to another."),
    ],
    "final": [
        Item(
            "On a weather map, lines of equal air pressure lie close together. What do you expect there?",
            ("Strong wind", "Calm air", "Certain rain", "A clear night"),
        ),
        Item(
            "North of the equator, air around a low-pressure area turns …",
            ("counter-clockwise", "clockwise", "not at all"),
        ),
        Item("A warm front approaches. Describe in one sentence how the clouds change."),
        Item(
            "Why do coasts have milder winters than places far inland?",
            (
                "Water stores heat and gives it off slowly",
                "Salt in the air keeps it warm",
                "The sun shines longer by the sea",
            ),
        ),
        Item("Thunder follows a flash after nine seconds. About how many kilometres away was it?"),
        Item("Give one reason why a forecast for tomorrow is better than one for next week."),
    ],
    "live": [
        Item("Tell your proctor, then write here: what will the weather be like tomorrow where you live?"),
        Item(
            "The pressure has been falling since noon. What is likely to come?",
            ("Wind and rain", "A clear and cold night", "No change"),
        ),
    ],
}
"""By content id; an item without choices wants a short text."""
