"""For authors of vendor plugins: the contract that every plugin passes, and a vendor to run against."""

from proctoring.testing.contract import BackendContract
from proctoring.testing.vendor_stub import Reply, VendorStub, VendorStubRequest

__all__ = ["BackendContract", "Reply", "VendorStub", "VendorStubRequest"]
