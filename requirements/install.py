"""Put the requirements of one purpose and the app itself into ``.venv``: ``python3 requirements/install.py test``.

Used by the Makefile. A stamp holds a digest of everything that was installed, so that a second run costs nothing; a
mark that stands while an installation runs makes the next run throw a half-installed environment away.
Written for any Python 3, so that one that is too old is told so instead of meeting a syntax error.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys

OLDEST = (3, 11)
NEWER_NAMES = ["python3.13", "python3.12", "python3.11", "python3.14"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = ".venv"
PYTHON = os.path.join(VENV, "bin", "python")
MARK = os.path.join(VENV, ".installing")


def main(purpose):
    os.chdir(ROOT)
    if sys.version_info < OLDEST:
        hand_over_to_newer_python(purpose)
    with only_one():
        stamp = os.path.join(VENV, ".installed-" + purpose)
        wanted = digest(purpose)
        if is_complete() and read(stamp) == wanted:
            return
        if not is_complete():
            shutil.rmtree(VENV, ignore_errors=True)
            create()
        write(MARK, purpose)
        install(purpose)
        write(stamp, wanted)
        os.remove(MARK)


def hand_over_to_newer_python(purpose):
    """Replace this process by a Python that is new enough; a Python that the caller named is not second-guessed."""
    if not os.environ.get("PYTHON_WAS_CHOSEN"):
        for name in NEWER_NAMES:
            path = shutil.which(name)
            # A version manager's shim may exist for a Python that is not there.
            if path and subprocess.call([path, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
                os.execv(path, [path, os.path.abspath(__file__), purpose])
    fail(
        "Python {}.{} or newer is needed, {} is {}.{}: try make PYTHON=python3.13".format(
            OLDEST[0], OLDEST[1], sys.executable, sys.version_info[0], sys.version_info[1]
        )
    )


@contextlib.contextmanager
def only_one():
    """Let a second ``make`` in the same folder wait for the first one's installation."""
    import fcntl

    with open(VENV + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_complete():
    """Whether the environment is one of this folder (not a copy of another's), whole, and still has its Python."""
    if not os.path.exists(PYTHON) or os.path.exists(MARK) or read(os.path.join(VENV, ".root")) != ROOT:
        return False
    return subprocess.call([PYTHON, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def create():
    """An empty environment, made by uv where it is present, otherwise by Python's own venv."""
    # The environment that is active may be the one that was just thrown away.
    python = getattr(sys, "_base_executable", sys.executable)
    if uv():
        run([uv(), "venv", "--quiet", "--python", python, VENV])
    else:
        try:
            import ensurepip  # noqa: F401
            import venv  # noqa: F401
        except ImportError:
            fail("this Python cannot make environments: install python3-venv (Debian, Ubuntu) or uv")
        run([python, "-m", "venv", VENV])
    write(os.path.join(VENV, ".root"), ROOT)


def install(purpose):
    """The pinned packages, then the app itself, editable."""
    if uv():
        command = [uv(), "pip", "install", "--quiet", "--python", PYTHON]
    else:
        if subprocess.call([PYTHON, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            run([PYTHON, "-m", "ensurepip"])
        command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    say("installing requirements/{}.txt into {}".format(purpose, VENV))
    run(command + ["-r", "requirements/{}.txt".format(purpose)])
    run(command + ["--no-deps", "--editable", "."])


def digest(purpose):
    """Changes whenever what would be installed changes."""
    version = re.search("^__version__.*$", read("proctoring/__init__.py"), re.M)
    parts = [read(path) for path in closure("requirements/{}.txt".format(purpose))]
    parts += [read("setup.py"), version.group() if version else ""]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def closure(path):
    """The file and everything it includes by ``-r``."""
    found = [path]
    for name in re.findall(r"^-r (\S+)", read(path), re.M):
        found += closure(os.path.join(os.path.dirname(path), name))
    return found


def uv():
    """The path of uv, or nothing; ``UV=`` in the environment turns it off."""
    wish = os.environ.get("UV")
    return shutil.which("uv" if wish is None else wish) if wish != "" else None


def run(command):
    code = subprocess.call(command)
    if code:
        fail("{} failed with {}".format(" ".join(command), code))


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def say(text):
    print(text, flush=True)


def fail(text):
    sys.exit("error: " + text)


if __name__ == "__main__":
    main(sys.argv[1])
