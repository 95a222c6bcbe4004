"""The access token of the reference wire: OAuth 2 client credentials, fetched when needed, shared by threads."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

from proctoring.backends.http import HttpClient
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected

TOKEN_PATH = "/oauth2/access_token"  # noqa: S105 - a path

_DEFAULT_LIFETIME = 300.0
_MAX_LIFETIME = 24 * 3600.0
_MARGIN = 30.0  # seconds before its end at which a token is no longer used; never more than a tenth of its life
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class ClientCredentials:
    """One token at a time; threads that need one while it is being fetched wait for that one answer."""

    def __init__(self, *, http: HttpClient, client_id: str, client_secret: str, scheme: str) -> None:
        self.scheme = scheme
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.scheme}>"

    def current(self) -> str:
        """Return a token that is good by its own expiry. Network when there is none; raises as a backend does."""
        with self._lock:
            if not self._token or time.monotonic() >= self._good_until:
                self._token, lifetime = self._fetch()
                self._good_until = time.monotonic() + lifetime - min(_MARGIN, lifetime / 10)
            return self._token

    def discard(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""

    def _fetch(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "token_type": self.scheme.lower(),
        }
        try:
            answer = self._http.request("POST", TOKEN_PATH, form=form).json_object()
        except BackendRejected as error:
            # RFC 6749 answers wrong credentials with 400.
            raise BackendAuthenticationError(f"The vendor gave no access token: {error.reason}") from None
        token = answer.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise BackendError("The vendor's answer contains no access token.")
        return token, _lifetime(answer.get("expires_in"))


def _lifetime(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return _DEFAULT_LIFETIME
    return min(float(min(value, _MAX_LIFETIME)), _MAX_LIFETIME)
