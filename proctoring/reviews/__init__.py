"""Reviews: what vendors concluded, kept in full and applied where the rules let them."""
