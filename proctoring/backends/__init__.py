"""``backends["alias"]``: the configured vendors. One that cannot be loaded is reported and the others go on working."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from threading import RLock

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from proctoring.backends.base import Backend
from proctoring.backends.null import NullBackend
from proctoring.conf import SETTING, settings
from proctoring.errors import UnknownBackend

ENTRY_POINTS = "proctoring.backends"
NULL = "null"


class Backends(Mapping[str, Backend]):
    """Alias → instance. Settings win over an entry point of the same name. Instances are made at first use."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._instances: dict[str, Backend] = {}
        self._broken: dict[str, str] = {}
        self._plugins: dict[str, EntryPoint] | None = None

    def __getitem__(self, alias: str) -> Backend:
        """Return the vendor; raises ``UnknownBackend`` (with the import failure, where there was one)."""
        with self._lock:
            if alias not in self._instances:
                self._instances[alias] = self._make(alias)
            return self._instances[alias]

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((NULL, *settings.backends, *self._installed()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, alias: object) -> bool:
        return alias == NULL or alias in settings.backends or alias in self._installed()

    def default(self) -> str:
        """The alias for exams that name none."""
        return settings.default_backend

    def broken(self) -> Mapping[str, str]:
        """Alias → why it cannot be used. Loads every vendor."""
        for alias in self:
            try:
                self[alias]
            except UnknownBackend:
                continue
        return dict(self._broken)

    def forget(self) -> None:
        """Load everything again at the next use: settings or installed packages have changed."""
        with self._lock:
            self._instances.clear()
            self._broken.clear()
            self._plugins = None

    def _installed(self) -> dict[str, EntryPoint]:
        if self._plugins is None:
            self._plugins = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
        return self._plugins

    def _make(self, alias: str) -> Backend:
        if alias in self._broken:
            raise UnknownBackend(self._broken[alias])
        if alias not in self:
            raise UnknownBackend(f"No backend is configured as {alias!r}; configured are {', '.join(self)}.")
        try:
            backend = self._load(alias)
        # A plugin is foreign code: whatever its import or constructor raises must not take the other vendors down.
        except Exception as failure:
            self._broken[alias] = f"The backend {alias!r} cannot be loaded: {type(failure).__name__}: {failure}"
            raise UnknownBackend(self._broken[alias]) from failure
        backend.alias = alias
        return backend

    def _load(self, alias: str) -> Backend:
        entry = settings.backends.get(alias)
        if entry is None and alias == NULL:
            return NullBackend()
        cls = self._installed()[alias].load() if entry is None else import_string(entry["BACKEND"])
        if not (isinstance(cls, type) and issubclass(cls, Backend)):
            raise TypeError(f"{cls!r} is not a subclass of proctoring.backends.base.Backend")
        return cls(**(entry or {}).get("OPTIONS", {}))


backends = Backends()


def _forget(*, setting: str, **_: object) -> None:
    if setting == SETTING:
        backends.forget()


setting_changed.connect(_forget, dispatch_uid="proctoring.backends")
