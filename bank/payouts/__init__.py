"""Money to any bank account: held, approved, sent once, and settled when the bank shows it."""
