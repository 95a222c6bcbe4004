"""``BackendContract``: what every vendor plugin must survive. Needs no database and no network beyond this machine."""

from __future__ import annotations

from proctoring.testing.booking_contract import BookingContract
from proctoring.testing.incoming_contract import IncomingContract
from proctoring.testing.onboarding_contract import OnboardingContract
from proctoring.testing.outgoing_contract import OutgoingContract
from proctoring.testing.rating_contract import RatingContract


class BackendContract(OutgoingContract, OnboardingContract, BookingContract, RatingContract, IncomingContract):
    """Inherit, say how your backend is made, and run it with pytest (or add ``unittest.TestCase``).

    ::

        class TestAcme(BackendContract):
            credentials = ("a-long-api-key",)
            webhook_body = b'{"type": "attempt.ready", ...}'

            def make_backend(self, base_url, *, timeout):
                return AcmeBackend(base_url=base_url, api_key="a-long-api-key", secrets=self.secrets, timeout=timeout)

    What the backend's capability flags do not claim is skipped, and the skip says which flag decided.
    """
