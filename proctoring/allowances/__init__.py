"""Allowances: what one person may have that others have not: time, exceptions to the rules, exemptions."""
