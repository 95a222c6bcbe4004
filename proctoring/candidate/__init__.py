"""What the candidate sees: one page for each exam, and the forms on it. It decides nothing: it asks and renders."""
