"""Personal data: under which names vendors know people, what is kept how long, and how a person is forgotten."""
