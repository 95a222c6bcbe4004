"""What an operator does from a shell. Commands parse, authorise whom they act for, call one service, and report."""
