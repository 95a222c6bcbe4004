"""Between the rows of outbox and inbox and the vendors behind them."""
