"""Where the demo keeps its data and at which addresses it answers."""

from __future__ import annotations

import argparse
import json
import os
import secrets
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    data: Path
    port: int
    simulator_port: int
    require_onboarding: bool = False
    """The vendor wants to know candidates before their first proctored exam."""

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def simulator_address(self) -> str:
        return f"http://{HOST}:{self.simulator_port}"

    @property
    def database(self) -> Path:
        return self.data / "db.sqlite3"

    @property
    def vendor_memory(self) -> Path:
        return self.data / "simulator.json"

    @property
    def webhook_secret(self) -> str:
        """The secret with which the vendor signs its messages."""
        return "whsec_" + b64encode(self.key("webhook").encode()).decode()

    def key(self, name: str) -> str:
        """A secret of this installation, made when it is first asked for. Nothing secret is in the repository."""
        kept = json.loads(self._keys.read_text(encoding="utf-8")) if self._keys.exists() else {}
        if name not in kept:
            kept[name] = secrets.token_urlsafe(48)
            self.data.mkdir(parents=True, exist_ok=True)
            new = self._keys.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text(json.dumps(kept, indent=2), encoding="utf-8")
            new.replace(self._keys)
        return str(kept[name])

    def clear(self) -> None:
        """Forget everything that the demo has written, and nothing else that may be in the folder."""
        for path in (self._keys, self.vendor_memory, *self.data.glob("db.sqlite3*")):
            path.unlink(missing_ok=True)

    @property
    def _keys(self) -> Path:
        return self.data / "keys.json"


def current() -> Place:
    """The place that the environment names; ``use`` writes it there."""
    return Place(
        data=Path(_environment("DEMO_DATA", str(ROOT / "var" / "demo"))),
        port=int(_environment("DEMO_PORT", "8000")),
        simulator_port=int(_environment("DEMO_SIMULATOR_PORT", "9100")),
        require_onboarding=bool(_environment("DEMO_REQUIRE_ONBOARDING", "")),
    )


def use(options: argparse.Namespace) -> Place:
    """Make the command line's wishes those of the whole process, Django's settings included."""
    os.environ["DEMO_DATA"] = str(options.data.resolve())
    os.environ["DEMO_PORT"] = str(options.port)
    os.environ["DEMO_SIMULATOR_PORT"] = str(options.simulator_port)
    os.environ["DEMO_REQUIRE_ONBOARDING"] = "yes" if options.require_onboarding else ""
    return current()


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The options that ``use`` wants. Defaults stay text: what the environment says wrong, argparse complains about."""
    made = argparse.ArgumentParser(prog=prog, description=description)
    port, vendors = _environment("DEMO_PORT", "8000"), _environment("DEMO_SIMULATOR_PORT", "9100")
    data = _environment("DEMO_DATA", str(ROOT / "var" / "demo"))
    made.add_argument("--port", type=int, default=port, help="of the LMS (DEMO_PORT, %(default)s)")
    made.add_argument("--simulator-port", type=int, default=vendors, help="of the vendor (%(default)s)")
    made.add_argument("--data", type=Path, default=data, metavar="FOLDER", help="what is kept (%(default)s)")
    made.add_argument(
        "--require-onboarding",
        action="store_true",
        default=bool(_environment("DEMO_REQUIRE_ONBOARDING", "")),
        help="the vendor takes nobody to a proctored exam whose onboarding it has not approved",
    )
    return made


def _environment(name: str, otherwise: str) -> str:
    """An empty variable counts as none: ``make`` exports it so."""
    return os.environ.get(name) or otherwise
